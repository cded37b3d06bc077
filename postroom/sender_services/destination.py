"""Where a service leads: checked when it is written, and read for whoever sends over it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from postroom.channels.email.providers import Provider, parse_provider
from postroom.channels.http_mail.route import MailAccount
from postroom.channels.http_mail.vendors import VENDORS
from postroom.egress.targets import parse_target
from postroom.errors import Invalid
from postroom.identity import SENDER_SERVICE, public_id
from postroom.limits.allowance import Allowance
from postroom.sender_services.models import ServiceKind
from postroom.tenants.secrets import Seal, Sealed
from postroom.tenants.ways import with_password

# A service has fields of its own for the other options, and a file of this machine is nothing to be named from outside.
_OPTIONS = {"username", "region", "per_connection"}

Party = Provider | MailAccount


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a service leads and who asks there, without the password."""

    kind: ServiceKind
    url: str
    vendor: str | None = None
    account: str | None = None


def check_destination(asked: Destination, password: str | None, *, public_only: bool) -> Destination:
    """Return a destination as it is stored.

    Raises:
        Invalid: with a pointer to what cannot be.
    """
    if asked.kind is ServiceKind.SMTP:
        _check_smtp(asked, password)
        return asked
    vendor = VENDORS.get(asked.vendor or "")
    if vendor is None:
        raise Invalid.at("/vendor", "unknown_vendor", f"The vendors are {', '.join(VENDORS)}.")
    if not asked.account or not password:
        missing = "/password" if asked.account else "/account"
        raise Invalid.at(missing, "credentials_required", "A vendor wants to know an account and its secret.")
    if not (url := asked.url or vendor.url):
        raise Invalid.at("/url", "url_required", "This vendor has no address of its own.")
    try:
        return replace(asked, url=str(parse_target(url, public_only=public_only)))
    except Invalid as error:
        raise Invalid.at("/url", error.code, error.detail) from error


def party_of(row: Mapping[str, Any], seal: Seal, allowance: Allowance, *, public_only: bool) -> Party:
    """Read whom a service's mail is handed to; raises what opening the seal raises, and Invalid."""
    password = None
    if row["secret"] is not None:
        sealed = Sealed(row["secret_key_id"], row["secret"])
        password = seal.open(sealed, tenant_id=row["tenant_id"], row_id=row["id"])
    name, owner = public_id(SENDER_SERVICE, row["id"]), UUID(str(row["tenant_id"]))
    if row["kind"] == ServiceKind.HTTP_MAIL:
        return MailAccount(
            name, row["vendor"], row["url"], row["account"], password or "", owner, row["connections"], allowance
        )
    provider = parse_provider(row["url"] if password is None else with_password(row["url"], password))
    return replace(
        provider,
        name=name,
        public_only=public_only,
        owner=owner,
        connections=row["connections"],
        allowance=allowance,
    )


def _check_smtp(asked: Destination, password: str | None) -> None:
    if asked.vendor is not None or asked.account is not None:
        field = "vendor" if asked.vendor is not None else "account"
        raise Invalid.at(f"/{field}", "not_for_smtp", "For SMTP the URL says all of it.")
    try:
        parts = urlsplit(asked.url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        inside = parts.password is not None or "password" in options
    except ValueError:
        options, inside = {}, False  # the reader of URLs says what is wrong
    if inside:
        raise Invalid.at("/url", "password_in_url", "The password has a field of its own.")
    if not options.keys() <= _OPTIONS:
        raise Invalid.at("/url", "option_not_allowed", f"In this URL there may be {', '.join(sorted(_OPTIONS))}.")
    try:
        provider = parse_provider(asked.url if password is None else with_password(asked.url, password))
    except Invalid as error:
        raise Invalid.at("/url", error.code, error.detail) from error
    if password is not None and provider.username is None:
        raise Invalid.at("/url", "username_required", "A password belongs to a user name: smtps://user@host.")
