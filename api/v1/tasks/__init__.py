"""Bulk sends: written, reviewed, launched, steered, and the story of each."""
