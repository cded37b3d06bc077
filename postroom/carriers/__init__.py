"""Which workflow carries which notifications, and who is owed a look."""
