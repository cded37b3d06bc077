"""Tenants, their API keys and their providers."""
