"""Whom a rule finds."""
