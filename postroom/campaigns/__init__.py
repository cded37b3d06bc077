"""Bulk sends: campaigns, their tasks, and a frozen audience of which everybody is accounted for."""
