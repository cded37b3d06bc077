"""Looks whether a key's record says what it must."""

import re
from dataclasses import dataclass

from postroom.mail_domains.findings import Finding, Weight, warning
from postroom.mail_domains.models import DomainKey
from postroom.mail_domains.names import Names
from postroom.mail_domains.records import key_name, kind_of
from postroom.mail_domains.tags import read_tags

_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class KeyLook:
    """Whether the record of a key is there and is ours, and what to say of it."""

    key: DomainKey
    findings: list[Finding]
    published: bool = False


async def look_at_key(names: Names, domain: str, key: DomainKey, weight: Weight) -> KeyLook:
    """Ask DNS for a key's record; `weight` is what it means when that is not right. Raises Silent."""
    name = key_name(key.selector, domain)
    records = [text for text in await names.texts(name) if text.strip()]
    if len(records) != 1:
        several = ("dkim_multiple", "There are several records for this key; exactly one may be there.")
        missing = ("dkim_key_missing", "The record of this key is not published.")
        code, detail = several if records else missing
        return KeyLook(key, [Finding(code, weight, name, detail)])
    if wrong := _wrong(records[0], key):
        return KeyLook(key, [Finding(wrong[0], weight, name, wrong[1])])
    testing = "y" in (read_tags(records[0]) or {}).get("t", "").split(":")
    said = warning("dkim_testing", name, "The record says t=y: who reads it treats signed mail as unsigned.")
    return KeyLook(key, [said] if testing else [], published=True)


def _wrong(record: str, key: DomainKey) -> tuple[str, str] | None:
    """Say why a record is not the key's; a tag that is absent allows everything (RFC 6376 section 3.6.1)."""
    tags = read_tags(record)
    if tags is None or tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return "dkim_record_invalid", "The record cannot be read as a DKIM key."
    if not tags["p"]:
        return "dkim_key_revoked", "The record has an empty p=, which revokes the key."
    if tags.get("k", "rsa") != kind_of(key.algorithm) or _BLANKS.sub("", tags["p"]) != key.public_key:
        return "dkim_key_differs", "The record holds another key than the one that signs; publish the one shown here."
    hashes, services = tags.get("h", "sha256").split(":"), tags.get("s", "*").split(":")
    if "sha256" not in map(str.strip, hashes) or not {"*", "email"} & set(map(str.strip, services)):
        return "dkim_key_unusable", "The record's h= or s= forbids what the key is used for."
    return None
