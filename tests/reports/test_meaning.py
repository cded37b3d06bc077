"""Rules, reports and lists of recipients mean the same people when they say that somebody opened."""

import random

from postroom.audiences.rules import compile_rule
from postroom.database.engine import Database
from postroom.identity import TASK, public_id
from postroom.reports.recipients import Filters, Recipients, Window
from postroom.reports.service import Reports
from tests.fixtures.database import Tenants
from tests.fixtures.frozen_tasks import Sending, sending_task
from tests.fixtures.rows import change, rows

SIZE = 40


async def found_by_rule(task: Sending, did: str) -> set[str]:
    selection = compile_rule({"task": {"id": public_id(TASK, task.id), "did": did}}, task.tenant_id)
    async with task.database.tenant_transaction(task.tenant_id) as connection:
        statement = f"SELECT k.user_id FROM contacts k WHERE {selection.sql}"
        found = await connection.execute(statement, selection.parameters)
        return {row["user_id"] async for row in found}


async def listed(task: Sending, filters: Filters) -> set[str | None]:
    recipients = Recipients(task.database)
    known = await recipients.task(task.tenant_id, task.id)
    found = await recipients.some(task.tenant_id, known, filters, Window(0, SIZE))
    for one in found:
        done = one.opened_at if filters.opened is not None else one.clicked_at
        assert (done is None) == (filters.opened is False)
    return {one.user_id for one in found}


async def test_openers_and_clickers_are_the_same_people_everywhere(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, SIZE)
    people = "INSERT INTO contacts (tenant_id, user_id) SELECT %s, 'user_' || n FROM generate_series(1, %s) n"
    await change(database, people, tenants.alice.id, SIZE)
    await task.become("accepted", *range(1, SIZE + 1))
    chance = random.Random(6)  # noqa: S311 - the same chance in every run
    for kind in ("open", "click"):
        for machine in (None, "scanner"):
            await task.touch(kind, *chance.sample(range(1, SIZE + 1), 12), machine=machine)
    report, _ = await Reports(database).of_task(tenants.alice.id, task.id, None)
    for did, filters, touches in (
        ("opened", Filters(opened=True), report.afterwards.opens),
        ("clicked", Filters(clicked=True), report.afterwards.clicks),
    ):
        people_who_did = await found_by_rule(task, did)
        assert 0 < len(people_who_did) == touches.human
        assert await listed(task, filters) == people_who_did
    assert await listed(task, Filters(opened=False)) == await found_by_rule(task, "not_opened")
    clicked = await rows(
        database,
        "SELECT count(*) AS n FROM delivery_touches WHERE task_id = %s AND kind = 'click' AND machine IS NULL",
        task.id,
    )
    assert report.afterwards.clicks.human_times == clicked[0]["n"]
