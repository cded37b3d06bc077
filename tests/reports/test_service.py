"""Reports add up: whatever is written while they are read, each breakdown is the audience."""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest

from postroom.contracts.vocabulary import DeliveryState
from postroom.database.engine import Database
from postroom.errors import Invalid, NotFound
from postroom.reports.counting import Dimension
from postroom.reports.report import Report
from postroom.reports.service import Reports
from postroom.reports.summary import summary_of
from postroom.statistics.question import Bucket
from tests.fixtures.database import Tenants
from tests.fixtures.frozen_tasks import Sending, sending_task
from tests.fixtures.rows import change, rows

STATES = [str(state) for state in DeliveryState]


async def report_on(task: Sending) -> Report:
    report, _ = await Reports(task.database).of_task(task.tenant_id, task.id, None)
    return report


def check_sums(report: Report, audience: int) -> None:
    assert report.audience == audience
    assert sum(report.counts.values()) == audience
    assert sum(count for _, _, count in report.reasons) == audience
    for cells in report.cells.values():
        assert sum(cell.recipients for cell in cells) == audience


def reasons(report: Report) -> dict[tuple[str, str | None], int]:
    return {(state, reason): count for state, reason, count in report.reasons}


async def lines_of(task: Sending) -> list[dict[str, object]]:
    return await rows(task.database, "SELECT DISTINCT number FROM task_page_lines WHERE task_id = %s", task.id)


async def test_every_breakdown_is_the_audience(database: Database, tenants: Tenants) -> None:
    other = await sending_task(database, tenants.decoy.id, 40)
    await other.become("failed", *range(1, 41))
    task = await sending_task(database, tenants.alice.id, 60, page=25)
    await task.become("accepted", *range(1, 41), provider="main")
    await task.become("rejected", 41, 42, reason="mailbox_unknown", provider="second")
    await task.become("skipped", 43, 44, 45, reason="no_consent", provider=None)
    await task.become("unknown", 46, reason="no_answer")
    await task.settle(1)
    for _ in range(2):  # from the rows, then from their lines
        report = await report_on(task)
        check_sums(report, 60)
        assert {state: count for state, count in report.counts.items() if count} == {
            "accepted": 40, "rejected": 2, "skipped": 3, "unknown": 1, "pending": 14,
        }  # fmt: skip
        assert reasons(report)["skipped", "no_consent"] == 3
        assert reasons(report)["rejected", "mailbox_unknown"] == 2
        senders = {cell.key[0]: cell.recipients for cell in report.cells[Dimension.SENDER]}
        assert senders == {"main": 41, "second": 2, None: 17}
        variants = {cell.key[0]: cell.recipients for cell in report.cells[Dimension.VARIANT]}
        assert variants == {"0": 30, "1": 30}
        domains = {cell.key[0]: cell.counts.get("accepted") for cell in report.cells[Dimension.DOMAIN]}
        assert domains == {"gmail.com": 13, "shop.de": 27}
        assert (report.remaining, sum(sum(one.values()) for one in report.ended.values())) == (15, 45)


async def test_a_change_is_seen_at_once_though_the_page_had_lines(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, 20, page=10)
    await task.become("accepted", *range(1, 21))
    await task.settle(1, 2)
    await report_on(task)
    assert len(await lines_of(task)) == 2
    await task.become("rejected", 7, reason="late_evidence")
    assert reasons(await report_on(task))["rejected", "late_evidence"] == 1
    await task.become("rejected", 7, reason="policy_refusal")
    await task.settle(1)  # the counts are the same as those the lines were made with
    report = await report_on(task)
    assert reasons(report) == {("accepted", "accepted"): 19, ("rejected", "policy_refusal"): 1}


async def test_lines_are_a_memory_and_may_be_lost(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, 20, page=10)
    await task.become("accepted", *range(1, 21))
    await task.settle(1, 2)
    before = await report_on(task)
    await change(database, "DELETE FROM task_page_lines WHERE task_id = %s AND number = 1", task.id)
    assert (await report_on(task)).reasons == before.reasons


async def test_reports_add_up_while_everything_moves(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, 300, page=30)
    chance = random.Random(20)  # noqa: S311 - the same chance in every run
    writing = True

    async def write() -> None:
        for _ in range(60):
            seqs = chance.sample(range(1, 301), chance.randint(1, 40))
            await task.become(chance.choice(STATES), *seqs, reason=chance.choice(["one", "two", None]))
            await task.settle(*chance.sample(range(1, 11), 3))

    async def read() -> int:
        seen = set[str]()
        while writing:
            report = await report_on(task)
            check_sums(report, 300)
            async with database.tenant_transaction(task.tenant_id) as connection:
                summary = await summary_of(connection, task.id)
            assert (summary.audience, sum(summary.counts.values())) == (300, 300)
            seen.add(str(report.counts))
        return len(seen)

    readers = [asyncio.create_task(read()) for _ in range(2)]
    await write()
    writing = False
    assert sum(await asyncio.gather(*readers)) > 4  # they did see it move
    found = await rows(database, "SELECT state, count(*) AS n FROM deliveries WHERE task_id = %s GROUP BY 1", task.id)
    report = await report_on(task)
    assert {state: n for state, n in report.counts.items() if n} == {row["state"]: row["n"] for row in found}


async def test_what_came_back_is_counted_by_recipient(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, 20)
    await task.become("accepted", *range(1, 21))
    await task.link(1, "https://shop.de/sale")
    await task.link(2, "https://shop.de/help")
    await task.touch("open", 1, 2, 2, 3)
    await task.touch("open", 2, 4, machine="prefetch")
    await task.touch("click", 2, 3, link=1)
    await task.touch("click", 5, link=1, machine="scanner")
    await task.tell("delivered", *range(1, 16))
    await task.tell("bounced", 16, permanent=False, enhanced="4.2.2")
    await task.tell("bounced", 16, 17, permanent=True, enhanced="5.1.1")
    await task.tell("complained", 18)
    report = await report_on(task)
    opens, clicks = report.afterwards.opens, report.afterwards.clicks
    assert (opens.everybody, opens.human, opens.times, opens.human_times) == (5, 3, 5, 3)  # a click is an open
    assert (clicks.everybody, clicks.human) == (3, 2)
    assert [(one.url, one.touches.everybody, one.touches.human) for one in report.afterwards.links] == [
        ("https://shop.de/sale", 3, 2), ("https://shop.de/help", 0, 0),
    ]  # fmt: skip
    feedback = report.afterwards.feedback
    assert (feedback.delivered, feedback.bounced_permanently, feedback.bounced_temporarily) == (15, 2, 0)
    assert (feedback.complained, report.counts["accepted"]) == (1, 20)
    by_variant = {cell.key[0]: (cell.opens.human, cell.clicks.human) for cell in report.cells[Dimension.VARIANT]}
    assert by_variant == {"1": (2, 1), "0": (1, 1)}
    assert sum(cell.opens.everybody for cell in report.cells[Dimension.DOMAIN]) == 5


async def test_clicks_by_link_come_to_all_clicks(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, 10)
    await task.become("accepted", *range(1, 11))
    await task.link(1, "https://shop.de/sale")
    await task.touch("click", 1, 2, link=1)
    await task.touch("click", 2, 3)  # their own links, which stand in one mail alone
    await task.touch("click", 4, machine="scanner")
    afterwards = (await report_on(task)).afterwards
    assert [(one.position, one.url, one.touches.everybody, one.touches.human) for one in afterwards.links] == [
        (None, None, 3, 2), (1, "https://shop.de/sale", 2, 2),
    ]  # fmt: skip
    assert sum(one.touches.times for one in afterwards.links) == afterwards.clicks.times == 5
    assert sum(one.touches.human_times for one in afterwards.links) == afterwards.clicks.human_times == 4


@pytest.mark.parametrize("late", [7, 10, 3])
async def test_it_never_ends_before_the_last_one_may_leave(database: Database, tenants: Tenants, late: int) -> None:
    """A page knows its next time alone: neighbours in other zones come later, and one may be put off by policy."""
    task = await sending_task(database, tenants.alice.id, 10, page=5)
    await task.become("accepted", 1, 2, 6)
    hour = "UPDATE deliveries SET not_before = now() + make_interval(hours => %s) WHERE task_id = %s AND seq = ANY(%s)"
    await change(database, hour, 1, task.id, [8, 9])
    await change(database, hour, 9, task.id, [late])
    if late < 6:  # whoever is put off makes their page wait when all the others of it have their end
        await task.become("accepted", 4, 5)
        nine = "UPDATE task_pages SET next_at = now() + interval '9 hours' WHERE task_id = %s AND number = 1"
        await change(database, nine, task.id)
    report = await report_on(task)
    [told] = await rows(database, "SELECT max(not_before) AS latest FROM deliveries WHERE task_id = %s", task.id)
    assert report.estimated_end() == told["latest"]


async def test_a_campaign_is_the_sum_of_its_tasks(database: Database, tenants: Tenants) -> None:
    one = await sending_task(database, tenants.alice.id, 10)
    two = await sending_task(database, tenants.alice.id, 5)
    await change(database, "UPDATE campaign_tasks SET campaign_id = %s WHERE id = %s", one.campaign_id, two.id)
    await one.become("accepted", 1, 2)
    await two.become("accepted", 1)
    await one.touch("open", 1)
    await two.touch("open", 1)
    report = await Reports(database).of_campaign(tenants.alice.id, one.campaign_id)
    assert [(one.audience, one.counts["accepted"]) for one in report.tasks] == [(5, 1), (10, 2)]
    assert (report.counts["accepted"], report.counts["pending"], report.opens.human) == (3, 12, 2)


async def test_a_task_of_another_tenant_is_not_there(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.decoy.id, 5)
    for ask in (Reports(database).of_task(tenants.alice.id, task.id, None),
                Reports(database).of_campaign(tenants.alice.id, task.campaign_id)):  # fmt: skip
        with pytest.raises(NotFound):
            await ask
    assert await lines_of(task) == []


@pytest.mark.parametrize(("hours", "bucket"), [(1, Bucket.MINUTE), (30, Bucket.HOUR), (24 * 20, Bucket.DAY)])
async def test_the_bucket_follows_the_age(database: Database, tenants: Tenants, hours: int, bucket: Bucket) -> None:
    task = await sending_task(database, tenants.alice.id, 5)
    await age(database, task.id, timedelta(hours=hours))
    _, chosen = await Reports(database).of_task(tenants.alice.id, task.id, None)
    assert chosen is bucket


async def test_too_many_buckets_are_refused(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, 5)
    await age(database, task.id, timedelta(days=3))
    with pytest.raises(Invalid, match="1 days"):
        await Reports(database).of_task(tenants.alice.id, task.id, Bucket.MINUTE)
    _, chosen = await Reports(database).of_task(tenants.alice.id, task.id, Bucket.HOUR)
    assert chosen is Bucket.HOUR


async def age(database: Database, task_id: UUID, by: timedelta) -> None:
    await change(database, "UPDATE campaign_tasks SET started_at = started_at - %s WHERE id = %s", by, task_id)


async def test_before_there_is_an_audience_nothing_is_counted(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, 5)
    for table in ("deliveries", "task_pages"):
        await change(database, f"DELETE FROM {table} WHERE task_id = %s", task.id)
    await change(database, "UPDATE campaign_tasks SET audience = NULL WHERE id = %s", task.id)
    report = await report_on(task)
    assert (report.audience, Counter(report.counts).total(), report.reasons) == (None, 0, [])
