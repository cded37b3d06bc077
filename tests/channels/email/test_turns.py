"""Inside a priority the tenants take turns: the few of one do not wait for the pages of another."""

from uuid import UUID

from postroom.channels.email.conversation import Letter
from postroom.channels.email.errand import Errand, Queue
from postroom.contracts.vocabulary import Priority
from postroom.identity import new_id
from tests.channels.email.conftest import Marker

MANY, FEW = new_id(), new_id()


def errand(name: str, tenant_id: UUID, priority: Priority = Priority.LOW) -> Errand:
    return Errand(Letter("us@example.com", f"{name}@example.com", b"", priority, tenant_id), Marker())


def order(queue: Queue) -> list[str]:
    return [one.letter.recipient.partition("@")[0] for one in iter(queue.next, None)]


async def test_tenants_take_turns() -> None:
    queue = Queue()
    for one in [errand(f"many{n}", MANY) for n in range(4)] + [errand(f"few{n}", FEW) for n in range(2)]:
        queue.put(one)
    queue.put(errand("urgent", MANY, Priority.HIGH))
    assert order(queue) == ["urgent", "many0", "few0", "many1", "few1", "many2", "many3"]
    assert not queue


async def test_who_is_put_back_goes_first() -> None:
    queue = Queue()
    for one in (errand("many0", MANY), errand("many1", MANY), errand("few0", FEW)):
        queue.put(one)
    first = queue.next()
    assert first is not None
    queue.put_back(first)
    assert order(queue) == ["many0", "few0", "many1"]


async def test_who_gave_up_costs_nobody_else_a_turn() -> None:
    queue = Queue()
    gone = errand("gone", MANY)
    for one in (gone, errand("few0", FEW), errand("many1", MANY)):
        queue.put(one)
    gone.given_up = True
    assert order(queue) == ["few0", "many1"]
    assert not queue
