"""Sender services: the ways out that bulk mail is shared among, with quotas, health and an access list."""
