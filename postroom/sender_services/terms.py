"""What an operator asks of a service, checked and spelt as it is stored."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from postroom.channels.email.addresses import clean_address
from postroom.errors import Invalid
from postroom.limits.allowance import Allowance
from postroom.sender_services.allowing import WarmUp
from postroom.sender_services.destination import Destination, check_destination
from postroom.sender_services.models import SenderService, ServiceKind


@dataclass(frozen=True, slots=True)
class Terms:
    """A service as asked for; a password that is left out stays as it was."""

    name: str
    destination: Destination
    password: str | None
    from_domains: tuple[str, ...]
    weight: int
    connections: int | None
    limits: Allowance
    warm_up: WarmUp | None
    error_threshold: int
    alert_user_ids: tuple[str, ...]
    alert_addresses: tuple[str, ...]

    def columns(self, password: str | None, *, public_only: bool) -> dict[str, Any]:
        """Return what is written, but for the secret; `password` is the one that counts.

        Raises:
            Invalid: with a pointer to what cannot be.
        """
        destination = check_destination(self.destination, password, public_only=public_only)
        if self.warm_up is not None and (self.limits.per_day is None or self.warm_up.start > self.limits.per_day):
            detail = "A ramp leads up to a daily limit, and begins below it."
            raise Invalid.at("/warm_up", "warm_up_needs_daily_limit", detail)
        return {
            "name": self.name,
            "kind": destination.kind,
            "vendor": destination.vendor,
            "url": destination.url,
            "account": destination.account,
            "from_domains": [_domain(at, one) for at, one in enumerate(self.from_domains)],
            "weight": self.weight,
            "connections": self.connections,
            "per_second": self.limits.per_second,
            "per_minute": self.limits.per_minute,
            "per_hour": self.limits.per_hour,
            "per_day": self.limits.per_day,
            "time_zone": self.limits.zone,
            "warm_up_start": self.warm_up.start if self.warm_up else None,
            "warm_up_factor": self.warm_up.factor if self.warm_up else None,
            "error_threshold": self.error_threshold,
            "alert_user_ids": list(self.alert_user_ids),
            "alert_addresses": [_address(at, one) for at, one in enumerate(self.alert_addresses)],
        }

    def warm_up_since(self, known: SenderService | None) -> datetime | None:
        """Return when the ramp began: a ramp that stays as it was goes on."""
        if self.warm_up is None:
            return None
        same = known is not None and (known.warm_up_start, known.warm_up_factor) == (
            self.warm_up.start,
            self.warm_up.factor,
        )
        return known.warm_up_since if known is not None and same else datetime.now(UTC)

    def leads_where(self, known: SenderService) -> bool:
        """Whether it leads where the service leads now: only there a password goes without being given again."""
        new, old = self.destination, Destination(ServiceKind(known.kind), known.url, known.vendor, known.account)
        return (new.kind, new.vendor, new.account, new.url or old.url) == (old.kind, old.vendor, old.account, old.url)


def _domain(at: int, text: str) -> str:
    try:
        return clean_address(f"postmaster@{text}").rpartition("@")[2]
    except Invalid as error:
        raise Invalid.at(f"/from_domains/{at}", "invalid_domain", "This is no domain of the mail system.") from error


def _address(at: int, text: str) -> str:
    try:
        return clean_address(text)
    except Invalid as error:
        raise Invalid.at(f"/alert/addresses/{at}", error.code, error.detail) from error
