"""Objectives: what a hashing network is trained for. One a file, the paper's equation on the line that computes it."""
