"""A service's quotas hold over all processes; over quota nobody is dropped; a new service is warmed up."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.channels.base import Verdict
from postroom.limits.allowance import Allowance
from postroom.sender_services.allowing import WarmUp, allowance_of, days_between
from tests.channels.email.conftest import Net
from tests.sender_services.office import Office, called


async def test_two_processes_never_send_more_than_the_day_allows(office: Office, net: Net) -> None:
    server = await net.serve()
    await office.service(f"smtp://127.0.0.1:{server.port}", limits=Allowance(per_day=20))
    async with office.worker() as one, office.worker() as other:
        sent = [worker.send(office.parcel()) for worker in (one, other) for _ in range(30)]
        answers = await asyncio.gather(*sent)
    assert Counter(answer.verdict for answer in answers) == {Verdict.ACCEPTED: 20, Verdict.UNAVAILABLE: 40}
    assert len(server.received) == 20
    put_off = [answer for answer in answers if answer.verdict is Verdict.UNAVAILABLE]
    assert {answer.reason for answer in put_off} == {"provider_daily_limit"}
    assert all(answer.pace and answer.retry_after for answer in put_off)


async def test_over_the_quota_of_an_hour_it_says_when_the_next_begins(office: Office, net: Net) -> None:
    server = await net.serve()
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}", limits=Allowance(per_hour=1))
    async with office.worker() as worker:
        assert (await worker.send(office.parcel())).verdict is Verdict.ACCEPTED
        full = await worker.send(office.parcel())
    assert (full.verdict, full.reason, full.provider) == (Verdict.UNAVAILABLE, "provider_limit", called(service_id))
    assert full.retry_after is not None
    assert full.pace is not None
    assert full.retry_after <= timedelta(hours=1) == full.pace.every
    assert (await office.row(service_id))["status"] == "active", "a quota is no illness"


async def test_what_is_full_leaves_the_mail_to_another(office: Office, net: Net) -> None:
    small, large = await net.serve(), await net.serve()
    await office.service(f"smtp://127.0.0.1:{small.port}", limits=Allowance(per_day=2), weight=100)
    await office.service(f"smtp://127.0.0.1:{large.port}", weight=1)
    async with office.worker() as worker:
        answers = [await worker.send(office.parcel()) for _ in range(10)]
    assert {answer.verdict for answer in answers} == {Verdict.ACCEPTED}
    assert (len(small.received), len(large.received)) == (2, 8)


async def test_usage_says_what_is_left_and_until_when(office: Office, net: Net) -> None:
    server = await net.serve()
    limits = Allowance(per_hour=10, per_day=40, zone="Asia/Shanghai")
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}", limits=limits)
    async with office.worker() as worker:
        for _ in range(3):
            await worker.send(office.parcel())
    usage = await office.services.usage(office.tenant.id, service_id)
    assert [(one.window, one.limit, one.used) for one in usage.windows] == [("hour", 10, 3), ("day", 40, 3)]
    resets = usage.windows[1].resets_at.astimezone(UTC)
    assert (resets.hour, resets.minute, usage.warm_up_day) == (16, 0, None)


async def test_a_new_service_begins_with_less_than_its_quota(office: Office, net: Net) -> None:
    server = await net.serve()
    wishes: dict[str, Any] = {"limits": Allowance(per_day=100), "warm_up": WarmUp(2, 2.0)}
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}", **wishes)
    async with office.worker() as worker:
        answers = [await worker.send(office.parcel()) for _ in range(3)]
        assert [answer.verdict for answer in answers] == [Verdict.ACCEPTED, Verdict.ACCEPTED, Verdict.UNAVAILABLE]
    usage = await office.services.usage(office.tenant.id, service_id)
    assert (usage.windows[0].limit, usage.warm_up_day) == (2, 1)
    earlier = "UPDATE sender_services SET warm_up_since = now() - interval '2 days' WHERE id = %s"
    await office.adjust(earlier, service_id)
    async with office.worker() as worker:
        answers = [await worker.send(office.parcel()) for _ in range(7)]
    assert Counter(answer.verdict for answer in answers) == {Verdict.ACCEPTED: 6, Verdict.UNAVAILABLE: 1}


def test_a_ramp_grows_by_its_factor_and_ends_at_the_full_quota() -> None:
    ramp = WarmUp(50, 2.0)
    assert [ramp.limit(day, 1_000) for day in range(7)] == [50, 100, 200, 400, 800, 1_000, 1_000]
    assert WarmUp(1, 1.000001).limit(10_000, 5_000) == 5_000
    assert WarmUp(100_000_000, 100.0).limit(300, 100_000_000) == 100_000_000


@pytest.mark.parametrize(
    ("zone", "days"), [("UTC", 1), ("Asia/Shanghai", 1), ("America/New_York", 0), ("Pacific/Kiritimati", 1)]
)
def test_a_ramp_grows_at_the_midnights_of_the_zone(zone: str, days: int) -> None:
    since, now = datetime(2026, 11, 20, 9, 30, tzinfo=UTC), datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
    assert days_between(since, now, zone) == days
    row: dict[str, Any] = {"per_second": None, "per_minute": None, "per_hour": None, "per_day": 50, "time_zone": zone}
    row |= {"warm_up_start": 10, "warm_up_factor": 2.0, "warm_up_since": since}
    assert allowance_of(row, now) == Allowance(per_day=10 * 2**days, zone=zone)
