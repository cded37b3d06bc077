"""A dry run says what a pass then does, whatever is known."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroom.contracts.vocabulary import ChannelKind, MessageClass, Priority
from postroom.database.engine import Database
from postroom.identity import address_hash
from postroom.policy.trying import Question, Trial
from tests.fixtures.database import make_tenants
from tests.fixtures.house import PEPPER
from tests.fixtures.rows import Draft, change, deliveries, rows
from tests.policy.people import TIMING, Desk, around, choose, know, wish

HOUR = timedelta(hours=1)
LIFE = timedelta(hours=72)
IN_APP = ChannelKind.IN_APP
EXAMPLES = round(float(os.environ.get("POSTROOM_SEARCH_BUDGET", "1")) * 60)
TYPE = """
INSERT INTO notification_types (tenant_id, name, group_name, class, defaults) VALUES (%s, 'receipt', 'billing', %s, %s)
"""
LIST = "INSERT INTO suppressions (tenant_id, channel, address_hash, scope, reason) VALUES (%s, 'in_app', %s, %s, %s)"
WORDS = {"accepted": "allow", "skipped": "skip"}


@dataclass(frozen=True, slots=True)
class World:
    """What is known of a person and a tenant before a message; `night` is quiet by whose word."""

    message_class: MessageClass
    priority: Priority
    send_now: bool
    declared: Mapping[str, Any] | None
    person: Mapping[str, Any] | None
    night: str
    wishes: Mapping[str, Mapping[str, Any]]
    listed: tuple[str, str] | None
    policy: Mapping[str, Any]
    before: int


FREQUENCIES = st.sampled_from(("immediate", "immediate", "hourly", "daily", "weekly"))
WISHES = st.fixed_dictionaries({"enabled": st.sampled_from((True, True, False)), "frequency": FREQUENCIES})
WORLDS = st.builds(
    World,
    message_class=st.sampled_from(tuple(MessageClass)),
    priority=st.sampled_from((Priority.CRITICAL, Priority.MEDIUM, Priority.LOW)),
    send_now=st.booleans(),
    declared=st.none() | st.fixed_dictionaries({"enabled": st.sampled_from((True, False)), "frequency": FREQUENCIES}),
    person=st.none()
    | st.fixed_dictionaries(
        {
            "time_zone": st.sampled_from((None, "UTC", "Mars/X")),
            "paused_until": st.sampled_from((None, None, None, "2100-01-01T00:00:00Z", "2020-01-01T00:00:00Z")),
            "consent": st.sampled_from(
                ({}, {"marketing": {"in_app": {"given": True}}}, {"marketing": {"in_app": {"given": False}}})
            ),
        }
    ),
    night=st.sampled_from(("none", "theirs", "the tenant's")),
    wishes=st.dictionaries(
        st.sampled_from(("receipt in_app", "receipt *", "group:billing in_app", "* *", "* email")), WISHES, max_size=2
    ),
    listed=st.none()
    | st.tuples(
        st.sampled_from(("all", "marketing", "type:receipt", "group:billing", "type:other")),
        st.sampled_from(("bounced", "unsubscribed", "erased")),
    ),
    policy=st.fixed_dictionaries(
        {
            "time_zone": st.sampled_from((None, "UTC")),
            "caps": st.sampled_from(({"hour": 1}, {"hour": 2, "day": 2}, {"hour": 100})),
            "marketing_requires_consent": st.booleans(),
        }
    ),
    before=st.sampled_from((0, 0, 1, 3)),
)


async def prepare(desk: Desk, world: World) -> None:
    """Bring about what is known."""
    night: dict[str, Any] = {"quiet_hours": around(datetime.now(UTC), HOUR, 3 * HOUR)}
    for _ in range(world.before):
        await desk.go(Draft(desk.tenant_id, message_class=world.message_class, life=LIFE))
    if world.person is not None:
        await change(desk.database, "DELETE FROM contacts WHERE tenant_id = %s", desk.tenant_id)
        await know(desk.database, desk.tenant_id, **world.person, **(night if world.night == "theirs" else {}))
    await choose(desk.database, desk.tenant_id, {**world.policy, **(night if world.night == "the tenant's" else {})})
    for about, wanted in world.wishes.items():
        await wish(desk.database, desk.tenant_id, f"ada {about}", **wanted)
    if world.declared:
        await change(desk.database, TYPE, desk.tenant_id, world.message_class, json.dumps(world.declared))
    if world.listed:
        await change(desk.database, LIST, desk.tenant_id, address_hash(PEPPER, IN_APP, "ada"), *world.listed)


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(world=WORLDS)
async def test_a_dry_run_says_what_a_pass_then_does(database: Database, world: World) -> None:
    desk = Desk(database, (await make_tenants(database)).alice.id)
    await prepare(desk, world)
    question = Question("ada", [IN_APP], world.message_class, world.priority, "receipt", world.send_now)
    said = (await Trial(database, TIMING, PEPPER).ask(desk.tenant_id, question)).channels[IN_APP]
    draft = Draft(desk.tenant_id, message_class=world.message_class, priority=int(world.priority), life=LIFE)
    [one] = await desk.accept(draft, kind="receipt")
    await change(database, "UPDATE notifications SET send_now = %s WHERE id = %s", world.send_now, one)
    await desk.run(one)
    [done] = await deliveries(database, one)
    waits = "digest" if done["reason"] == "digest" else "defer"
    assert said.verdict == WORDS.get(done["state"], waits), (said, done)
    assert said.reason == (None if done["state"] == "accepted" else done["reason"])
    if waits == "digest":
        [digest] = await rows(database, "SELECT closes_at FROM digests WHERE tenant_id = %s", desk.tenant_id)
        assert said.until == digest["closes_at"]
    elif done["state"] == "pending":
        assert said.until == done["not_before"]
    told = [event["detail"]["bypassed"] for event in await desk.told(one) if event["kind"] == "policy_bypassed"]
    assert told == ([list(said.bypassed)] if said.bypassed else [])
