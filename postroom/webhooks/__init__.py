"""Webhooks: where a tenant wants to be called, what is told there, and how it is signed."""
