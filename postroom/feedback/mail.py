"""Reads what mail servers send back: delivery reports (RFC 3464, qmail's own) and complaints (RFC 5965)."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from email.message import Message
from enum import StrEnum
from uuid import UUID

from postroom.feedback.parts import Part, groups, leaves, opened
from postroom.feedback.report import Kind, Report, bounce, delivery_named, enhanced_of
from postroom.feedback.return_paths import ForgedError, ReturnPaths

SOURCE_DSN, SOURCE_ARF = "dsn", "arf"
RECIPIENTS = 50  # of one report; ours go to one
AT_ONCE = 2  # mails that are read beside each other: whoever knows a bounce address may send a thousand bad ones
ADDRESSED = ("to", "delivered-to", "x-original-to", "envelope-to", "x-failed-recipients")
# The library's own reader of address lists follows brackets inside brackets.
_ADDRESS = re.compile(r"[^\s<>(),;:\"@]{1,100}@[^\s<>(),;:\"@]{1,255}")
_QMAIL = "Hi. This is the"  # how every report begins (cr.yp.to/proto/qsbmf.txt)
_QMAIL_PARAGRAPH = re.compile(r"<([^<>\s]{3,320})>:[ \t]*\n((?:[^\n]+\n?)+)")
_QMAIL_COPY = re.compile(r"^--- .*$", re.MULTILINE)
_RETURNED = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers"})


class Outcome(StrEnum):
    """What a mail turned out to be."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"
    FORGED = "forged"  # it poses as the answer to a message of ours
    NOT_A_REPORT = "not_a_report"


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, and what it says about messages of ours."""

    outcome: Outcome
    reports: Sequence[Report] = field(default_factory=tuple)


class MailReader:
    """Reads mails; a message is named by its return path, or by its Message-ID together with its recipient."""

    def __init__(self, returns: ReturnPaths) -> None:
        self._returns = returns
        self._desks = asyncio.Semaphore(AT_ONCE)

    async def read_aside(self, raw: bytes) -> Reading:
        """Read one mail beside the event loop; of many that come at once, the others wait."""
        async with self._desks:
            return await asyncio.to_thread(self.read, raw)

    def read(self, raw: bytes) -> Reading:
        """Read one mail, however it is made; never raises for what it holds."""
        whole = opened(raw)
        parts = list(leaves(whole))
        status = next((part for part in parts if part.kind == "message/delivery-status"), None)
        complaint = next((part for part in parts if part.kind == "message/feedback-report"), None)
        returned = _returned(parts)
        try:
            if complaint:
                return self._complaint(whole, groups(complaint.text()), returned)
            if status:
                named = self._named(_addresses(whole), returned)
                return Reading(Outcome.BOUNCE, [*_told(groups(status.text()), named)])
            if (text := parts[0].text().lstrip() if parts else "").startswith(_QMAIL):
                return self._from_qmail(whole, text)
        except ForgedError:
            return Reading(Outcome.FORGED)
        return Reading(Outcome.AUTO_REPLY if _is_auto_reply(whole) else Outcome.NOT_A_REPORT)

    def _complaint(self, whole: Part, said: Sequence[Message], returned: Part | None) -> Reading:
        fields = said[0] if said else Message()
        if _word(fields.get("feedback-type", "")) not in {"abuse", "fraud", "virus", "other"}:
            return Reading(Outcome.COMPLAINT)  # not-spam, or a kind made up later
        sender = [str(fields.get("original-mail-from", ""))]
        delivery_id, proven = self._named([*sender, *_addresses(whole)], returned)
        if delivery_id is None:
            return Reading(Outcome.COMPLAINT)
        recipient = _mailbox(str(fields.get("original-rcpt-to", ""))) or None
        report = Report(Kind.COMPLAINED, delivery_id, SOURCE_ARF, proven=proven)
        # Providers that keep complainers private cut the address short: then the Message-ID has to do.
        whole_address = recipient is not None and "redact" not in recipient and not recipient.startswith("@")
        return Reading(Outcome.COMPLAINT, [replace(report, recipient=recipient if whole_address else None)])

    def _from_qmail(self, whole: Part, text: str) -> Reading:
        report, *copy = _QMAIL_COPY.split(text, 1)
        named = self._named(_addresses(whole), opened(copy[0].encode()) if copy else None)
        return Reading(Outcome.BOUNCE, [*_paragraphs(report, named)])

    def _named(self, addresses: Sequence[str], returned: Part | None) -> tuple[UUID | None, bool]:
        """Find the delivery a mail is about, and whether a token of ours proves it; raises ForgedError."""
        sender = [returned.field("return-path")] if returned else []
        for address in [*addresses, *sender]:
            if delivery_id := self._returns.read(address):
                return delivery_id, True
        return (delivery_named(returned.field("message-id")) if returned else None), False


def _told(said: Sequence[Message], named: tuple[UUID | None, bool]) -> Iterator[Report]:
    """Read the groups about recipients; the first group is about the message."""
    delivery_id, proven = named
    if delivery_id is None:
        return
    for fields in said[1 : RECIPIENTS + 1]:
        recipient = _mailbox(str(fields.get("original-recipient") or fields.get("final-recipient") or ""))
        report = _by_action(fields, delivery_id)
        if report and (proven or recipient):
            yield replace(report, recipient=recipient, proven=proven)


def _by_action(fields: Message, delivery_id: UUID) -> Report | None:
    action, words = _word(fields.get("action", "")), " ".join(str(fields.get("diagnostic-code", "")).split())
    enhanced = enhanced_of(str(fields.get("status", "")), words)
    match action:
        case "failed":
            return bounce(delivery_id, SOURCE_DSN, (enhanced, True, words.partition(";")[2].strip() or words))
        case "delayed":
            return Report(Kind.DELAYED, delivery_id, SOURCE_DSN, permanent=False, enhanced=enhanced)
        case "delivered":
            return Report(Kind.DELIVERED, delivery_id, SOURCE_DSN)
    return None  # relayed and expanded say that nobody will say more


def _paragraphs(text: str, named: tuple[UUID | None, bool]) -> Iterator[Report]:
    delivery_id, proven = named
    if delivery_id is None:
        return
    for found in list(_QMAIL_PARAGRAPH.finditer(text))[:RECIPIENTS]:
        words = " ".join(found[2].split())
        report = bounce(delivery_id, SOURCE_DSN, (enhanced_of(words), True, words))
        yield replace(report, recipient=found[1], proven=proven)


def _returned(parts: Sequence[Part]) -> Part | None:
    """Find the header of the message that came back."""
    part = next((part for part in reversed(parts) if part.kind in _RETURNED), None)
    return part and opened(part.text().encode())


def _addresses(whole: Part) -> list[str]:
    fields = [str(value)[:2_000] for name in ADDRESSED for value in whole.head.get_all(name, [])[:20]]
    return [address for field in fields for address in _ADDRESS.findall(field)]


def _mailbox(text: str) -> str:
    """Read `rfc822; a@b`, `<a@b>` or `a@b`."""
    return text.rpartition(";")[2].strip().strip("<>").strip()


def _word(text: object) -> str:
    return str(text).strip().lower()


def _is_auto_reply(whole: Part) -> bool:
    submitted = whole.field("auto-submitted").lower()
    if submitted and not submitted.startswith("no"):
        return True
    precedence = whole.field("precedence").lower() in {"auto_reply", "bulk", "junk"}
    return precedence or any(
        whole.head.get(name) for name in ("x-autoreply", "x-autorespond", "x-auto-response-suppress")
    )
