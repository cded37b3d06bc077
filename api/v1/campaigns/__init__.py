"""What holds tasks together."""
