"""The way to Postgres: roles, pools, sessions."""
