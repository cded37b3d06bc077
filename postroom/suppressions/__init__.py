"""Addresses a tenant sends nothing to, or nothing of one kind."""
