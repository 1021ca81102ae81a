"""Recipes: runs that can be repeated, each a function that returns its settings."""
