"""What the server keeps between requests: the collection, jobs, reviews, thumbnails."""
