"""Templates: what is said, in versions that never change."""
