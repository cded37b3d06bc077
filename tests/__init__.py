"""The tests mirror the tree: real Postgres, real engine, real conversations."""
