"""The addresses a tenant sends nothing to."""
