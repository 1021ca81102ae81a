"""Objectives: what a hashing network is trained for. The paper's equation is on the line that computes it."""
