"""The places a tenant wants to be called at."""
