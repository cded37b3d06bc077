"""Audiences: people called by tags, found by rules, and counted before anything is sent to them."""
