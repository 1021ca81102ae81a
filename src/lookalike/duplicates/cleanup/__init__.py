"""Removing duplicates: the best copy of each group, plans, applying and undoing them."""
