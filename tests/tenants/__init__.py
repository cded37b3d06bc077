"""Tenants, keys, secrets, and the operator's command line."""
