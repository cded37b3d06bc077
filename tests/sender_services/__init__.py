"""Sender services: shared quotas, health by probe, and a fair choice."""
