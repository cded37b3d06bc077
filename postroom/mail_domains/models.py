"""Mail domains and their keys as SQLAlchemy sees the tables."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from postroom.database.tables import Table

Moment = DateTime(timezone=True)


class DomainState(StrEnum):
    """What DNS says of a domain, as far as we know."""

    UNVERIFIED = "unverified"  # nobody answered yet
    READY = "ready"
    FAILING = "failing"


class KeyState(StrEnum):
    """What a key is good for."""

    PENDING = "pending"  # its record was not seen yet
    ACTIVE = "active"  # it signs
    RETIRED = "retired"  # it signs no more; its record is for mail that is on its way


class Algorithm(StrEnum):
    """How a signature is made (RFC 8301, RFC 8463)."""

    RSA = "rsa-sha256"
    ED25519 = "ed25519-sha256"


class MailDomain(Table):
    """A domain that a tenant's mail says it is from."""

    __tablename__ = "mail_domains"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    domain: Mapped[str] = mapped_column(Text)
    bounce_domain: Mapped[str | None] = mapped_column(Text)
    spf_include: Mapped[str | None] = mapped_column(Text)
    ed25519: Mapped[bool]
    state: Mapped[str] = mapped_column(Text)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    checked_at: Mapped[datetime | None] = mapped_column(Moment)
    next_check_at: Mapped[datetime] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)


class DomainKey(Table):
    """A key pair of a domain; the private half is sealed, and gone once it signs no more."""

    __tablename__ = "mail_domain_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    domain_id: Mapped[UUID]
    selector: Mapped[str] = mapped_column(Text)
    algorithm: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    public_key: Mapped[str] = mapped_column(Text)
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    secret_key_id: Mapped[str | None] = mapped_column(Text)
    activated_at: Mapped[datetime | None] = mapped_column(Moment)
    retired_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
