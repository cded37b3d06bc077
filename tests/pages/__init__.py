"""A page of many behaves as each of its members alone."""
