"""What becomes known of an accepted message afterwards: bounces, complaints, deliveries; and what follows from it."""
