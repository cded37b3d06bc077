"""What comes in: HTTP parsed, authorised, handed to one service, answered."""
