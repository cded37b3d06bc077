"""Compose file, image, deployment scripts."""
