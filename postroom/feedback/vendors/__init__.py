"""The webhooks of mail providers, each read and proven in its own way."""
