"""Policy: whether a person may be reached now."""
