"""File formats: recognising them, reading their tags, detecting damage."""
