"""The domains that a tenant's mail says it is from."""
