"""The ledger: one row is one message to one address over one channel."""
