"""What was asked for: accept, list, control, explain."""
