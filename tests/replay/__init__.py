"""What keeps an open workflow running through a change of its code: golden histories and a fingerprint."""
