"""What a task needs: a template for e-mail that is approved, people, and audiences as they are frozen."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from postroom.database.engine import Database
from postroom.identity import TASK, new_id, parse_id
from postroom.templates.content import Content, Script, Variable, Variant
from tests.fixtures.database import Tenant
from tests.fixtures.rows import change
from tests.fixtures.templates import VERSION

TEMPLATE = "INSERT INTO templates (id, tenant_id, name, channel) VALUES (%s, %s, %s, %s)"
PERSON = "INSERT INTO contacts (tenant_id, user_id, addresses) VALUES (%s, %s, %s)"
RECIPIENT = """
WITH made AS (
    INSERT INTO deliveries (tenant_id, task_id, seq, position, channel, state, reason, attempt,
                            expires_at, ended_at)
    VALUES (%(tenant_id)s, %(task_id)s, %(seq)s, 0, 'email', %(state)s, %(reason)s, %(attempt)s,
            now() + interval '1 day', CASE WHEN %(over)s THEN now() END)
    RETURNING id
)
INSERT INTO task_recipients (task_id, seq, tenant_id, user_id, delivery_id, domain)
SELECT %(task_id)s, %(seq)s, %(tenant_id)s, %(user_id)s, id, 'shop.de' FROM made
"""
PAGE = """
INSERT INTO task_pages (task_id, number, tenant_id, first_seq, last_seq, next_at, counts)
VALUES (%(task_id)s, %(number)s, %(tenant_id)s, %(first)s, %(last)s, %(next_at)s, %(counts)s)
"""
SENDING = """
UPDATE campaign_tasks SET state = %s, audience = %s, frozen_at = now(), frozen_to = 'z', owed = false, epoch = 1,
    launched_at = now(), ended_at = CASE WHEN %s THEN now() END, totals = CASE WHEN %s THEN %s::jsonb END
WHERE id = %s
"""
OVER = {"accepted", "rejected", "skipped", "failed", "expired", "cancelled"}
Recipient = tuple[str, str, str | None]  # a person, the state, the reason


async def letter(  # noqa: PLR0913 - what tests vary
    database: Database, tenant: Tenant, name: str = "sale", declared: Sequence[str] = (), channel: str = "email"
) -> UUID:
    """Insert a template with one approved version; returns its id."""
    made = new_id()
    await change(database, TEMPLATE, made, tenant.id, name, channel)
    await reworded(database, tenant, (made, 1), declared, channel)
    return made


async def reworded(  # noqa: PLR0913 - what tests vary
    database: Database,
    tenant: Tenant,
    pin: tuple[UUID, int],
    declared: Sequence[str] = (),
    channel: str = "email",
) -> None:
    """Insert a version that is approved."""
    script = Script(title=f"Version {pin[1]}", text="Good day." + "".join(f"{{{{ {name} }}}}" for name in declared))
    variables = tuple(Variable(name) for name in declared)
    content = Content(channel, "en", (Variant("default", 1, {"en": script}),), variables)
    stored = json.dumps(json.loads(content.canonical)["variables"])
    await change(database, VERSION, *pin, tenant.id, content.canonical, stored, content.hash, content.hash)


async def people(database: Database, tenant: Tenant, count: int) -> None:
    """Insert contacts."""
    async with database.system_transaction() as connection:
        for number in range(count):
            address = json.dumps({"email": f"p{number}@shop.de"})
            await connection.execute(PERSON, (tenant.id, f"p{number}", address))


async def frozen(  # noqa: PLR0913 - what tests vary
    database: Database, tenant: Tenant, task: str, recipients: Sequence[Recipient], state: str = "sending"
) -> UUID:
    """Give a task the frozen audience of which every two are a page; returns the task's id."""
    task_id, over = parse_id(TASK, task), state.startswith("completed")
    async with database.system_transaction() as connection:
        for seq, (user_id, one, reason) in enumerate(recipients, 1):
            values: Mapping[str, Any] = {"user_id": user_id, "state": one, "reason": reason, "over": one in OVER}
            names = {"tenant_id": tenant.id, "task_id": task_id, "seq": seq, "attempt": 4 if one in OVER else 0}
            await connection.execute(RECIPIENT, {**values, **names})
        for first in range(0, len(recipients), 2):
            states = [one for _, one, _ in recipients[first : first + 2]]
            counts = json.dumps({one: states.count(one) for one in states})
            page = {"task_id": task_id, "number": first // 2 + 1, "tenant_id": tenant.id, "first": first + 1}
            await connection.execute(PAGE, {**page, "last": first + len(states), "next_at": None, "counts": counts})
        totals = json.dumps({"accepted": 1})
        await connection.execute(SENDING, (state, len(recipients), over, over, totals, task_id))
    return task_id
