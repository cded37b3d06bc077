"""When and how often people are reached."""
