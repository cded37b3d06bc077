"""A sheet of a hundred thousand is streamed: everybody once, and no more memory than for a few."""

import psutil

from postroom.database.engine import Database
from postroom.reports.recipients import Filters, Recipients, Window
from postroom.reports.service import Reports
from postroom.reports.sheets import COLUMNS, sheet
from tests.fixtures.database import Tenants
from tests.fixtures.frozen_tasks import sending_task
from tests.fixtures.rows import change

MANY = 100_000
MOST_BYTES = 40_000_000  # all hundred thousand at once are more than a hundred


async def test_a_hundred_thousand_are_streamed_in_flat_memory(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, MANY)
    await task.become("accepted", *range(1, MANY, 2))
    recipients = Recipients(database)
    row = await recipients.task(tenants.alice.id, task.id)
    process = psutil.Process()
    before = peak = process.memory_info().rss
    lines, size, last, accepted = 0, 0, 0, 0
    pieces = sheet(recipients, tenants.alice.id, row, Filters())
    assert await anext(pieces) == ",".join(COLUMNS) + "\r\n"
    async for piece in pieces:
        for line in piece.splitlines():
            seq = int(line.split(",", 1)[0])
            assert seq == last + 1
            last, lines, accepted = seq, lines + 1, accepted + (",accepted," in line)
        size += len(piece)
        peak = max(peak, process.memory_info().rss)
    assert (lines, accepted, size > 8_000_000) == (MANY, MANY // 2, True)
    assert peak - before < MOST_BYTES


async def test_rare_recipients_are_found_in_a_large_audience(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, 20_000)
    await task.become("unknown", 3, 19_999, reason="no_answer")
    row = await Recipients(database).task(tenants.alice.id, task.id)
    pieces = [piece async for piece in sheet(Recipients(database), tenants.alice.id, row, Filters(state="unknown"))]
    assert pieces[0] == ",".join(COLUMNS) + "\r\n"
    assert [line.split(",")[0] for line in pieces[1].splitlines()] == ["3", "19999"]


async def test_a_page_whose_lines_name_nobody_of_a_kind_is_not_looked_through(
    database: Database, tenants: Tenants
) -> None:
    task = await sending_task(database, tenants.alice.id, 20, page=10)
    await task.become("accepted", *range(1, 19))
    await task.become("skipped", 19, 20, provider=None)
    for column in ("domain = NULL", "domain = 'shop.fr'"):  # somebody has none, which says nothing of the others
        seqs = [9, 19] if "NULL" in column else [20]
        statement = f"UPDATE task_recipients SET {column} WHERE task_id = %s AND seq = ANY(%s)"
        await change(database, statement, task.id, seqs)
    await task.settle(1, 2)
    await Reports(database).of_task(task.tenant_id, task.id, None)
    recipients = Recipients(database)
    known = await recipients.task(task.tenant_id, task.id)

    async def found(filters: Filters) -> list[int]:
        return [one.seq for one in await recipients.some(task.tenant_id, known, filters, Window(0, 30))]

    assert await found(Filters(domain="shop.fr")) == [20]
    await change(database, "UPDATE task_recipients SET domain = 'shop.fr' WHERE task_id = %s AND seq = 1", task.id)
    assert await found(Filters(domain="shop.fr")) == [20]  # nobody told of it, and the first page was left out
