"""What may be known of a person."""
