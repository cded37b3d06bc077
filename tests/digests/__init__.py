"""Digests: exact, on time, and nothing for nothing."""
