"""The paper's tables and figures, run anew: published, measured and chance side by side."""
