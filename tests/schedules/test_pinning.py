"""A run speaks with the version that was newest when it fired; a template that may not be sent fails it by name."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from postroom.contracts.recurring import Firing
from postroom.database.engine import Database
from postroom.errors import Invalid
from postroom.schedules.opening import open_run
from postroom.schedules.paging import Pager
from postroom.schedules.pinning import pin_run
from postroom.timing import Timing
from tests.fixtures.database import Tenant, Tenants
from tests.fixtures.rows import change, rows
from tests.fixtures.schedules import NOTICE, contacts, runs_of, scheduled, speaking, terms
from tests.fixtures.templates import approved, retire, template

TIMING = Timing()
PAGER = Pager(TIMING, 10)


async def fired(database: Database, tenant: Tenant, schedule_id: UUID) -> UUID:
    firing = Firing(tenant.id, schedule_id, fire_at=datetime.now(UTC))
    async with database.tenant_transaction(tenant.id) as connection:
        run_id = await open_run(connection, firing, TIMING)
    assert run_id is not None
    return run_id


async def page(database: Database, tenant: Tenant, run_id: UUID) -> str:
    await pin_run(database, tenant.id, run_id)
    async with database.tenant_transaction(tenant.id) as connection:
        return (await PAGER.write_next(connection, run_id)).state


async def said(database: Database, tenant: Tenant) -> list[dict[str, Any]]:
    statement = "SELECT template_id, template_version, variables, title FROM notification_contents WHERE tenant_id = %s"
    return await rows(database, statement, tenant.id)


async def test_every_page_has_the_version_of_the_first(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    await contacts(database, alice, 15)
    made = await template(database, alice, "weekly", ["shop"])
    one = await scheduled(database, alice, speaking("weekly", {"shop": "Ada's"}))
    run_id = await fired(database, alice, one)
    assert await page(database, alice, run_id) == "running"
    await approved(database, alice, (made, 2), ["shop"])
    assert await page(database, alice, run_id) == "completed"
    told = await said(database, alice)
    assert {(row["template_id"], row["template_version"], row["variables"]["shop"]) for row in told} == {
        (made, 1, "Ada's")
    }
    assert await page(database, alice, await fired(database, alice, one)) == "running"
    assert {row["template_version"] for row in await said(database, alice)} == {1, 2}


async def test_a_template_that_is_approved_no_more_fails_the_run(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    await contacts(database, alice, 5)
    made = await template(database, alice, "weekly")
    one = await scheduled(database, alice, speaking("weekly"))
    await retire(database, made)
    assert await page(database, alice, await fired(database, alice, one)) == "failed"
    [run] = await runs_of(database, one)
    assert (run["reason"], run["inserted"], run["notice"]) == ("template_not_approved", 0, None)


async def test_a_version_that_wants_more_fails_the_run(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    made = await template(database, alice, "weekly")
    one = await scheduled(database, alice, speaking("weekly"))
    await approved(database, alice, (made, 2), ["shop"])
    assert await page(database, alice, await fired(database, alice, one)) == "failed"
    assert (await runs_of(database, one))[0]["reason"] == "variable_missing"


@pytest.mark.parametrize(
    "expected",
    [("nothing", "template_not_found", "/message/template"), ("weekly", "variable_missing", "/message/variables/shop")],
)
async def test_what_could_not_speak_now_is_refused_when_it_is_written(
    database: Database, tenants: Tenants, expected: tuple[str, str, str]
) -> None:
    name, code, place = expected
    await template(database, tenants.alice, "weekly", ["shop"])
    with pytest.raises(Invalid) as refused:
        await scheduled(database, tenants.alice, speaking(name))
    assert (refused.value.code, [one.pointer for one in refused.value.errors]) == (code, [place])


async def test_a_declared_type_gives_its_class(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    await contacts(database, alice, 3)
    named = replace(terms(), notice=replace(NOTICE, notification_type="weekly_news"))
    one = await scheduled(database, alice, named)
    declare = "INSERT INTO notification_types (tenant_id, name, group_name, class) VALUES (%s, %s, 'news', 'marketing')"
    await change(database, declare, alice.id, "weekly_news")
    await page(database, alice, await fired(database, alice, one))
    found = await rows(database, "SELECT class FROM notifications WHERE tenant_id = %s", alice.id)
    assert [row["class"] for row in found] == ["marketing"] * 3
    with pytest.raises(Invalid) as refused:
        await scheduled(database, alice, replace(named, notice=replace(named.notice, names_class=True)))
    assert [error.pointer for error in refused.value.errors] == ["/message/class"]
    assert refused.value.code == "class_conflicts_with_type"
