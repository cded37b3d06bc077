"""What a provider takes in a second, a minute, an hour and a day, kept over all processes."""
