"""What training reads: caches, features, views and edits of images."""
