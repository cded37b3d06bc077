"""What people want to hear of, and the kinds of messages there are."""
