"""The ways out for bulk mail, and who may use them."""
