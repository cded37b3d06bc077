"""Many things told to a person at once, at a time of their choosing."""
