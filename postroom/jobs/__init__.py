"""Jobs: many notifications that were asked for at once, counted and changed together."""
