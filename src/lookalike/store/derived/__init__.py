"""Files that are derived from the catalog, and rebuilt when they do not match it."""
