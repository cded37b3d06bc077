"""Sequences: messages that follow one another, for one person at a time."""
