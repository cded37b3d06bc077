"""The in-app inbox of a person."""
