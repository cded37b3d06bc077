"""What an operator writes about sender services."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from api.v1.body import Body
from api.v1.fields import TimeZone, UserId, plain
from postroom.channels.http_mail.vendors import VENDORS
from postroom.egress.targets import URL_LENGTH
from postroom.errors import Invalid, NotFound
from postroom.identity import SENDER_SERVICE, parse_id
from postroom.limits.allowance import Allowance
from postroom.sender_services.allowing import WarmUp
from postroom.sender_services.bindings import BindingAction
from postroom.sender_services.destination import Destination
from postroom.sender_services.models import ServiceKind, ServiceStatus
from postroom.sender_services.terms import Terms

SERVICE_EXAMPLE = "svc_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"
SMTP_EXAMPLE: dict[str, Any] = {
    "name": "Main relay",
    "kind": "smtp",
    "url": "smtp+starttls://postroom@smtp.example.com:587",
    "password": "not shown again",
    "from_domains": ["news.example.com"],
    "limits": {"per_second": 14, "per_day": 50000},
    "time_zone": "Europe/Paris",
    "warm_up": {"start": 500, "factor": 1.5},
    "alert": {"user_ids": ["operator_1"]},
}
VENDOR_EXAMPLE: dict[str, Any] = {
    "name": "Aurora",
    "kind": "http_mail",
    "vendor": "aurora",
    "account": "news_batch",
    "password": "not shown again",
    "weight": 20,
    "limits": {"per_hour": 2000},
}

Name = Annotated[str, StringConstraints(min_length=1, max_length=120), AfterValidator(plain)]
Url = Annotated[str, StringConstraints(max_length=URL_LENGTH), AfterValidator(plain)]
Account = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(plain)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(plain)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=320), AfterValidator(plain)]


UpToHundred = Annotated[int, Field(ge=1, le=100, strict=True)]
PerSecond = Annotated[int, Field(ge=1, le=10_000, strict=True)]
Count = Annotated[int, Field(ge=1, le=100_000_000, strict=True)]


class ServiceLimitsBody(Body):
    """What may go over it in a second, a minute, an hour and a day; what is left out is no limit."""

    per_second: PerSecond | None = None
    per_minute: Count | None = None
    per_hour: Count | None = None
    per_day: Count | None = None


class WarmUpBody(Body):
    """A day's limit on the first day, and what it is multiplied by every local midnight, up to `per_day`."""

    start: Count = Field(examples=[500])
    factor: Annotated[float, Field(gt=1, le=100)] = 1.5

    def ramp(self) -> WarmUp:
        """Put the ramp together."""
        return WarmUp(self.start, self.factor)


class AlertBody(Body):
    """Whom to write to when the service freezes: people of the tenant's, and plain addresses."""

    user_ids: Annotated[list[UserId], Field(max_length=20)] = Field(default_factory=list)
    addresses: Annotated[list[Text], Field(max_length=20)] = Field(default_factory=list)


class SenderServiceBody(Body):
    """A way out for bulk mail."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [SMTP_EXAMPLE, VENDOR_EXAMPLE]})

    name: Name
    kind: ServiceKind
    url: Url = Field(default="", description="For SMTP as providers have it; for a vendor, where it is not the usual.")
    vendor: Text | None = Field(default=None, description=f"For http_mail: {', '.join(VENDORS)}.")
    account: Account | None = Field(default=None, description="For http_mail: the vendor's name for you.")
    password: Password | None = Field(default=None, description="Sealed at once; left out in a PUT it stays.")
    from_domains: Annotated[list[Text], Field(max_length=100)] = Field(
        default_factory=list, description="Only mail from these domains goes over it; empty is any."
    )
    weight: UpToHundred = 10
    connections: UpToHundred | None = None
    limits: ServiceLimitsBody = ServiceLimitsBody()
    time_zone: TimeZone = Field(default="UTC", description="Whose midnight begins a day.")
    warm_up: WarmUpBody | None = None
    error_threshold: UpToHundred = Field(default=5, description="So many errors in a row freeze it.")
    alert: AlertBody = AlertBody()

    def terms(self) -> Terms:
        """Put the terms together."""
        if self.kind is ServiceKind.SMTP and not self.url:
            raise Invalid.at("/url", "field_required", "An SMTP service has a URL.")
        return Terms(
            name=self.name,
            destination=Destination(self.kind, self.url, self.vendor, self.account),
            password=self.password,
            from_domains=tuple(self.from_domains),
            weight=self.weight,
            connections=self.connections,
            limits=Allowance(**self.limits.model_dump(), zone=self.time_zone),
            warm_up=self.warm_up.ramp() if self.warm_up else None,
            error_threshold=self.error_threshold,
            alert_user_ids=tuple(dict.fromkeys(self.alert.user_ids)),
            alert_addresses=tuple(self.alert.addresses),
        )


class StatusBody(Body):
    """Whether a service shall take part."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"status": "frozen"}]})

    status: ServiceStatus


class BindingBody(Body):
    """One binding to be made or undone."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"service_id": SERVICE_EXAMPLE, "action": "add"}]}
    )

    service_id: Text
    action: BindingAction

    def change(self, at: int) -> tuple[UUID, BindingAction]:
        """Say what shall become of which service; `at` is its place in the list.

        Raises:
            Invalid: the id is none.
        """
        try:
            return parse_id(SENDER_SERVICE, self.service_id), self.action
        except NotFound as error:
            raise Invalid.at(f"/{at}/service_id", "sender_service_not_found", error.detail) from error
