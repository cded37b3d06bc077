"""What may travel with a message."""
