"""The webhook channel: messages and events as signed HTTP requests to endpoints of the tenant."""
