"""Mail over HTTP: vendors that take a message as fields of a request instead of a conversation."""
