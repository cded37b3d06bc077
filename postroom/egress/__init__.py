"""The way out of the house for everything a tenant can name by URL: checked, pinned, bounded."""
