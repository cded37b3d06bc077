"""What is held of contacts by the file."""
