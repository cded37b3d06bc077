"""The operator's command line: tenants, keys, providers, suppressions, the demo tenant."""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from postroom.commands import Command, Outcome, run
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Role
from postroom.errors import Invalid, PostroomError
from postroom.resources import open_resources
from postroom.settings import Settings
from postroom.suppressions.entry import EVERYTHING, Reason, check_scope
from postroom.tenants.keys import Scope

REFUSED, MISUSED, UNAVAILABLE = 1, 2, 3
CONNECTIONS = {Role.APP: 1, Role.SYSTEM: 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; returns 0, 1 refused, 2 wrong usage, 3 the database cannot be reached."""
    asked = _parser().parse_args(arguments)
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # the pool's retries; the outcome says it once
    try:
        settings = Settings()
    except ValidationError as error:
        missing = ", ".join(str(one["loc"][0]) for one in error.errors())
        print(f"These settings are missing or wrong: {missing}.", file=sys.stderr)
        return MISUSED
    try:
        outcome = asyncio.run(_carry_out(settings, asked))
    except PostroomError as error:
        print(error.detail, file=sys.stderr)
        return UNAVAILABLE if error.code == "storage_unavailable" else REFUSED
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    print(json.dumps(outcome.data, default=_spelled, indent=2) if asked.json else outcome.text)
    return 0


def _spelled(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


async def _carry_out(settings: Settings, asked: argparse.Namespace) -> Outcome:
    async with open_resources(settings, CONNECTIONS) as resources:
        return await run(resources, Command(asked.noun, getattr(asked, "verb", ""), vars(asked)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m postroom", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of sentences")
    nouns = parser.add_subparsers(dest="noun", required=True, metavar="command")
    _tenants(_verbs(nouns, "tenants", "the teams that send"))
    _keys(_verbs(nouns, "keys", "what a team's programs prove themselves with"))
    _providers(_verbs(nouns, "providers", "a team's own mail servers, tried in the order they were added"))
    _suppressions(_verbs(nouns, "suppress", "addresses nothing is sent to"))
    demo = nouns.add_parser("demo", help="make the tenant 'demo' and a key for it, once")
    demo.add_argument(
        "--key-file", type=Path, required=True, help="where the key is kept; made with mode 0600 when missing"
    )
    return parser


Parsers = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def _verbs(nouns: "Parsers[argparse.ArgumentParser]", noun: str, what: str) -> "Parsers[argparse.ArgumentParser]":
    return nouns.add_parser(noun, help=what).add_subparsers(dest="verb", required=True, metavar="action")


def _tenants(verbs: "Parsers[argparse.ArgumentParser]") -> None:
    add = verbs.add_parser("add", help="make a tenant")
    add.add_argument("slug", help="short name: lower-case letters, digits, hyphens")
    add.add_argument("--name", help="name for people")
    add.add_argument("--mail-from", help='sender of its mail, such as "Shop <hello@shop.example>"')
    verbs.add_parser("list", help="show all tenants")


def _keys(verbs: "Parsers[argparse.ArgumentParser]") -> None:
    add = verbs.add_parser("add", help="make a key; it is shown once")
    add.add_argument("tenant")
    add.add_argument("--name", default="key", help="what the key is for")
    add.add_argument(
        "--scope", action="append", type=_word_of(Scope), help=f"repeatable; all when missing: {', '.join(Scope)}"
    )
    add.add_argument("--expires-at", type=_moment, help="RFC 3339, such as 2027-01-01T00:00:00Z")
    verbs.add_parser("list", help="show a tenant's keys").add_argument("tenant")
    revoke = verbs.add_parser("revoke", help="end a key within five seconds")
    revoke.add_argument("tenant")
    revoke.add_argument("key_id", help="the id that `keys list` shows")


def _providers(verbs: "Parsers[argparse.ArgumentParser]") -> None:
    add = verbs.add_parser("add", help="add a mail server; the password is asked for, or read from standard input")
    add.add_argument("tenant")
    add.add_argument("name")
    add.add_argument("url", help="smtp://, smtp+starttls://, smtps:// or preset:name, with the user and no password")
    add.add_argument("--no-password", action="store_true", help="the server wants none")
    shown = verbs.add_parser("list", help="show a tenant's servers, or the deployment's, and what is used today")
    shown.add_argument("tenant", nargs="?")
    remove = verbs.add_parser("remove", help="take a server away")
    remove.add_argument("tenant")
    remove.add_argument("provider_id", help="the id that `providers list` shows")


def _suppressions(verbs: "Parsers[argparse.ArgumentParser]") -> None:
    for verb, what in (("add", "send nothing to an address"), ("remove", "allow an address again")):
        one = verbs.add_parser(verb, help=what)
        one.add_argument("tenant")
        one.add_argument("address")
        one.add_argument("--channel", type=_word_of(ChannelKind), default=ChannelKind.EMAIL)
        if verb == "add":
            one.add_argument("--reason", type=_word_of(Reason), default=Reason.MANUAL, help=", ".join(Reason))
        one.add_argument(
            "--scope",
            type=_scope,
            default=EVERYTHING if verb == "add" else None,
            help="all, marketing, type:<name> or group:<name>",
        )
    verbs.add_parser("list", help="show how much is suppressed, and why").add_argument("tenant")


def _word_of(words: type[StrEnum]) -> Callable[[str], StrEnum]:
    def read(text: str) -> StrEnum:
        try:
            return words(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(words)}") from None

    return read


def _scope(text: str) -> str:
    try:
        return check_scope(text)
    except Invalid as error:
        raise argparse.ArgumentTypeError(error.detail) from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("write a time like 2027-01-01T00:00:00Z") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("a time needs its offset from UTC, such as Z")
    if moment <= datetime.now(UTC):
        raise argparse.ArgumentTypeError("this time has passed")
    return moment


if __name__ == "__main__":
    sys.exit(main())
