"""How a message leaves the house: one small class per channel."""
