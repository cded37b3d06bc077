"""Statistics: what became of notifications, counted from the ledger."""
