"""A list of campaigns tells how each fared: counts as they are, and what came back as it was read lately."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.campaigns.models import CampaignState
from postroom.database.engine import Database
from postroom.reports import afterwards, service, standings
from postroom.reports.afterwards import AfterwardsReader
from postroom.reports.counting import Dimension
from postroom.reports.overview import Overview, Overviews
from postroom.reports.report import Afterwards
from postroom.reports.service import Reports
from postroom.reports.standings import StandingRounds
from postroom.statistics.question import Bucket
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.frozen_tasks import Sending, sending_task
from tests.fixtures.rows import change, rows

DUE = "UPDATE task_standings SET next_at = now() WHERE task_id = %s"
ENDED = """
UPDATE campaign_tasks SET state = 'completed', ended_at = now(), totals = '{"accepted": 5}' WHERE id = %s
"""
OLDER = """
UPDATE task_standings SET read = jsonb_set(read, ARRAY[%s, 'as_of'], to_jsonb(now() - interval '1 day'))
WHERE task_id = %s
"""
NEXT = "SELECT next_at - now() AS wait FROM task_standings WHERE task_id = %s"


async def rounds(database: Database, workers: int = 1) -> None:
    while any(await asyncio.gather(*(StandingRounds(database, Timing()).round() for _ in range(workers)))):
        pass


async def overview(task: Sending) -> Overview:
    found = await Overviews(task.database).page(task.tenant_id, CampaignState.ACTIVE, (None, 10))
    return next(one for one in found if one.campaign.id == task.campaign_id)


async def make_older(task: Sending, bucket: str) -> None:
    async with task.database.tenant_transaction(task.tenant_id) as connection:
        await connection.execute(OLDER, (bucket, task.id))


async def test_campaigns_are_compared(database: Database, tenants: Tenants) -> None:
    one, other = [await sending_task(database, tenants.alice.id, 10) for _ in range(2)]
    more = await sending_task(database, tenants.alice.id, 5)
    theirs = await sending_task(database, tenants.decoy.id, 5)
    for task in (one, other, more, theirs):
        await change(database, "UPDATE campaign_tasks SET launched_at = now() WHERE id = %s", task.id)
    await change(database, "UPDATE campaign_tasks SET campaign_id = %s WHERE id = %s", one.campaign_id, more.id)
    for task in (one, more, theirs):
        await task.become("accepted", 1, 2, 3)
        await task.touch("open", 1, 2)
        await task.touch("click", 3)
        await task.tell("bounced", 2, permanent=True)
    ended = (
        """UPDATE campaign_tasks SET state = 'completed', ended_at = now(), totals = '{"accepted": 5}' WHERE id = %s"""
    )
    await change(database, ended, more.id)
    before = await overview(one)
    assert (before.counts["accepted"], before.counts["pending"], before.standing.as_of) == (8, 7, None)
    await rounds(database, workers=3)
    found = await overview(one)
    assert (found.standing.opens.human, found.standing.clicks.human, found.standing.feedback.bounced) == (6, 2, 2)
    assert found.standing.as_of
    nothing = (await overview(other)).standing
    assert (nothing.opens.human, nothing.feedback.bounced) == (0, 0)
    pages = await Overviews(database).page(tenants.decoy.id, CampaignState.ACTIVE, (None, 10))
    assert [one.campaign.id for one in pages] == [theirs.campaign_id]


async def test_the_older_a_task_the_more_seldom_it_is_read(database: Database, tenants: Tenants) -> None:
    old, ancient = [await sending_task(database, tenants.alice.id, 1) for _ in range(2)]
    await change(database, "UPDATE campaign_tasks SET started_at = now() - interval '20 hours' WHERE id = %s", old.id)
    await rounds(database)
    [row] = await rows(database, NEXT, old.id)
    assert 3000 < row["wait"].total_seconds() <= 3600
    away = "UPDATE campaign_tasks SET state = 'completed', updated_at = now() - interval '91 days' WHERE id = %s"
    await change(database, away, ancient.id)
    await change(database, DUE, ancient.id)
    await rounds(database)
    [row] = await rows(database, NEXT, ancient.id)
    assert row["wait"] is None
    await ancient.put("sending")  # what failed is sent again
    await rounds(database)
    [row] = await rows(database, NEXT, ancient.id)
    assert row["wait"] is not None


async def test_a_report_of_a_campaign_reads_again_what_is_quickly_read(
    database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = await sending_task(database, tenants.alice.id, 5)
    await task.become("accepted", 1, 2, 3)
    await task.touch("open", 1)
    await rounds(database)
    await task.touch("open", 2)
    assert (await Reports(database).of_campaign(tenants.alice.id, task.campaign_id)).opens.human == 2
    monkeypatch.setattr(service, "HEAVY", 0)
    assert (await Reports(database).of_campaign(tenants.alice.id, task.campaign_id)).opens.human == 1


async def test_what_was_read_of_a_task_with_very_much_is_told_while_it_is_fresh(
    database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standings, "MUCH", 3)
    task = await sending_task(database, tenants.alice.id, 10)
    little = await sending_task(database, tenants.alice.id, 10)
    for one in (task, little):
        await one.become("accepted", *range(1, 11))
        await one.touch("open", 1)
    await task.touch("click", 2, 3)
    await task.tell("bounced", 9, permanent=True)
    await task.link(1, "https://shop.de/sale")
    before, bucket = await Reports(database).of_task(task.tenant_id, task.id, None)
    await rounds(database)
    for one in (task, little):
        await one.touch("open", 5)
    kept, _ = await Reports(database).of_task(task.tenant_id, task.id, None)
    assert replace(kept.afterwards, as_of=before.afterwards.as_of) == before.afterwards
    assert (kept.afterwards.opens.human, kept.cells[Dimension.VARIANT]) == (3, before.cells[Dimension.VARIANT])
    read, _ = await Reports(database).of_task(little.tenant_id, little.id, None)
    assert read.afterwards.opens.human == 2  # little costs nothing, and is read
    other = Bucket.DAY if bucket is not Bucket.DAY else Bucket.HOUR
    otherwise, _ = await Reports(database).of_task(task.tenant_id, task.id, other)
    assert otherwise.afterwards.opens.human == 4
    await make_older(task, bucket)
    fresh, _ = await Reports(database).of_task(task.tenant_id, task.id, None)
    assert fresh.afterwards.opens.human == 4


async def test_a_report_does_not_wait_long_for_what_came_back(
    database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standings, "MUCH", 0)
    monkeypatch.setattr(afterwards, "PATIENCE_SECONDS", 0.01)
    task = await sending_task(database, tenants.alice.id, 10)
    await task.become("accepted", 1, 2)
    await task.touch("open", 1)
    await rounds(database)
    await task.touch("open", 2)
    _, bucket = await Reports(database).of_task(task.tenant_id, task.id, None)
    await make_older(task, bucket)
    slow, goes_on = asyncio.Event(), asyncio.Event()
    read = afterwards.afterwards_of

    async def read_slowly(*asked: Any) -> Afterwards:
        slow.set()
        await goes_on.wait()
        return await read(*asked)

    monkeypatch.setattr(afterwards, "afterwards_of", read_slowly)
    reader = AfterwardsReader(database)
    told = await reader.read(task.tenant_id, task.id, bucket)
    assert slow.is_set()
    assert (told.opens.human, told.as_of < datetime.now(UTC) - timedelta(hours=1)) == (1, True)
    goes_on.set()
    monkeypatch.setattr(afterwards, "PATIENCE_SECONDS", 60)
    assert (await reader.read(task.tenant_id, task.id, bucket)).opens.human == 2
