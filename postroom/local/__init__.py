"""The embedded default: everything make up runs, supervised."""
