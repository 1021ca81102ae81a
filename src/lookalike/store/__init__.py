"""Storage on disk: the catalog, which is the truth, and the files derived from it or kept with it."""
