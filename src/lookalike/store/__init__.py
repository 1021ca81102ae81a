"""What lies on disk: the catalog, which is the truth, and what is derived from it or kept beside it."""
