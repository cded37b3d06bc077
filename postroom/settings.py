"""What a deployment can set. Built only by the composition roots; every other part is handed what it needs."""

import re
from datetime import timedelta

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from postroom.channels.email.addresses import clean_address, parse_sender
from postroom.contracts.vocabulary import Carries
from postroom.errors import Invalid
from postroom.feedback.return_paths import LETTERS
from postroom.timing import Timing

_BASE_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(?:/[A-Za-z0-9._~-]+)*/?", re.ASCII)


class Settings(BaseSettings):
    """The environment, read once. `POSTROOM_` is the prefix; the three well-known addresses also go without it."""

    model_config = SettingsConfigDict(
        env_prefix="POSTROOM_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    # Where the real parts are.
    database_url: str = Field(validation_alias=AliasChoices("DATABASE_URL", "POSTROOM_DATABASE_URL"))
    temporal_address: str = Field(
        default="127.0.0.1:7233", validation_alias=AliasChoices("TEMPORAL_ADDRESS", "POSTROOM_TEMPORAL_ADDRESS")
    )
    temporal_namespace: str = Field(
        default="default", validation_alias=AliasChoices("TEMPORAL_NAMESPACE", "POSTROOM_TEMPORAL_NAMESPACE")
    )
    temporal_ui_url: str | None = None  # where the timeline's links to carriers lead
    # One or more providers in order, separated by blanks: smtp://, smtp+starttls://, smtps://, or preset:name.
    smtp_url: SecretStr = Field(validation_alias=AliasChoices("SMTP_URL", "POSTROOM_SMTP_URL"))
    evidence_url: str | None = None  # the journal of the first SMTP_URL relay, to be asked by Message-ID
    mail_from: str = "Postroom <no-reply@postroom.example>"
    bounce_domain: str | None = None  # bounces of each delivery return to an address of its own below it

    # Mail domains of tenants: what their SPF policies must include, where their bounces go, and who is asked about it.
    spf_include: str | None = None
    bounce_host: str | None = None
    mail_domains_required: bool = False  # no bulk send from a domain that is not ready, declared or not
    dns_servers: str | None = None  # address or address:port, separated by blanks; by default those of the machine

    public_url: str = Field(default="http://127.0.0.1:8000", max_length=140)  # where people reach the API's pages

    # Secrets: sealing keys as "id:base64" separated by blanks, the first one seals; the pepper hashes keys.
    sealing_keys: SecretStr
    pepper: SecretStr

    # The API process.
    key_rate_per_minute: int = 600_000
    user_rate_per_minute: int = 100
    backlog_limit: int = 100_000
    streams_per_key: int = Field(default=20, ge=1, le=10_000)  # reports that one key watches at once
    body_limit_bytes: int = 15_000_000
    attachments_limit_bytes: int = 10_000_000
    import_limit_bytes: int = 250_000_000  # of a file of contacts, which is never held whole

    # The worker process.
    tenant_servers_public_only: bool = True  # mail servers and vendors of tenants must not stand on a private network
    webhooks_public_only: bool = True  # webhooks need https and a public address; false is for development
    renderers: int = Field(default=2, ge=1, le=64)  # child processes that put templates into words
    email_connections: int = 16
    webhook_connections: int = 200
    critical_connections: int = 4
    carries: Carries = Carries.EVERYTHING  # what a worker process takes: everything, notifications or campaigns
    campaign_connections: int = 16
    campaign_window: int = Field(default=8, ge=1, le=64)  # passes of one task at once, over all workers
    campaign_page: int = Field(default=1_000, ge=10, le=10_000)  # recipients of a page; frozen audiences keep theirs
    page_size: int = 500
    alone_threshold: int = 20  # up to this many due rows of one tenant, priority and channel travel alone
    relay_window: int = 50  # carriers owed a look at once; past it rows wait where priority still counts

    time_scale: float = Field(default=1.0, gt=0, le=10)
    hand_off_patience_seconds: float = 600.0  # RFC 5321 section 4.5.3.2.6: ten minutes for the answer to the dot
    absence_window_seconds: float = 300.0  # how long a relay keeps a silent transaction (RFC 5321: five minutes)
    log_format: str = Field(default="text", pattern="^(text|json)$")

    @field_validator("mail_from")
    @classmethod
    def _is_a_sender(cls, text: str) -> str:
        try:
            parse_sender(text)
        except Invalid as error:
            raise ValueError(error.detail) from error
        return text

    @field_validator("bounce_domain")
    @classmethod
    def _is_a_domain(cls, text: str | None) -> str | None:
        try:
            return text and clean_address(f"{'b' * LETTERS}@{text}").partition("@")[2]
        except Invalid as error:
            raise ValueError("POSTROOM_BOUNCE_DOMAIN is like bounces.example.com.") from error

    @field_validator("public_url")
    @classmethod
    def _is_a_base(cls, text: str) -> str:
        if not _BASE_URL.fullmatch(text):
            raise ValueError("POSTROOM_PUBLIC_URL is like https://notify.example.com, perhaps with a path.")
        return text

    def timing(self) -> Timing:
        """Every wait of the product at this deployment's scale."""
        return Timing.scaled(
            self.time_scale,
            hand_off_patience=timedelta(seconds=self.hand_off_patience_seconds),
            absence_window=timedelta(seconds=self.absence_window_seconds),
        )
