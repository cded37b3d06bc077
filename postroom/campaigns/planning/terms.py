"""The terms of a task as a caller writes them: whom, what, from whom, when; and the one spelling their hash is of."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from postroom.campaigns.models import Task
from postroom.campaigns.planning.plan import AT_ONCE, UNHURRIED, Pace, Plan
from postroom.channels.email.addresses import clean_address, parse_sender
from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.errors import Invalid, NotFound
from postroom.identity import SENDER_SERVICE, parse_id

CHANNELS = frozenset({ChannelKind.EMAIL})
CLASSES = frozenset({MessageClass.MARKETING, MessageClass.TRANSACTIONAL})


@dataclass(frozen=True, slots=True)
class Choice:
    """One content among those that recipients get: a template by name or id, or a set of them."""

    text: str
    pointer: str
    is_set: bool = False
    version: int | None = None
    label: str = "default"
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Terms:
    """What may change while a task is a draft; without a class or a life, those of its type and class are meant."""

    name: str
    channel: str
    rule: Mapping[str, Any]
    content: Mapping[str, Any]
    sender: Mapping[str, Any] = field(default_factory=dict)
    plan: Plan = AT_ONCE
    pace: Pace = UNHURRIED
    tracking: Mapping[str, bool] = field(default_factory=dict)
    message_class: str | None = None
    notification_type: str | None = None
    time_to_live: timedelta | None = None

    @classmethod
    def of(cls, task: Task) -> Self:
        """Read the terms of a task that is there."""
        return cls(
            name=task.name,
            channel=task.channel,
            rule=task.rule,
            content=task.content,
            sender=task.sender,
            plan=Plan.read(task.plan),
            pace=Pace.read(task.pace),
            tracking={name: bool(value) for name, value in task.tracking.items()},
            message_class=task.message_class,
            notification_type=task.notification_type,
            time_to_live=task.time_to_live,
        )

    def checks(self, now: datetime) -> Iterator[Invalid]:
        """Yield everything that is wrong with them whatever the tenant has."""
        checks: Sequence[Callable[[], None]] = (
            self._check_channel,
            lambda: self.plan.check(now),
            lambda: self.pace.check(self.plan, now),
            self._check_sender,
        )
        for check in checks:
            try:
                check()
            except Invalid as error:
                yield error

    def _check_channel(self) -> None:
        if self.channel not in CHANNELS:
            raise Invalid.at("/channel", "channel_not_supported", "A task sends e-mail.")
        if self.message_class is not None and self.message_class not in CLASSES:
            raise Invalid.at("/class", "class_not_supported", "A task is marketing or transactional.")

    def _check_sender(self) -> None:
        readers: Mapping[str, Callable[[str], object]] = {"from": parse_sender, "reply_to": clean_address}
        for name, read in readers.items():
            if (text := self.sender.get(name)) is None:
                continue
            try:
                read(text)
            except Invalid as error:
                code = "invalid_sender" if error.code == "invalid_recipient" else error.code
                raise Invalid.at(f"/sender/{name}", code, error.detail) from None
        for position, text in enumerate(self.sender.get("services", ())):
            try:
                parse_id(SENDER_SERVICE, text)
            except NotFound as error:
                raise Invalid.at(f"/sender/services/{position}", "sender_service_not_found", error.detail) from None

    @property
    def tracked(self) -> dict[str, bool]:
        """What is tracked: what was asked for, and for the rest everything in marketing and nothing else."""
        usual = self.message_class == MessageClass.MARKETING
        return {name: self.tracking.get(name, usual) for name in ("opens", "clicks")}


def choices_of(content: Mapping[str, Any]) -> Sequence[Choice]:
    """Return the contents that a task's recipients get, each with its place in the body."""
    if text := content.get("template"):
        return [Choice(text, "/content/template", version=content.get("version"))]
    if text := content.get("template_set"):
        return [Choice(text, "/content/template_set", is_set=True)]
    return [
        Choice(
            one["template"],
            f"/content/variants/{position}/template",
            version=one.get("version"),
            label=one["label"],
            weight=one["weight"],
        )
        for position, one in enumerate(content["variants"])
    ]


def hash_of(task: Task, contents: Sequence[tuple[str, str, int]]) -> bytes:
    """Return what an approval is bound to: the hash of each content, its label and weight, and every term but the pace.

    SHA-256 of one canonical spelling. The pace may change while a task runs, so nobody approves it.
    """
    said = {
        "channel": task.channel,
        "class": task.message_class,
        "notification_type": task.notification_type,
        "contents": [list(one) for one in contents],
        "variables": task.content.get("variables", {}),
        "rule": task.rule,
        "sender": task.sender,
        "plan": task.plan,
        "tracking": task.tracking,
        "time_to_live": task.time_to_live.total_seconds(),
    }
    canonical = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).digest()
