"""Reads the form of a person's page; a name that was not asked about says nothing."""

from urllib.parse import parse_qs

from postroom.contracts.vocabulary import ChannelKind
from postroom.person_pages.sheet import SHOWN, Answers, PauseChoice
from postroom.policy.preferences import Frequency

FIELDS = 5_000


def read_form(body: bytes) -> Answers:
    """Read what a browser posts; a field that cannot be read was not answered.

    A box that is not ticked is not sent: `shown` names each box that was there to be ticked.
    """
    try:
        fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=FIELDS)
    except ValueError:
        fields = {}
    shown, ticked = set(fields.get("shown", ())), set(fields.get("on", ()))
    frequencies = {
        name.removeprefix("frequency."): Frequency(values[-1])
        for name, values in fields.items()
        if name.startswith("frequency.") and values[-1] in set(Frequency)
    }
    pause = fields.get("pause", ["keep"])[-1]
    return Answers(
        on={place: box in ticked for box in shown if (place := _place(box))},
        frequencies=frequencies,
        marketing="marketing" in ticked if "marketing" in shown else None,
        pause=PauseChoice(pause) if pause in set(PauseChoice) else PauseChoice.KEEP,
    )


def _place(box: str) -> tuple[str, ChannelKind] | None:
    channel, _, name = box.partition(".")
    return (name, ChannelKind(channel)) if name and channel in SHOWN else None
