"""Reads the form of a person's page; what was not asked about, or was not touched, says nothing."""

from urllib.parse import parse_qs

from postroom.contracts.vocabulary import ChannelKind
from postroom.person_pages.sheet import SHOWN, Answers, PauseChoice
from postroom.policy.preferences import Frequency

FIELDS = 5_000


def read_form(body: bytes) -> Answers:
    """Read what a browser posts; a field that cannot be read was not answered.

    A box that is not ticked is not sent: `shown` names each box that was there to be ticked, and `was` those that were
    already. A page may lie open for days while its person unsubscribes elsewhere: only what they touched counts.
    """
    try:
        fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=FIELDS)
    except ValueError:
        fields = {}
    shown, was, ticked = (set(fields.get(name, ())) for name in ("shown", "was", "on"))
    touched = shown & (was ^ ticked)
    frequencies = {
        name.removeprefix("frequency."): Frequency(values[-1])
        for name, values in fields.items()
        if name.startswith("frequency.") and values[-1] in set(Frequency) - set(fields.get(f"was.{name}", ()))
    }
    pause = fields.get("pause", ["keep"])[-1]
    return Answers(
        on={place: box in ticked for box in touched if (place := _place(box))},
        frequencies=frequencies,
        marketing="marketing" in ticked if "marketing" in touched else None,
        pause=PauseChoice(pause) if pause in set(PauseChoice) else PauseChoice.KEEP,
    )


def _place(box: str) -> tuple[str, ChannelKind] | None:
    channel, _, name = box.partition(".")
    return (name, ChannelKind(channel)) if name and channel in SHOWN else None
