"""What the command line can do, each a sentence for people and a value for programs."""

import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from postroom.channels.email.providers import parse_providers
from postroom.identity import API_KEY, PROVIDER, SUPPRESSION, public_id
from postroom.paging import LIMIT
from postroom.resources import Resources
from postroom.suppressions.entry import Entry, Source
from postroom.suppressions.service import Filters, Suppressions
from postroom.tenants.demo import ensure_demo
from postroom.tenants.directory import Directory
from postroom.tenants.keys import Scope, new_key
from postroom.tenants.providers import NewProvider, Providers, deployed
from postroom.tenants.repository import Row

TRAFFIC = ("weight", "limits", "used_today")


@dataclass(frozen=True, slots=True)
class Command:
    """What was asked for."""

    noun: str
    verb: str
    given: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    text: str
    data: Any


async def run(resources: Resources, command: Command) -> Outcome:
    """Carry out a command."""
    return await COMMANDS[command.noun, command.verb](resources, command.given)


async def _add_tenant(resources: Resources, given: Mapping[str, Any]) -> Outcome:
    row = await _directory(resources).add_tenant(given["slug"], given["name"], given["mail_from"])
    return Outcome(f"The tenant {row['slug']} is there. Make a key: python -m postroom keys add {row['slug']}", row)


async def _list_tenants(resources: Resources, _given: Mapping[str, Any]) -> Outcome:
    rows = await _directory(resources).tenants()
    return Outcome(_table(rows, ("slug", "name", "mail_from", "created_at"), "There are no tenants."), rows)


async def _add_key(resources: Resources, given: Mapping[str, Any]) -> Outcome:
    scopes = given["scope"] or tuple(Scope)
    key, row = await _directory(resources).add_key(given["tenant"], given["name"], scopes, given["expires_at"])
    text = f"{key.text}\nThis is the only time the key is shown. Its id is {public_id(API_KEY, row['id'])}."
    return Outcome(text, {**_named(row, API_KEY), "key": key.text})


async def _list_keys(resources: Resources, given: Mapping[str, Any]) -> Outcome:
    rows = [_named(row, API_KEY) for row in await _directory(resources).keys(given["tenant"])]
    return Outcome(_table(rows, ("id", "hint", "name", "expires_at", "revoked_at"), "There are no keys."), rows)


async def _revoke_key(resources: Resources, given: Mapping[str, Any]) -> Outcome:
    await _directory(resources).revoke_key(given["tenant"], given["key_id"])
    return Outcome(f"{given['key_id']} is revoked.", {"id": given["key_id"], "revoked": True})


async def _add_provider(resources: Resources, given: Mapping[str, Any]) -> Outcome:
    providers = await _providers(resources, given)
    password = None if given["no_password"] else _password()
    row = await providers.add(NewProvider(given["name"], given["url"], password))
    return Outcome(f"{row['name']} is number {row['position']} in the order.", _named(row, PROVIDER))


async def _list_providers(resources: Resources, given: Mapping[str, Any]) -> Outcome:
    if given["tenant"] is None:
        providers = parse_providers(resources.settings.smtp_url.get_secret_value())
        common = await deployed(resources.database, providers)
        return Outcome(_table(common, ("position", "name", "host", "port", *TRAFFIC), "There are none."), common)
    rows = [_named(row, PROVIDER) for row in await (await _providers(resources, given)).all()]
    empty = "There are none; mail goes through the deployment's."
    return Outcome(_table(rows, ("position", "id", "name", "url", "has_password", *TRAFFIC), empty), rows)


async def _remove_provider(resources: Resources, given: Mapping[str, Any]) -> Outcome:
    await (await _providers(resources, given)).remove(given["provider_id"])
    return Outcome(f"{given['provider_id']} is removed.", {"id": given["provider_id"], "removed": True})


async def _add_suppression(resources: Resources, given: Mapping[str, Any]) -> Outcome:
    entry = Entry(given["channel"], given["address"], given["scope"], given["reason"])
    tenant_id = await _directory(resources).tenant_id(given["tenant"])
    new = (await _suppressions(resources).add(tenant_id, [entry], Source.OPERATOR)).new == 1
    return Outcome("Nothing is sent there." if new else "It was suppressed already.", {"suppressed": True, "new": new})


async def _remove_suppression(resources: Resources, given: Mapping[str, Any]) -> Outcome:
    tenant_id = await _directory(resources).tenant_id(given["tenant"])
    place = (given["channel"], given["address"], given["scope"])
    gone = await _suppressions(resources).remove_address(tenant_id, *place) > 0
    return Outcome("It may be written to again." if gone else "It was not suppressed.", {"removed": gone})


async def _list_suppressions(resources: Resources, given: Mapping[str, Any]) -> Outcome:
    tenant_id, after, rows = await _directory(resources).tenant_id(given["tenant"]), None, []
    while True:
        page = await _suppressions(resources).page(tenant_id, Filters(), (after, LIMIT))
        rows += [{**asdict(one), "address_hash": one.address_hash.hex()} for one in page.items]
        if (after := page.next_after) is None:
            break
    shown = [_named(row, SUPPRESSION) for row in rows]
    columns = ("channel", "scope", "reason", "source", "created_at", "address_hash")
    return Outcome(_table(shown, columns, "Nothing is suppressed."), shown)


async def _demo(resources: Resources, given: Mapping[str, Any]) -> Outcome:
    key = _kept_key(given["key_file"], resources.pepper)
    await ensure_demo(resources.database, resources.pepper, key)
    return Outcome(key, {"tenant": "demo", "key": key})


def _kept_key(path: Path, pepper: bytes) -> str:
    """Read the key that is kept in a file, or make one there that only its owner can read."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    key = new_key(pepper).text
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{key}\n")
    return key


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\r\n")


def _directory(resources: Resources) -> Directory:
    return Directory(resources.database, resources.pepper)


async def _providers(resources: Resources, given: Mapping[str, Any]) -> Providers:
    tenant_id = await _directory(resources).tenant_id(given["tenant"])
    return Providers(resources.database, resources.seal, tenant_id)


def _suppressions(resources: Resources) -> Suppressions:
    return Suppressions(resources.database, resources.pepper)


def _named(row: Row, prefix: str) -> Row:
    return {**row, "id": public_id(prefix, row["id"])}


def _table(rows: Sequence[Row], columns: Sequence[str], empty: str) -> str:
    if not rows:
        return empty
    lines = [[str("-" if row[column] is None else row[column]) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *lines, strict=True)]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in [list(columns), *lines]
    )


COMMANDS: Mapping[tuple[str, str], Callable[[Resources, Mapping[str, Any]], Awaitable[Outcome]]] = {
    ("tenants", "add"): _add_tenant,
    ("tenants", "list"): _list_tenants,
    ("keys", "add"): _add_key,
    ("keys", "list"): _list_keys,
    ("keys", "revoke"): _revoke_key,
    ("providers", "add"): _add_provider,
    ("providers", "list"): _list_providers,
    ("providers", "remove"): _remove_provider,
    ("suppress", "add"): _add_suppression,
    ("suppress", "remove"): _remove_suppression,
    ("suppress", "list"): _list_suppressions,
    ("demo", ""): _demo,
}
