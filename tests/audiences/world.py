"""People whose attributes, tags and past are as various as a generator makes them, and rules about them."""

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from postroom.audiences.rules import compile_rule
from postroom.database.engine import Database
from postroom.identity import TASK, new_id, public_id
from tests.audiences.plain import Sent, Somebody, Touch

NAMES = ("plan", "age", "since", "it's", "a.b", "größe", "%s", "{x}")
VALUES: Sequence[Any] = (
    *(
        "pro",
        "free",
        "",
        "pro plan",
        "Pro",
        "1",
        "true",
        "null",
        "über",
        "%",
        "_",
        "'; DROP TABLE contacts; --",
        "\\",
        "{}",
    ),
    *(0, 1, 1.0, -1, 0.1, 10**29, 1e-9, -(2**53) - 1, True, False, None),
    *("2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01t01:00:00+01:00", "2026-01-01 00:00:00.5Z", "2026-02-30"),
    *("0000-01-01", "9999-12-31", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00", "20260101"),
    *(
        "\u0662\u0660\u0662\u0666-\u0660\u0661-\u0660\u0661",
        "2026-01-01T00:00:00+14:59",
        "2026-01-01T00:00Z",
        "infinity",
        "now",
        "epoch",
        "2026-W01-1",
    ),
    *(["pro", 1], ["free", None, True], [], {"pro": 1}, {}, [["pro"]]),
)
SCALARS = [one for one in VALUES if isinstance(one, str | int | float)]
TEXTS = [one for one in SCALARS if isinstance(one, str) and one]
COMPARABLE = [0, 1, 0.1, 10**29, "2026-01-01", "2026-01-01T00:00:00+01:00", "9999-12-31", "0001-01-01T00:00:00+14:00"]
TAGS = ("vip", "new", "Größe 10", "it's")
LANGUAGES = (None, "en", "en-GB", "EN-us", "eng", "zh-Hans-CN", "fr")
ZONES = (None, "Europe/Paris", "UTC", "America/New_York")
STATES = ("accepted", "accepted", "accepted", "rejected", "failed", "expired", "skipped", "pending", "cancelled")
DAYS = (0.5, 3.5, 20.5)
TASKS = (public_id(TASK, new_id()), public_id(TASK, new_id()))
PEOPLE = 150

CONTACT = """
INSERT INTO contacts (tenant_id, user_id, language, time_zone, attributes) VALUES (%s, %s, %s, %s, %s)
"""
RECIPIENT = """
INSERT INTO task_recipients (task_id, seq, tenant_id, user_id, delivery_id) VALUES (%s, %s, %s, %s, %s)
"""
DELIVERY = """
INSERT INTO deliveries (id, tenant_id, task_id, seq, position, channel, state, expires_at, ended_at)
VALUES (%s, %s, %s, %s, 0, 'email', %s, now(), now() - %s * interval '1 day')
"""
TOUCH = """
INSERT INTO delivery_touches (tenant_id, delivery_id, task_id, kind, machine, at)
VALUES (%s, %s, %s, %s, %s, now() - %s * interval '1 day')
"""


def people(seed: int = 6) -> list[Somebody]:
    """Everybody, the same ones in every run."""
    chance = random.Random(seed)  # noqa: S311 - examples, not secrets
    return [_somebody(chance, f"user {number:03}") for number in range(PEOPLE)]


def _somebody(chance: random.Random, user_id: str) -> Somebody:
    touches = [
        Touch(chance.choice(("open", "click")), chance.choice(DAYS), chance.choice((None, None, "prefetch")))
        for _ in range(chance.choice((0, 0, 1, 2)))
    ]
    return Somebody(
        user_id,
        chance.choice(LANGUAGES),
        chance.choice(ZONES),
        {name: chance.choice(VALUES) for name in NAMES if chance.random() < 0.7},
        frozenset(tag for tag in TAGS if chance.random() < 0.4),
        [Sent(task, chance.choice(STATES), chance.choice(DAYS), touches) for task in TASKS if chance.random() < 0.6],
    )


async def settle(database: Database, tenant_id: UUID, everybody: Sequence[Somebody], tasks: Mapping[str, UUID]) -> None:
    """Write everybody down as people of one tenant."""
    async with database.system_transaction() as connection:
        for seq, one in enumerate(everybody, start=1):
            known = (tenant_id, one.user_id, one.language, one.time_zone, json.dumps(one.attributes))
            await connection.execute(CONTACT, known)
            for tag in one.tags:
                statement = "INSERT INTO contact_tags (tenant_id, user_id, tag) VALUES (%s, %s, %s)"
                await connection.execute(statement, (tenant_id, one.user_id, tag))
            for sent in one.sent:
                task, delivery = tasks[sent.task], new_id()
                await connection.execute(RECIPIENT, (task, seq, tenant_id, one.user_id, delivery))
                await connection.execute(DELIVERY, (delivery, tenant_id, task, seq, sent.state, sent.days))
                for touch in sent.touches:
                    told = (tenant_id, delivery, task, touch.kind, touch.machine, touch.days)
                    await connection.execute(TOUCH, told)


async def found(database: Database, tenant_id: UUID, rule: Any) -> list[str]:
    """Whom the statement finds."""
    selection = compile_rule(rule, tenant_id)
    statement = f'SELECT k.user_id FROM contacts k WHERE {selection.sql} ORDER BY k.user_id COLLATE "C"'
    async with database.tenant_transaction(tenant_id) as connection:
        rows = await (await connection.execute(statement, selection.parameters)).fetchall()
    return [row["user_id"] for row in rows]


def _some(values: Sequence[Any], most: int = 3) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most)


def _attribute(op: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    told = st.fixed_dictionaries({"name": st.sampled_from(NAMES), "op": st.just(op), "value": value})
    return st.fixed_dictionaries({"attribute": told})


LEAVES = st.one_of(
    st.just({"everyone": True}),
    st.fixed_dictionaries(
        {"tags": st.dictionaries(st.sampled_from(("any", "all", "none")), _some(TAGS), min_size=1, max_size=2)}
    ),
    *(_attribute(op, st.sampled_from(SCALARS)) for op in ("equals", "not_equals")),
    _attribute("contains", st.sampled_from([one for one in SCALARS if one != ""])),
    *(_attribute(op, st.sampled_from(COMPARABLE)) for op in ("greater", "less", "at_least", "at_most")),
    _attribute("in", _some(SCALARS)),
    _attribute("exists", st.booleans()),
    _attribute("starts_with", st.sampled_from(TEXTS)),
    st.fixed_dictionaries({"language": _some(("en", "en-gb", "zh-Hans", "FR", "zh-cn"))}),
    st.fixed_dictionaries({"time_zone": _some(("UTC", "Europe/Paris", "Asia/Tokyo"))}),
    st.fixed_dictionaries({"user_ids": _some([f"user {number:03}" for number in range(0, PEOPLE, 20)] + ["nobody"])}),
    st.fixed_dictionaries(
        {
            "task": st.fixed_dictionaries(
                {
                    "id": st.sampled_from(TASKS),
                    "did": st.sampled_from(("accepted", "failed", "opened", "not_opened", "clicked", "not_clicked")),
                }
            )
        }
    ),
    st.fixed_dictionaries(
        {
            "activity": st.fixed_dictionaries(
                {
                    "did": st.sampled_from(
                        ("received", "not_received", "opened", "not_opened", "clicked", "not_clicked")
                    ),
                    "within_days": st.sampled_from((1, 7, 30)),
                }
            )
        }
    ),
)
RULES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=5,
)
