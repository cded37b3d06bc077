"""Faults end to end: a notification from its row to its end, through real workers and a sink that misbehaves."""
