"""Whoever calls without a key costs little, is told when to come back, and keeps no provider from being heard."""

import asyncio
import base64
import json
from types import SimpleNamespace
from uuid import UUID

import pytest

from postroom import rates
from postroom.database.engine import Database, Role, open_database
from postroom.errors import Invalid, PostroomError, Unauthenticated
from postroom.feedback import sources as listening
from postroom.feedback.intake import Intake
from postroom.feedback.sources import CALL_OCTETS, NewSource, Sources
from postroom.feedback.vendors.base import EVENTS, Call
from postroom.feedback.vendors.postmark import Postmark
from postroom.feedback.vendors.table import VendorName
from postroom.identity import new_id
from postroom.rates import RateExceeded
from postroom.tenants.gate import Gate
from postroom.tenants.keys import new_key
from postroom.timing import Timing
from tests.fixtures.contact_files import SEAL
from tests.fixtures.database import Tenants
from tests.fixtures.rows import rows
from tests.fixtures.sent import letter

BASIC = {"authorization": "Basic " + base64.b64encode(b"user:pass").decode()}


def heard_by(database: Database) -> Sources:
    return Sources(database, SEAL, {VendorName.POSTMARK: Postmark()}, Intake(database, Timing()))


async def added(sources: Sources, tenant_id: UUID) -> UUID:
    source, _ = await sources.add(tenant_id, NewSource(VendorName.POSTMARK, "live", "user:pass"), None)
    return source.id


def delivered(*ids: UUID) -> Call:
    events = [{"RecordType": "Delivery", "Metadata": {"message_id": f"{one.hex}@postroom.example"}} for one in ids]
    return Call(BASIC, json.dumps(events).encode())


async def outcome(sources: Sources, source_id: UUID, call: Call) -> str:
    try:
        await sources.hear(source_id, call)
    except PostroomError as error:
        return error.code
    return "heard"


async def test_a_flood_of_strangers_keeps_nobody_waiting(
    database: Database, database_url: str, tenants: Tenants
) -> None:
    one = await letter(database, tenants.alice.id)
    async with open_database(database_url, {Role.APP: 1, Role.SYSTEM: 2}) as narrow:
        sources = heard_by(narrow)
        source = await added(sources, tenants.alice.id)
        flood = [outcome(sources, new_id(), delivered(one)) for _ in range(2_000)]
        strangers = asyncio.gather(*flood)
        found, _ = await asyncio.gather(outcome(sources, source, delivered(one)), unknown_to(Gate(narrow, b"pepper")))
        assert (found, set(await strangers)) == ("heard", {"invalid_signature"})
    kept = await rows(database, "SELECT kind FROM delivery_feedback WHERE delivery_id = %s", one)
    assert kept == [{"kind": "delivered"}]


async def unknown_to(gate: Gate) -> None:
    """Somebody with a key finds a connection all the while."""
    with pytest.raises(Unauthenticated):
        await gate.identify(new_key(b"pepper").text)


async def test_a_source_that_calls_too_often_is_told_when_to_come_back(
    database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "CALLS_PER_MINUTE", 5)
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: 30.0))
    sources = heard_by(database)
    busy, other = await added(sources, tenants.alice.id), await added(sources, tenants.alice.id)
    found = [await outcome(sources, busy, delivered()) for _ in range(5)]
    assert found == ["heard"] * 5
    with pytest.raises(RateExceeded) as refused:
        await sources.hear(busy, delivered())
    assert refused.value.code == "source_rate_limited"
    assert 1 <= (refused.value.retry_after or 0) <= 60
    assert await outcome(sources, other, delivered()) == "heard"
    large = Call(BASIC, b" " * (4 * CALL_OCTETS) + b"[]")
    assert await outcome(sources, other, large) == "source_rate_limited"  # it would have counted as five


async def test_calls_that_come_together_are_all_counted(database: Database, tenants: Tenants) -> None:
    sources = heard_by(database)
    ids = [await letter(database, tenants.alice.id) for _ in range(20)]
    theirs = await letter(database, tenants.decoy.id)
    both = [await added(sources, tenants.alice.id) for _ in range(2)]
    await asyncio.gather(*(sources.hear(source, delivered(one, theirs)) for one in ids for source in both))
    assert [(one.known, one.ignored) for one in await sources.all(tenants.alice.id)] == [(20, 20)] * 2


async def test_a_call_with_too_many_events_is_refused_whole(database: Database, tenants: Tenants) -> None:
    sources = heard_by(database)
    one, source = await letter(database, tenants.alice.id), await added(sources, tenants.alice.id)
    with pytest.raises(Invalid) as refused:
        await sources.hear(source, delivered(*[one] * (EVENTS + 1)))
    assert refused.value.code == "too_many_events"
    assert await rows(database, "SELECT kind FROM delivery_feedback WHERE delivery_id = %s", one) == []
