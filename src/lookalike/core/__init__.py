"""Shared foundations: errors, atomic file writes, packed codes, limits, threads."""
