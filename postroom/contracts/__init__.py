"""Payloads that cross the engine: ids and counts, standard library only."""
