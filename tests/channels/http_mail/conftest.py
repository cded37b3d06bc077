"""A vendor on a socket of its own, and the way to it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from postroom.channels.base import Parcel
from postroom.channels.email.conversation import Letter
from postroom.channels.email.mime import build
from postroom.channels.http_mail.route import HttpMailRoute, MailAccount
from postroom.egress.client import EgressClient, Patience
from postroom.timing import Timing
from tests.channels.email.conftest import DOMAIN, new_parcel
from tests.fixtures.receiver import Receiver, receiving

PATIENCE = Patience(timedelta(seconds=0.5), timedelta(seconds=0.3), timedelta(seconds=0.5))
TIMING = replace(Timing(), outage_first=timedelta(seconds=0.05), outage_last=timedelta(seconds=0.05))


@pytest.fixture
async def vendor() -> AsyncIterator[Receiver]:
    """What a vendor's API is, for one test."""
    async with receiving() as opened:
        yield opened


@pytest.fixture
async def client() -> AsyncIterator[EgressClient]:
    opened = EgressClient(PATIENCE, public_only=False)
    yield opened
    await opened.close()


def account(vendor: Receiver, kind: str = "aurora", path: str = "/send") -> MailAccount:
    return MailAccount("svc_1", kind, vendor.url(path), "batch", "s3cret", UUID(int=7))


def route(vendor: Receiver, client: EgressClient, kind: str = "aurora") -> HttpMailRoute:
    return HttpMailRoute(account(vendor, kind), client, TIMING)


def letter(parcel: Parcel | None = None) -> Letter:
    found = parcel or new_parcel()
    return Letter("news@postroom.example", found.address, build(found, DOMAIN), found.priority, found.tenant_id)
