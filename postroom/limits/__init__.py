"""What a provider takes in a second, a minute and a day, kept over all processes."""
