"""What every part of the package builds on: errors, and files that are written whole."""
