"""Contacts by the file: CSV taken in and handed out, a piece at a time."""
