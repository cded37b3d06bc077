"""The kinds of messages a tenant declares."""
