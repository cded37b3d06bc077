"""Schedules: one message to an audience, again and again."""
