"""What becomes of each line of a piece of an import: decided from what is known, without writing anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from postroom.contact_files.models import Mode, Outcome
from postroom.contact_files.rows import Problem, Row
from postroom.contacts import consent
from postroom.contacts.person import Contact
from postroom.contacts.service import ATTRIBUTES_BYTES
from postroom.contacts.tags import MOST

SUPERSEDED = "A later line speaks of the same person, and that one stands."
ERASED = "This person was erased, or whoever had this address; a file does not bring them back."
EXISTS = "The contact is there already, and this import only makes new ones."
UNKNOWN = "There is no such contact, and this import makes no new ones."
TOO_MANY_TAGS = f"Together there would be more than {MOST} tags."
TOO_LARGE = f"Together there would be more than {ATTRIBUTES_BYTES} bytes of attributes."


@dataclass(frozen=True, slots=True)
class Terms:
    """What an import was asked to be."""

    columns: Sequence[str]
    delimiter: str
    mode: Mode = Mode.UPSERT
    tags: Sequence[str] = ()
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the people of a piece: contacts by user_id, who was erased, and whom it met before."""

    contacts: Mapping[str, Contact]
    erased: frozenset[str]
    met: Mapping[str, tuple[int, Outcome]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A contact as it is to be, with the consent that is new in it, and the tags it gets."""

    contact: Contact
    changes: Sequence[tuple[str, Any, Any]]
    tags: Sequence[str]


@dataclass(slots=True)
class Verdict:
    """What comes of a piece: entries to write, an outcome for each person, problems to tell and lines to count."""

    made: list[Entry] = field(default_factory=list)
    changed: list[Entry] = field(default_factory=list)
    people: dict[str, tuple[int, Outcome]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, outcome: Outcome, more: int = 1) -> None:
        """Count lines."""
        self.counts[outcome] = self.counts.get(outcome, 0) + more


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides about the rows of one import."""

    terms: Terms
    received_at: datetime

    def decide(self, rows: Sequence[Row], known: Known) -> Verdict:
        """Decide about the sound rows of a piece, in their order."""
        verdict, standing = Verdict(), dict[str, Row]()
        for row in rows:
            if row.user_id in known.erased:
                self._reject(verdict, row, ("user_id", "erased", ERASED))
                continue
            if earlier := standing.pop(row.user_id, None):
                self._supersede(verdict, earlier.line)
            standing[row.user_id] = row
        for row in standing.values():
            self._place(verdict, row, known)
        return verdict

    def _place(self, verdict: Verdict, row: Row, known: Known) -> None:
        contact, met = known.contacts.get(row.user_id), known.met.get(row.user_id)
        mine = met is not None and met[1] is Outcome.CREATED
        if refusal := self._refusal(contact is not None or mine, mine=mine):
            outcome = Outcome.SKIPPED
            verdict.problems.append(Problem(row.line, "user_id", *refusal))
        else:
            entry, is_other = self._entry(row, contact)
            if problem := _excess(row, entry):
                self._reject(verdict, row, problem)
                return
            if contact is None:
                verdict.made.append(entry)
            elif is_other:
                verdict.changed.append(entry)
            outcome = _outcome(is_new=contact is None or mine, is_other=is_other, met=met)
        if met is not None:
            self._supersede(verdict, met[0])
            verdict.count(met[1], -1)
        verdict.people[row.user_id] = (row.line, outcome)
        verdict.count(outcome)

    def _refusal(self, exists: bool, *, mine: bool) -> tuple[str, str] | None:  # noqa: FBT001 - one of two, named
        if self.terms.mode is Mode.INSERT and exists and not mine:
            return "contact_exists", EXISTS
        return ("contact_unknown", UNKNOWN) if self.terms.mode is Mode.UPDATE and not exists else None

    def _entry(self, row: Row, contact: Contact | None) -> tuple[Entry, bool]:
        """Return a contact with what a row says of it, and whether that is different."""
        before = contact or Contact(row.user_id, {}, None, None, {}, {}, None, self.received_at, self.received_at)
        agreed = before.consent
        if row.consent:
            agreed = consent.merged(agreed, row.consents(agreed, self.received_at))
        after = Contact(
            row.user_id,
            {**before.addresses, **row.addresses},
            row.time_zone or before.time_zone,
            row.language or before.language,
            {**before.attributes, **row.attributes},
            agreed,
            before.quiet_hours,
            before.created_at,
            before.updated_at,
            before.tags,
        )
        new_tags = [tag for tag in dict.fromkeys((*row.tags, *self.terms.tags)) if tag not in before.tags]
        changes = list(consent.changes(before.consent, agreed)) if row.consent else []
        entry = Entry(after, changes, new_tags)
        return entry, after != before or bool(new_tags)

    @staticmethod
    def _reject(verdict: Verdict, row: Row, problem: tuple[str | None, str, str]) -> None:
        verdict.problems.append(Problem(row.line, *problem))
        verdict.count(Outcome.REJECTED)

    @staticmethod
    def _supersede(verdict: Verdict, line: int) -> None:
        verdict.problems.append(Problem(line, "user_id", "superseded", SUPERSEDED))
        verdict.count(Outcome.SUPERSEDED)


def _excess(row: Row, entry: Entry) -> tuple[str | None, str, str] | None:
    """Say of what there would be too much, though no cell is too long."""
    if row.attributes and len(to_json(entry.contact.attributes)) > ATTRIBUTES_BYTES:
        return None, "attributes_too_large", TOO_LARGE
    if entry.tags and len(entry.contact.tags) + len(entry.tags) > MOST:
        return "tags", "too_many_tags", TOO_MANY_TAGS
    return None


def _outcome(*, is_new: bool, is_other: bool, met: tuple[int, Outcome] | None) -> Outcome:
    """Of two lines about one person the later one tells what the file as a whole did."""
    if is_new:
        return Outcome.CREATED
    return Outcome.UPDATED if is_other or (met and met[1] is Outcome.UPDATED) else Outcome.UNCHANGED
