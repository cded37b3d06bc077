"""The same receiver and sending side as in the tests of webhooks."""

from tests.webhooks.conftest import exchange, receiver

__all__ = ["exchange", "receiver"]
