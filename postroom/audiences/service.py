"""Audiences, as the API asks about them before anything is sent."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.audiences.reach import Errand
from postroom.audiences.references import check_references
from postroom.audiences.rules import Selection, compile_rule
from postroom.audiences.saved import expanded
from postroom.channels.email.addresses import clean_address
from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.database.engine import Connection, Database
from postroom.errors import Invalid
from postroom.identity import address_hash
from postroom.policy.decision import listed_reason
from postroom.policy.house import CHOICE, House
from postroom.policy.preferences import Subject, scopes_of
from postroom.policy.reading import default_wish

SAMPLE = 20
ODD = 20_000  # addresses that are judged one by one
SECONDS = 20

# Whoever counts a million reads all of the table, with a plan for this rule alone, and may use more memory for it. What
# judging an address costs is unknown to the planner: it would rather not hand a million rows from process to process.
PLANNING = f"""
SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'on', true),
       set_config('work_mem', '64MB', true), set_config('parallel_tuple_cost', '0', true),
       set_config('statement_timeout', '{SECONDS}s', true)
"""
GROUND = """
SELECT (SELECT value FROM tenant_settings WHERE tenant_id = %(tenant_id)s AND name = %(choice)s) AS house,
       y.class, y.group_name, y.defaults
FROM (SELECT) one LEFT JOIN notification_types y ON y.tenant_id = %(tenant_id)s AND y.name = %(type)s
"""
LISTED = """
SELECT DISTINCT ON (address_hash) address_hash, reason FROM suppressions
WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s AND scope = ANY(%(scopes)s) AND address_hash = ANY(%(hashes)s)
ORDER BY address_hash, scope
"""


@dataclass(frozen=True, slots=True)
class Question:
    """Whom would such a message reach? Without a class it is the type's, or marketing."""

    rule: Mapping[str, Any]
    channel: ChannelKind
    message_class: MessageClass | None = None
    notification_type: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many people a rule finds, and how many of them a message would not reach, by reason."""

    matched: int
    excluded: Mapping[str, int]

    @property
    def reachable(self) -> int:
        """How many it would reach."""
        return self.matched - sum(self.excluded.values())


@dataclass(frozen=True, slots=True)
class Member:
    """One of the people a rule finds; `reason` says why a message would not reach them, None that it would."""

    user_id: str
    reason: str | None


class Audiences:
    """Counts the people of one deployment's tenants; nothing is written."""

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database, self._pepper = database, pepper

    async def count(self, tenant_id: UUID, question: Question) -> Count:
        """Count exactly, in one snapshot.

        Raises:
            Invalid: the rule is wrong, the class is not the type's, or it would take too long
                (`query_too_expensive`).
            TooMany: the tenant asks several such questions already (`too_many_questions`).
        """
        async with self._database.large_question(tenant_id) as connection:
            selection = compile_rule(await expanded(connection, tenant_id, question.rule), tenant_id)
            errand = await self._prepared(connection, tenant_id, question, selection)
            statement = f"""
                SELECT v.listed, v.verdict, v.odd, count(*) AS people FROM ({errand.verdicts(selection)}) v
                GROUP BY 1, 2, 3 LIMIT %(most)s
            """
            named = errand.parameters(selection, self._pepper) | {"most": ODD + 1}
            rows = await (await connection.execute(statement, named)).fetchall()
            reasons = await self._reasons(connection, errand, rows)
        excluded: Counter[str] = Counter()
        for row, reason in zip(rows, reasons, strict=True):
            if reason:
                excluded[reason] += row["people"]
        return Count(sum(row["people"] for row in rows), dict(sorted(excluded.items())))

    async def sample(self, tenant_id: UUID, question: Question) -> Sequence[Member]:
        """Return the first of the people by name, each with what would become of their message; raises as `count`."""
        async with self._database.large_question(tenant_id) as connection:
            selection = compile_rule(await expanded(connection, tenant_id, question.rule), tenant_id)
            errand = await self._prepared(connection, tenant_id, question, selection)
            statement = errand.verdicts(selection, "ORDER BY k.user_id LIMIT %(most)s") + "ORDER BY p.user_id"
            named = errand.parameters(selection, self._pepper) | {"most": SAMPLE}
            rows = await (await connection.execute(statement, named)).fetchall()
            reasons = await self._reasons(connection, errand, rows)
        return [Member(row["user_id"], reason) for row, reason in zip(rows, reasons, strict=True)]

    async def _prepared(
        self, connection: Connection, tenant_id: UUID, question: Question, selection: Selection
    ) -> Errand:
        """Set the transaction up for a large question, and read what is the same for everybody."""
        await connection.execute(PLANNING)
        await check_references(connection, selection)
        named = {"tenant_id": tenant_id, "choice": CHOICE, "type": question.notification_type}
        [row] = await (await connection.execute(GROUND, named)).fetchall()
        if row["class"] and question.message_class and row["class"] != question.message_class:
            raise Invalid.at("/class", "class_conflicts_with_type", f"The class of this type is {row['class']}.")
        message_class = MessageClass(row["class"] or question.message_class or MessageClass.MARKETING)
        subject = Subject(message_class, question.channel, question.notification_type, row["group_name"])
        return Errand(tenant_id, subject, House.read(row["house"]), default_wish(row["defaults"], question.channel))

    async def _reasons(
        self, connection: Connection, errand: Errand, rows: Sequence[Mapping[str, Any]]
    ) -> list[str | None]:
        """Return why each row's people would get nothing, None where they would."""
        if len(rows) > ODD:
            detail = f"More than {ODD} addresses are spelt so that each is a question of its own; narrow the rule."
            raise Invalid(detail, code="query_too_expensive")
        odd = {row["odd"] for row in rows if row["odd"]}
        routes = await asyncio.to_thread(_routes, odd, self._pepper)
        hashes = [route for route in routes.values() if isinstance(route, bytes)]
        scopes = list(scopes_of(errand.subject))
        named = {"tenant_id": errand.tenant_id, "channel": errand.channel, "scopes": scopes, "hashes": hashes}
        listed = {row["address_hash"]: row["reason"] async for row in await connection.execute(LISTED, named)}
        return [_reason(row, routes, listed) for row in rows]


def _routes(odd: Iterable[str], pepper: bytes) -> dict[str, bytes | str]:
    """Return the hash under which each address would be listed, or why nothing can go there."""
    routes: dict[str, bytes | str] = {}
    for address in odd:
        try:
            routes[address] = address_hash(pepper, ChannelKind.EMAIL, clean_address(address))
        except Invalid as error:
            routes[address] = error.code
    return routes


def _reason(row: Mapping[str, Any], routes: Mapping[str, bytes | str], listed: Mapping[bytes, str]) -> str | None:
    verdict: str | None = row["verdict"]
    if verdict == "no_address":
        return verdict
    why = row["listed"]
    if row["odd"]:
        route = routes[row["odd"]]
        if isinstance(route, str):
            return route
        why = listed.get(route)
    return str(listed_reason(why)) if why else verdict
