"""Images: from bytes of a file to pixels, and what a file says of its image."""
