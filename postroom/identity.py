"""Every id, key and name that two parts of the house must spell alike is made here."""

import hashlib
import hmac
from uuid import UUID

import uuid_utils.compat

from postroom.errors import NotFound

NOTIFICATION = "notif"
DELIVERY = "dlv"
CARRIER = "carrier"
API_KEY = "key"
INBOX = "inbox"
JOB = "job"
TENANT = "tenant"
PROVIDER = "provider"
ENDPOINT = "whep"
REPLAY = "replay"
TEMPLATE = "tmpl"
TEMPLATE_SET = "tset"
DIGEST = "dig"
CLOSING = "closing"
SUPPRESSION = "supp"

EMAIL = "email"  # the channel whose addresses are not ours to spell
SCHEDULE = "sched"
SCHEDULE_RUN = "run"
SEQUENCE = "seq"
ENROLMENT = "enr"
CAMPAIGN = "camp"
TASK = "task"
SENDER_SERVICE = "svc"
MAIL_DOMAIN = "dom"
FEEDBACK_SOURCE = "fsrc"

_HEX_LENGTH = 32
_BLOCK_LENGTH = 64  # of SHA-256
_NOUNS = {
    NOTIFICATION: "notification",
    INBOX: "message in this inbox",
    ENDPOINT: "webhook endpoint",
    TEMPLATE_SET: "template set",
    DIGEST: "digest",
    SUPPRESSION: "suppression",
    SCHEDULE: "schedule",
    SEQUENCE: "sequence",
    ENROLMENT: "enrolment",
    CAMPAIGN: "campaign",
    TASK: "task",
    SENDER_SERVICE: "sender service",
    MAIL_DOMAIN: "mail domain",
    FEEDBACK_SOURCE: "feedback source",
}


def new_id() -> UUID:
    """Return a UUID version 7 (RFC 9562): ids sort by the time they were made."""
    return uuid_utils.compat.uuid7()


def public_id(prefix: str, value: UUID) -> str:
    """Spell an id for the outside: `notif_0199...`, 32 hexadecimal digits."""
    return f"{prefix}_{value.hex}"


def parse_id(prefix: str, text: str) -> UUID:
    """Read a public id back.

    Raises:
        NotFound: the text is no id of this kind; a malformed id names nothing.
    """
    head, _, digits = text.partition("_")
    if head == prefix and len(digits) == _HEX_LENGTH and digits == digits.lower():
        try:
            return UUID(hex=digits)
        except ValueError:
            pass
    raise NotFound(f"There is no such {_NOUNS.get(prefix, prefix)}.")


def alone_workflow_id(tenant: str, notification_id: UUID) -> str:
    """Name the workflow that carries one notification; `tenant` is the slug."""
    return f"notification/{tenant}/{public_id(NOTIFICATION, notification_id)}"


def task_workflow_id(tenant: str, task_id: UUID) -> str:
    """Name the workflow of one bulk send; `tenant` is the slug."""
    return f"campaign/{tenant}/{public_id(TASK, task_id)}"


def page_workflow_id(tenant: str, carrier_id: UUID) -> str:
    """Name the workflow that carries a page of notifications; `tenant` is the slug."""
    return f"notifications/{tenant}/{public_id(CARRIER, carrier_id)}"


def digest_workflow_id(tenant: str, digest_id: UUID) -> str:
    """Name the workflow of one digest; `tenant` is the slug."""
    return f"digest/{tenant}/{public_id(DIGEST, digest_id)}"


def digests_workflow_id(tenant: str, closing_id: UUID) -> str:
    """Name the workflow that closes a page of digests; `tenant` is the slug."""
    return f"digests/{tenant}/{public_id(CLOSING, closing_id)}"


def schedule_workflow_id(tenant: str, schedule_id: UUID, run_id: UUID | None = None) -> str:
    """Name a schedule, to which the engine appends a time where it fires; or the workflow of one run."""
    schedule = f"schedule/{tenant}/{public_id(SCHEDULE, schedule_id)}"
    return schedule if run_id is None else f"{schedule}/{public_id(SCHEDULE_RUN, run_id)}"


def file_workflow_id(tenant: str, job_id: UUID) -> str:
    """Name the workflow that reads or writes a file of contacts; `tenant` is the slug."""
    return f"contacts/{tenant}/{public_id(JOB, job_id)}"


def enrolment_workflow_id(tenant: str, enrolment_id: UUID) -> str:
    """Name the workflow that takes one person through a sequence; `tenant` is the slug."""
    return f"sequence/{tenant}/{public_id(ENROLMENT, enrolment_id)}"


def message_id(delivery_id: UUID, domain: str) -> str:
    """Return the Message-ID (RFC 5322) of a delivery, the same on every retry."""
    return f"<{delivery_id.hex}@{domain}>"


def address_hash(pepper: bytes, channel: str, address: str) -> bytes:
    """Return the keyed hash under which an address is suppressed.

    In an e-mail address case and outer blanks do not matter; a name that a tenant gave is another one when it is spelt
    otherwise.
    """
    spelling = address.strip().casefold() if channel == EMAIL else address
    return hmac.digest(pepper, f"{channel}\0{spelling}".encode(), hashlib.sha256)


def address_hash_beginnings(pepper: bytes, channel: str) -> tuple[bytes, bytes]:
    """Return with what a statement makes the same hash from a spelling: sha256(outer || sha256(inner || spelling)).

    That is HMAC, written out (RFC 2104 section 2).
    """
    key = (pepper if len(pepper) <= _BLOCK_LENGTH else hashlib.sha256(pepper).digest()).ljust(_BLOCK_LENGTH, b"\0")
    outer, inner = (bytes(byte ^ pad for byte in key) for pad in (0x5C, 0x36))
    return outer, inner + f"{channel}\0".encode()


def person_hash(pepper: bytes, tenant_id: UUID, user_id: str) -> bytes:
    """Return the keyed hash that stands for a person where they must not be named."""
    return hmac.digest(pepper, f"person\0{tenant_id}\0{user_id}".encode(), hashlib.sha256)
