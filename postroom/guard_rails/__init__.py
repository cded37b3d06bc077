"""Guard rails: when a task stops itself, and when it only warns."""
