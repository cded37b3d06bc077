"""Jobs: what was asked for at once and takes its time."""
