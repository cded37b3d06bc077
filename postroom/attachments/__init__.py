"""Bytes that travel with a message, stored once."""
