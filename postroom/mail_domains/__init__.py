"""From-domains: their signing keys, and whether DNS says what mailbox providers want to read there."""
