"""What is known of a person: all of it told, or all of it taken away."""
