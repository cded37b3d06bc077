"""Postgres: roles, policies, migrations."""
