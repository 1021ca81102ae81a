"""File formats: which ones are read, what their tags say, and whether a file is damaged."""
