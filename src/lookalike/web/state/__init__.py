"""State shared by requests: the collection, jobs, reviews, thumbnails."""
