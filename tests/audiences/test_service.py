"""A count says of everybody what policy says of them one by one."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroom.audiences.service import Audiences, Question
from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.database.engine import Database
from postroom.deliveries.routing import Skip as Unreachable
from postroom.deliveries.routing import route
from postroom.policy.decision import Allow, decide
from postroom.policy.reading import COLUMNS, PERSON, TYPE, Candidate, read_background
from postroom.timing import Timing
from tests.fixtures.database import make_tenants
from tests.fixtures.house import PEPPER

EXAMPLES = round(float(os.environ.get("POSTROOM_SEARCH_BUDGET", "1")) * 40)
ADDRESSES: tuple[Any, ...] = (
    *("ada@shop.de", "Ada.B+c@shop.de", "bob@mail.shop.de", "eve@shop.example.com", "ÄDA@shop.de", "straße@shop.de"),
    *(
        "ada@büro.de",
        "ada@xn--bro-hoa.de",
        "ada@SHOP.de",
        " ada@shop.de",
        "nobody",
        "a@intranet",
        "a@b.test",
        "a@b.local",
    ),
    *(
        "a..b@shop.de",
        "a%b@shop.de",
        "a@shop.de\n",
        "x" * 65 + "@shop.de",
        "a@" + "x" * 64 + ".de",
        "",
        None,
        7,
        ["a@b.de"],
    ),
    *(
        "o'brien@shop.de",
        "-a@shop.de",
        "a@-shop.de",
        "a@1.2.3.4",
        "a@[1.2.3.4]",
        "a@shop.d3",
        "a@host.internal",
        "a@x.alt",
    ),
)
PEOPLE = st.fixed_dictionaries(
    {
        "address": st.sampled_from(ADDRESSES),
        "consent": st.sampled_from((None, None, True, False, {"given": True}, {"given": False}, {"given": "x"}, {})),
        "paused": st.sampled_from((None, None, "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "infinity")),
        "wishes": st.dictionaries(
            st.tuples(
                st.sampled_from(("news", "group:letters", "*", "other")), st.sampled_from(("email", "in_app", "*"))
            ),
            st.booleans(),
            max_size=2,
        ),
        "listed": st.none()
        | st.dictionaries(
            st.sampled_from(("all", "marketing", "type:news", "group:letters", "type:other")),
            st.sampled_from(("bounced", "unsubscribed", "erased", "blocked")),
            max_size=2,
        ),
    }
)
TYPES = st.none() | st.fixed_dictionaries({"enabled": st.booleans(), "email": st.booleans()})
ROW = f"""
SELECT NULL::uuid AS notification_id, gen_random_uuid() AS delivery_id, k.addresses, NULL AS frozen_address, {COLUMNS}
FROM (SELECT t.tenant_id, t.user_id, %(class)s::text AS class, 3 AS priority, %(type)s::text AS notification_type,
             false AS send_now, now() + interval '1 hour' AS expires_at
      FROM contacts t WHERE t.tenant_id = %(tenant_id)s) n
{PERSON} {TYPE} ORDER BY n.user_id
"""


CONTACT = """
INSERT INTO contacts (tenant_id, user_id, addresses, consent, paused_until) VALUES (%s, %s, %s, %s, %s)
"""
WISH = "INSERT INTO preferences (tenant_id, user_id, notification_type, channel, enabled) VALUES (%s, %s, %s, %s, %s)"
LIST = """
INSERT INTO suppressions (tenant_id, channel, address_hash, scope, reason) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
DECLARE = """
INSERT INTO notification_types (tenant_id, name, group_name, class, defaults) VALUES (%s, 'news', 'letters', %s, %s)
"""
CHOOSE = "INSERT INTO tenant_settings (tenant_id, name, value) VALUES (%s, 'policy', %s)"


@dataclass(frozen=True, slots=True)
class Village:
    """Some people of one tenant, and a message that they might get."""

    channel: ChannelKind
    message_class: MessageClass
    people: Sequence[Mapping[str, Any]]
    declared: Mapping[str, bool] | None
    consent_required: bool

    @property
    def question(self) -> Question:
        return Question({"everyone": True}, self.channel, self.message_class, "news")


VILLAGES = st.builds(
    Village,
    st.sampled_from((ChannelKind.EMAIL, ChannelKind.EMAIL, ChannelKind.IN_APP)),
    st.sampled_from((MessageClass.MARKETING, MessageClass.TRANSACTIONAL)),
    st.lists(PEOPLE, min_size=1, max_size=19),
    TYPES,
    st.booleans(),
)


async def settle(database: Database, tenant_id: UUID, village: Village) -> None:
    """Write everybody down."""
    channel = str(village.channel)
    async with database.system_transaction() as connection:
        for number, one in enumerate(village.people):
            name = f"user {number:03}"
            consent = {} if one["consent"] is None else {"marketing": {channel: one["consent"]}}
            addresses = {} if one["address"] is None else {"email": one["address"]}
            known = (tenant_id, name, json.dumps(addresses), json.dumps(consent), one["paused"])
            await connection.execute(CONTACT, known)
            for (about, where), enabled in one["wishes"].items():
                await connection.execute(WISH, (tenant_id, name, about, where, enabled))
            written = {"user_id": name, "metadata": {}, "addresses": addresses, "frozen_address": None}
            way = route(village.channel, written, PEPPER)
            for scope, reason in (one["listed"] or {}).items():
                if not isinstance(way, Unreachable):
                    await connection.execute(LIST, (tenant_id, channel, way.address_hash, scope, reason))
        if (declared := village.declared) is not None:
            defaults = {"enabled": declared["enabled"], "channels": {"email": declared["email"]}}
            await connection.execute(DECLARE, (tenant_id, village.message_class, json.dumps(defaults)))
        policy = {"quiet_hours": {"enabled": False}, "marketing_requires_consent": village.consent_required}
        await connection.execute(CHOOSE, (tenant_id, json.dumps(policy)))


async def decided(database: Database, tenant_id: UUID, village: Village) -> dict[str, str | None]:
    """What a send would decide on each, by the function it asks; None lets a message go."""
    verdicts: dict[str, str | None] = {}
    async with database.tenant_transaction(tenant_id) as connection:
        asked = {"tenant_id": tenant_id, "class": village.message_class, "type": "news"}
        rows = await (await connection.execute(ROW, asked)).fetchall()
        for row in rows:
            way = route(village.channel, {**row, "metadata": {}}, PEPPER)
            if isinstance(way, Unreachable):
                verdicts[row["user_id"]] = way.reason
                continue
            candidate = Candidate(row, way.address, way.address_hash)
            background = await read_background(connection, tenant_id, village.channel, [candidate])
            facts = background.facts(candidate, *Timing().cap_windows)
            facts = replace(facts, message=replace(facts.message, digest=True))  # a task's messages go into none
            verdict = decide(facts, row["read_at"])
            verdicts[row["user_id"]] = None if isinstance(verdict, Allow) else str(verdict.reason)
    return verdicts


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(village=VILLAGES)
async def test_a_count_says_of_everybody_what_policy_says_of_each(database: Database, village: Village) -> None:
    both = await make_tenants(database)
    await settle(database, both.alice.id, village)
    everybody = await decided(database, both.alice.id, village)
    assert len(everybody) == len(village.people)
    audiences = Audiences(database, PEPPER)
    members = await audiences.sample(both.alice.id, village.question)
    assert {one.user_id: one.reason for one in members} == everybody
    count = await audiences.count(both.alice.id, village.question)
    excluded = Counter(reason for reason in everybody.values() if reason)
    assert (count.matched, count.excluded) == (len(everybody), dict(excluded))
    assert count.reachable == sum(reason is None for reason in everybody.values())
    assert (await audiences.count(both.decoy.id, village.question)).matched == 0


async def test_every_odd_address_is_judged_as_a_send_judges_it(database: Database) -> None:
    person: dict[str, Any] = {"consent": None, "paused": None, "wishes": {}, "listed": None}
    people = [{**person, "address": address} for address in ADDRESSES]
    listed = [{**one, "listed": {"all": "bounced"}} for one in people]
    for some in (people, listed):
        village = Village(ChannelKind.EMAIL, MessageClass.MARKETING, some, None, consent_required=False)
        tenant_id = (await make_tenants(database)).alice.id
        await settle(database, tenant_id, village)
        everybody = await decided(database, tenant_id, village)
        count = await Audiences(database, PEPPER).count(tenant_id, village.question)
        assert count.excluded == dict(Counter(reason for reason in everybody.values() if reason))
    assert {"no_address", "invalid_recipient", "recipient_domain_not_allowed", "suppressed"} == count.excluded.keys()


CONSENTS: tuple[Any, ...] = (None, True, False, {"given": True}, {"given": False}, {"given": "x"}, {})
WISHES: tuple[dict[tuple[str, str], bool], ...] = (
    {},
    {("news", "email"): False},
    {("group:letters", "*"): False},
    {("*", "*"): True},
    {("*", "email"): False},
)


@pytest.mark.parametrize("message_class", [MessageClass.MARKETING, MessageClass.TRANSACTIONAL])
@pytest.mark.parametrize("consent_required", [True, False])
@pytest.mark.parametrize("declared", [None, {"enabled": True, "email": False}])
async def test_every_word_of_a_person_counts_as_a_send_counts_it(
    database: Database, message_class: MessageClass, declared: Mapping[str, bool] | None, *, consent_required: bool
) -> None:
    one: dict[str, Any] = {"address": "ada@shop.de", "consent": None, "paused": None, "wishes": {}, "listed": None}
    people = [{**one, "consent": said} for said in CONSENTS]
    people += [{**one, "consent": True, "wishes": wishes} for wishes in WISHES]
    people += [{**one, "consent": True, "paused": until} for until in ("2020-01-01T00:00:00Z", "infinity")]
    village = Village(ChannelKind.EMAIL, message_class, people, declared, consent_required=consent_required)
    tenant_id = (await make_tenants(database)).alice.id
    await settle(database, tenant_id, village)
    everybody = await decided(database, tenant_id, village)
    members = await Audiences(database, PEPPER).sample(tenant_id, village.question)
    assert {member.user_id: member.reason for member in members} == everybody
    refused = "no_consent" in everybody.values()
    assert refused is (consent_required and message_class is MessageClass.MARKETING)
