"""Images: decoding files to pixels, and reading what the files say about them."""
