"""How well codes survive edits, next to other methods' codes."""
