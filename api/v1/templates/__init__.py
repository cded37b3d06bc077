"""What a tenant says: written, reviewed, rehearsed."""
