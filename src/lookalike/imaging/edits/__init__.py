"""Image edits at several strengths, used by training and robustness tests."""
