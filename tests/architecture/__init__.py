"""What the house promises about its own shape, held by tests."""
