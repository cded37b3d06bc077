"""Conditions on what came of earlier bulk sends. Only what a person did counts, not what a machine did for them."""

from collections.abc import Mapping

from postroom.audiences.draft import Draft, members
from postroom.database.wording import listed
from postroom.errors import Invalid, NotFound
from postroom.identity import TASK, parse_id
from postroom.tracking.meaning import CLICK, MEANT, OPEN

LONGEST_DAYS = 3_650

# A recipient `r` of a bulk send, and their message `d`; `{of}` says of which sends.
SENT = """SELECT FROM task_recipients r JOIN deliveries d ON d.id = r.delivery_id
WHERE r.tenant_id = k.tenant_id AND r.user_id = k.user_id AND {of}"""
TOUCHED = "EXISTS (SELECT FROM delivery_touches t WHERE t.delivery_id = r.delivery_id AND t.machine IS NULL"
OPENED = f"{TOUCHED} AND t.kind IN {listed(MEANT[OPEN])}{{since}})"
CLICKED = f"{TOUCHED} AND t.kind IN {listed(MEANT[CLICK])}{{since}})"

OF_A_TASK = {
    "accepted": f"EXISTS ({SENT} AND d.state = 'accepted')",
    "failed": f"EXISTS ({SENT} AND d.state IN ('rejected', 'failed', 'expired'))",
    "opened": f"EXISTS ({SENT} AND {OPENED})",
    "not_opened": f"EXISTS ({SENT} AND d.state = 'accepted' AND NOT {OPENED})",
    "clicked": f"EXISTS ({SENT} AND {CLICKED})",
    "not_clicked": f"EXISTS ({SENT} AND d.state = 'accepted' AND NOT {CLICKED})",
}
RECEIVED = f"EXISTS ({SENT} AND d.state = 'accepted' AND d.ended_at > {{cut}})"
OF_LATE = {
    "received": RECEIVED,
    "not_received": f"NOT {RECEIVED}",
    "opened": f"EXISTS ({SENT} AND {OPENED})",
    "not_opened": f"({RECEIVED} AND NOT EXISTS ({SENT} AND {OPENED}))",
    "clicked": f"EXISTS ({SENT} AND {CLICKED})",
    "not_clicked": f"({RECEIVED} AND NOT EXISTS ({SENT} AND {CLICKED}))",
}


def task(draft: Draft, value: object, place: str) -> str:
    """Compile `{"id": "task_...", "did": "not_opened"}`: openers and others of one earlier task.

    Who did not open or click is somebody whose message was accepted; the others never had the chance.
    """
    told = members(value, place, ("id", "did"))
    did = _word(told["did"], f"{place}/did", OF_A_TASK)
    try:
        task_id = parse_id(TASK, told["id"] if isinstance(told["id"], str) else "")
    except NotFound as error:
        raise Invalid.at(f"{place}/id", "task_not_found", error.detail) from error
    draft.tasks.append((task_id, f"{place}/id"))
    return did.format(of=f"r.task_id = {draft.bind(task_id)}::uuid", since="")


def activity(draft: Draft, value: object, place: str) -> str:
    """Compile `{"did": "opened", "within_days": 30}`: what came of all bulk sends in these days, up to now.

    Who did not open or click is somebody who received at least one message in these days.
    """
    told = members(value, place, ("did", "within_days"))
    did = _word(told["did"], f"{place}/did", OF_LATE)
    days = told["within_days"]
    if isinstance(days, bool) or not isinstance(days, int):
        raise Invalid.at(f"{place}/within_days", "wrong_type", "This must be a whole number.")
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid.at(f"{place}/within_days", "out_of_range", f"From 1 to {LONGEST_DAYS}.")
    cut = f"now() - make_interval(days => {draft.bind(days)}::integer)"
    return did.format(of="true", cut=cut, since=f" AND t.at > {cut}")


def _word(value: object, place: str, known: Mapping[str, str]) -> str:
    if not isinstance(value, str) or value not in known:
        raise Invalid.at(place, "unknown_value", f"One of {', '.join(known)}.")
    return known[value]
