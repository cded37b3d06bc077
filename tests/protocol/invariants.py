"""What must hold in every state of the model, and across every step."""

from tests.protocol.state import IN_FLIGHT, NOWHERE, OPEN_DELIVERY, Carrier, Note, State


def violations(state: State) -> list[str]:
    """Names of what is wrong with a state; empty when all is well."""
    found = [state.broken] if state.broken else []
    for note in state.notes:
        found += note_violations(note)
        if note.state == "open" and note.carrier != NOWHERE:
            carrier = state.carriers[note.carrier]
            if carrier is None or carrier.state == "closed":
                found.append("open on a closed carrier")  # 18
    for carrier in state.carriers:
        if carrier is None or carrier.state == "closed":
            continue
        called = carrier.calling or (carrier.run is not None and (carrier.run.signal or carrier.run.at != "wait"))
        if carrier.news and not carrier.owed and not called:
            found.append("nobody owes the look")
    if state.counted >= 0 and finished(state) and not any(map(open_carrier, state.carriers)):
        sent = sum(note.state == "sent" for note in state.notes)
        found += ["job miscounted"] if state.counted != sent else []
    return found


def open_carrier(carrier: Carrier | None) -> bool:
    """Whether someone is still to be carried."""
    return carrier is not None and carrier.state == "open"


def note_violations(note: Note) -> list[str]:
    """What is wrong with one notification and its deliveries."""
    found = []
    copies = sum(row.copies for row in note.deliveries)
    if copies > 1 + sum(row.resends for row in note.deliveries):
        found.append("copy nobody decided")
    accepted = any(row.state == "accepted" for row in note.deliveries)
    if note.state == "sent" and not accepted:
        found.append("sent but not accepted")
    if note.state != "open":
        if any(row.state in IN_FLIGHT for row in note.deliveries):
            found.append("ended in flight")
        elif any(row.state in OPEN_DELIVERY for row in note.deliveries):
            found.append("ended with an open delivery")
        if copies and not accepted and not note.ambiguous:
            found.append("delivered, unsaid")
    if any(row.state in OPEN_DELIVERY or row.state == "failed" for row in note.deliveries[:-1]):
        found.append("next channel over an open one")
    return found


def step_violations(before: State, after: State) -> list[str]:
    """What a step may never do: leave accepted, or change an end into anything but sent (retry opens a failed one)."""
    found = []
    for old, new in zip(before.notes, after.notes, strict=True):
        rows = zip(old.deliveries, new.deliveries, strict=False)
        if any(was.state == "accepted" and row.state != "accepted" for was, row in rows):
            found.append("acceptance forgotten")
        if (
            old.state == "open"
            and new.state not in {"open", "sent"}
            and any(was.state == "accepted" for was in old.deliveries)
        ):
            found.append("ended against acceptance")
        if (
            old.state not in {"open", new.state}
            and new.state != "sent"
            and (old.state, new.state) != ("failed", "open")
        ):
            found.append("end changed")
    return found


def finished(state: State) -> bool:
    """Every notification is accounted for and nothing is left running."""
    if any(note.state == "open" for note in state.notes):
        return False
    return all(note.state == "sent" or all(row.state != "accepted" for row in note.deliveries) for note in state.notes)
