"""A provider of its own for each test."""

from uuid import uuid4

import pytest

from postroom.contracts.vocabulary import ChannelKind
from postroom.limits.allowance import Meter


@pytest.fixture
def meter() -> Meter:
    return Meter(ChannelKind.EMAIL, f"relay-{uuid4().hex}")
