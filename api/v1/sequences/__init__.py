"""Messages that follow one another, and the people who go through them."""
