"""What is suppressed is not sent, and nothing else is held back with it."""

import pytest

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.errors import Invalid
from postroom.identity import address_hash
from postroom.suppressions.entry import Entry, Reason, Source, check_scope
from postroom.suppressions.service import Suppressions
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.house import PEPPER, gather, outfit, pass_over, send
from tests.fixtures.ledger import claimed
from tests.fixtures.rows import Draft, accepted, change, notification

TIMING = Timing()
TYPE = """
INSERT INTO notification_types (tenant_id, name, group_name, class) VALUES (%s, 'news', 'digests', 'transactional')
"""


@pytest.mark.parametrize(
    ("scope", "of_class", "of_type", "end"),
    [
        ("all", "transactional", None, "skipped"),
        ("marketing", "marketing", None, "skipped"),
        ("marketing", "transactional", None, "sent"),
        ("type:news", "transactional", "news", "skipped"),
        ("type:news", "transactional", "alarm", "sent"),
        ("group:digests", "transactional", "news", "skipped"),
        ("group:alarms", "transactional", "news", "sent"),
    ],
)
async def test_a_scope_holds_back_what_it_names(  # noqa: PLR0913, PLR0917 - a table
    database: Database, tenants: Tenants, scope: str, of_class: str, of_type: str | None, end: str
) -> None:
    await change(database, TYPE, tenants.alice.id)
    entry = Entry(ChannelKind.IN_APP, "ada", scope)
    await Suppressions(database, PEPPER).add(tenants.alice.id, [entry], Source.API)
    one = await accepted(database, Draft(tenants.alice.id, message_class=of_class))
    await change(database, "UPDATE notifications SET notification_type = %s WHERE id = %s", of_type, one)
    await gather(database, TIMING, tenants.alice.id)
    carrier = (await notification(database, one))["carrier_id"]
    await send(outfit(database, TIMING), pass_over(tenants.alice.id, carrier))
    assert (await notification(database, one))["state"] == end


@pytest.mark.parametrize(("scope", "marked"), [("all", False), ("marketing", True), ("type:other", True)])
async def test_what_is_suppressed_after_the_claim_is_refused_by_the_mark(
    database: Database, tenants: Tenants, scope: str, *, marked: bool
) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    entry = Entry(ChannelKind.IN_APP, "ada", scope)
    await Suppressions(database, PEPPER).add(tenants.alice.id, [entry], Source.API)
    assert await bench.ledger.mark(bench.claim, b"bytes", "relay") is marked


async def test_the_first_reason_stays(database: Database, tenants: Tenants) -> None:
    lists = Suppressions(database, PEPPER)
    for reason, new in ((Reason.BOUNCED, 1), (Reason.COMPLAINED, 0)):
        entry = Entry(ChannelKind.EMAIL, "ada@shop.de", reason=reason)
        assert (await lists.add(tenants.alice.id, [entry, entry], Source.API)).new == new
    [standing] = await lists.check(tenants.alice.id, ChannelKind.EMAIL, "Ada@Shop.de")
    assert standing.reason == Reason.BOUNCED
    assert await lists.remove_address(tenants.decoy.id, ChannelKind.EMAIL, "ada@shop.de") == 0
    assert await lists.remove_address(tenants.alice.id, ChannelKind.EMAIL, "ada@shop.de", "marketing") == 0
    assert await lists.remove_address(tenants.alice.id, ChannelKind.EMAIL, "ada@shop.de") == 1


def test_only_an_addresss_case_does_not_matter() -> None:
    assert address_hash(PEPPER, "email", " Ada@shop.de") == address_hash(PEPPER, "email", "ada@SHOP.de")
    assert address_hash(PEPPER, "in_app", "Ada") != address_hash(PEPPER, "in_app", "ada")


@pytest.mark.parametrize(
    "text", ["", "everything", "type:", "type:a\nb", "type:\ud800", "group:" + "x" * 65, "Marketing", "all "]
)
def test_a_scope_that_no_message_has_is_none(text: str) -> None:
    with pytest.raises(Invalid):
        check_scope(text)
