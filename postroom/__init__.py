"""Postroom: durable notifications and campaigns on Temporal and Postgres."""
