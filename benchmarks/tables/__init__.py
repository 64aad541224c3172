"""Look-ups in tables of 10 to 1,000,000 entries."""
