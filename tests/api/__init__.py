"""The API as a caller meets it: over a socket, on a real database."""
