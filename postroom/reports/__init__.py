"""Reports: what became of a task and of each of its recipients, counted from the rows."""
