"""What a caller writes and reads about mail domains."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.v1.body import Body
from api.v1.examples import TIME_EXAMPLE
from postroom.identity import MAIL_DOMAIN, public_id
from postroom.mail_domains.checking import Standing
from postroom.mail_domains.findings import Weight
from postroom.mail_domains.models import Algorithm, DomainKey, DomainState, KeyState
from postroom.mail_domains.records import House, Record, key_text, records_of
from postroom.mail_domains.service import NewDomain

DOMAIN_EXAMPLE = "dom_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"
KEY_EXAMPLE = "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A..."

DomainName = Annotated[str, StringConstraints(min_length=4, max_length=253)]


class DomainBody(Body):
    """A domain that mail of the tenant says it is from."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"domain": "news.shop.example.com", "bounce_domain": "bounces.news.shop.example.com"}]
        },
    )

    domain: DomainName
    bounce_domain: DomainName | None = Field(default=None, description="Where bounces go: the domain or one below it.")
    spf_include: DomainName | None = Field(
        default=None, description="Whose SPF policy must be included, when not that of the deployment."
    )
    ed25519: bool = Field(default=False, strict=True, description="Sign a second time, with Ed25519 (RFC 8463).")

    def asked(self) -> NewDomain:
        """Put it together."""
        return NewDomain(self.domain, self.bounce_domain, self.spf_include, self.ed25519)


class DomainFindingView(BaseModel):
    """One thing that the last look at DNS found."""

    code: str = Field(examples=["dmarc_missing"])
    weight: Weight = Field(examples=["error"])
    name: str = Field(examples=["_dmarc.news.shop.example.com"])
    detail: str = Field(examples=["There is no DMARC record, here or above."])


class RecordView(BaseModel):
    """One record to publish; `strings` is its value cut as a zone file wants it."""

    purpose: str = Field(examples=["dkim"], description="`dkim`, `spf`, `dmarc` or `bounces`.")
    type: str = Field(examples=["TXT"])
    name: str = Field(examples=["pr5b6d7e8f9a0b._domainkey.news.shop.example.com"])
    value: str = Field(examples=[KEY_EXAMPLE])
    strings: list[str] = Field(examples=[[KEY_EXAMPLE]])
    required: bool

    @classmethod
    def of(cls, record: Record) -> Self:
        """Describe a record."""
        return cls(
            purpose=record.purpose,
            type=record.type,
            name=record.name,
            value=record.value,
            strings=record.strings,
            required=record.required,
        )


class DomainKeyView(BaseModel):
    """One key pair; its private half is never shown."""

    selector: str = Field(examples=["pr5b6d7e8f9a0b"])
    algorithm: Algorithm
    state: KeyState = Field(description="`pending` until DNS shows it; `active` signs; `retired` was replaced.")
    value: str = Field(examples=[KEY_EXAMPLE])
    activated_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    keep_until: datetime | None = Field(examples=[None], description="How long a retired key's record is still read.")

    @classmethod
    def of(cls, key: DomainKey, overlap: timedelta) -> Self:
        """Describe a key."""
        return cls(
            selector=key.selector,
            algorithm=Algorithm(key.algorithm),
            state=KeyState(key.state),
            value=key_text(key),
            activated_at=key.activated_at,
            keep_until=key.retired_at + overlap if key.retired_at else None,
        )


class DomainView(BaseModel):
    """A mail domain: what to publish, and what was found."""

    id: str = Field(examples=[DOMAIN_EXAMPLE])
    domain: str = Field(examples=["news.shop.example.com"])
    bounce_domain: str | None = Field(examples=["bounces.news.shop.example.com"])
    spf_include: str | None = Field(examples=[None])
    ed25519: bool
    state: DomainState = Field(examples=["failing"])
    findings: list[DomainFindingView]
    records: list[RecordView]
    keys: list[DomainKeyView]
    checked_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    next_check_at: datetime = Field(examples=[TIME_EXAMPLE])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, standing: Standing, house: House, overlap: timedelta) -> Self:
        """Describe a domain."""
        domain = standing.domain
        plain: dict[str, Any] = {
            name: getattr(domain, name)
            for name in ("domain", "bounce_domain", "spf_include", "ed25519", "checked_at", "next_check_at")
        }
        return cls(
            **plain,
            id=public_id(MAIL_DOMAIN, domain.id),
            state=DomainState(domain.state),
            findings=[DomainFindingView(**finding) for finding in domain.findings],
            records=[RecordView.of(record) for record in records_of(domain, standing.keys, house)],
            keys=[DomainKeyView.of(key, overlap) for key in standing.keys],
            created_at=domain.created_at,
        )


class DomainsView(BaseModel):
    """Some mail domains, newest first, and the cursor for the next ones."""

    items: list[DomainView]
    next_cursor: str | None = Field(examples=[None])
