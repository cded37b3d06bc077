"""Sending notifications, reading what became of them, and changing what happens to them."""
