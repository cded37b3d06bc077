"""What becomes known of mail after it was accepted."""
