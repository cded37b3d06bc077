"""Digests: what waits to be told together."""
