"""Groups of copies: candidates, verification, decisions, leakage, and cleaning up."""
