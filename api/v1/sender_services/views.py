"""What is shown of sender services: never a password."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from api.v1.examples import TIME_EXAMPLE
from api.v1.sender_services.bodies import SERVICE_EXAMPLE, AlertBody, ServiceLimitsBody
from postroom.identity import SENDER_SERVICE, public_id
from postroom.limits.allowance import Window
from postroom.sender_services.bindings import Access
from postroom.sender_services.models import FrozenBy, SenderService, ServiceKind, ServiceStatus
from postroom.sender_services.trying import Finding
from postroom.sender_services.usage import Usage


class RampView(BaseModel):
    """How a day's limit grows, and since when."""

    start: int = Field(examples=[500])
    factor: float = Field(examples=[1.5])
    since: datetime = Field(examples=[TIME_EXAMPLE])


class ServiceHealthView(BaseModel):
    """How a service fares: errors in a row, and when a frozen one is tried next."""

    errors: int = Field(examples=[0])
    last_error: str | None = Field(examples=[None])
    last_error_at: datetime | None = Field(examples=[None])
    last_success_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    frozen_by: FrozenBy | None = Field(examples=[None])
    reason: str | None = Field(examples=[None])
    frozen_at: datetime | None = Field(examples=[None])
    probe_at: datetime | None = Field(examples=[None])

    @classmethod
    def of(cls, service: SenderService) -> "ServiceHealthView":
        """Describe how it fares."""
        return cls(**{name: getattr(service, name) for name in cls.model_fields})


class SenderServiceView(BaseModel):
    """A service; of its password it says only whether there is one."""

    id: str = Field(examples=[SERVICE_EXAMPLE])
    name: str = Field(examples=["Main relay"])
    kind: ServiceKind = Field(examples=["smtp"])
    url: str = Field(examples=["smtp+starttls://postroom@smtp.example.com:587"])
    vendor: str | None = Field(examples=[None])
    account: str | None = Field(examples=[None])
    has_password: bool = Field(examples=[True])
    from_domains: list[str] = Field(examples=[["news.example.com"]])
    weight: int = Field(examples=[10])
    connections: int | None = Field(examples=[None])
    limits: ServiceLimitsBody
    time_zone: str = Field(examples=["Europe/Paris"])
    warm_up: RampView | None
    error_threshold: int = Field(examples=[5])
    alert: AlertBody
    status: ServiceStatus = Field(examples=["active"])
    health: ServiceHealthView
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    updated_at: datetime = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, service: SenderService) -> "SenderServiceView":
        """Describe a service."""
        start, factor, since = service.warm_up_start, service.warm_up_factor, service.warm_up_since
        ramp = RampView(start=start, factor=factor, since=since) if start and factor and since else None
        return cls(
            id=public_id(SENDER_SERVICE, service.id),
            name=service.name,
            kind=ServiceKind(service.kind),
            url=service.url,
            vendor=service.vendor,
            account=service.account,
            has_password=service.secret is not None,
            from_domains=service.from_domains,
            weight=service.weight,
            connections=service.connections,
            limits=ServiceLimitsBody(**{name: getattr(service, name) for name in ServiceLimitsBody.model_fields}),
            time_zone=service.time_zone,
            warm_up=ramp,
            error_threshold=service.error_threshold,
            alert=AlertBody(user_ids=service.alert_user_ids, addresses=service.alert_addresses),
            status=ServiceStatus(service.status),
            health=ServiceHealthView.of(service),
            created_at=service.created_at,
            updated_at=service.updated_at,
        )


class SenderServicesView(BaseModel):
    """Some services, newest first, and the cursor for the next ones."""

    items: list[SenderServiceView]
    next_cursor: str | None = Field(examples=[None])


class WindowView(BaseModel):
    """One limited window; what is reserved for a moment counts as used."""

    window: Window = Field(examples=["day"])
    limit: int = Field(examples=[50000])
    used: int = Field(examples=[1250])
    left: int = Field(examples=[48750])
    resets_at: datetime = Field(examples=[TIME_EXAMPLE])


class UsageView(BaseModel):
    """What is used of the quotas that there are."""

    windows: list[WindowView]
    warm_up_day: int | None = Field(examples=[None], description="Which day of the ramp it is, from 1.")

    @classmethod
    def of(cls, usage: Usage) -> "UsageView":
        """Describe the usage."""
        windows = [
            WindowView(
                window=one.window,
                limit=one.limit,
                used=one.used,
                left=max(0, one.limit - one.used),
                resets_at=one.resets_at,
            )
            for one in usage.windows
        ]
        return cls(windows=windows, warm_up_day=usage.warm_up_day)


class TrialView(BaseModel):
    """What a try saw: nothing was sent."""

    ok: bool = Field(examples=[True])
    reason: str = Field(examples=["signed_in"])
    code: int | None = Field(examples=[None], description="The SMTP reply or the HTTP status.")
    detail: str | None = Field(examples=[None])
    features: list[str] = Field(examples=[["pipelining", "size"]], description="What an SMTP server offers.")
    took_ms: int = Field(examples=[84])

    @classmethod
    def of(cls, finding: Finding) -> "TrialView":
        """Describe a finding."""
        answer = finding.answer
        return cls(
            ok=finding.good,
            reason=answer.reason,
            code=answer.code,
            detail=answer.detail,
            features=list(finding.features),
            took_ms=round(finding.took.total_seconds() * 1000),
        )


class AccessView(BaseModel):
    """A service that a key may use: because it is bound to it, or because the service is bound to nobody."""

    service_id: str = Field(examples=[SERVICE_EXAMPLE])
    name: str = Field(examples=["Main relay"])
    status: ServiceStatus = Field(examples=["active"])
    bound: bool = Field(examples=[True])


class AccessesView(BaseModel):
    """What a key may use, newest first."""

    items: list[AccessView]

    @classmethod
    def of(cls, accesses: Sequence[Access]) -> "AccessesView":
        """Describe what a key may use."""
        items = [
            AccessView(
                service_id=public_id(SENDER_SERVICE, one.service.id),
                name=one.service.name,
                status=ServiceStatus(one.service.status),
                bound=one.bound,
            )
            for one in accesses
        ]
        return cls(items=items)
