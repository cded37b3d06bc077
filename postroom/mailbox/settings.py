"""What a mailbox can be told by its environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, never bound


class MailboxSettings(BaseSettings):
    """The environment of one mailbox, prefix `POSTROOM_MAILBOX_`; a port of 0 takes any free one."""

    model_config = SettingsConfigDict(env_prefix="POSTROOM_MAILBOX_", extra="ignore")

    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=1025, ge=0, le=65535)
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8025, ge=0, le=65535)
    host_names: str = ""  # further names browsers and workers may call the page by, separated by blanks
    data_dir: Path = Path(".data/mailbox")
    silent_timeout: float = Field(default=10.0, gt=0)  # seconds a silent transaction is kept
    message_limit_bytes: int = Field(default=25_000_000, gt=0)
    keep_bytes: int = Field(default=1_000_000_000, gt=0)  # past it the oldest texts go; their receipts stay
    log_format: str = Field(default="text", pattern="^(text|json)$")

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Names the page answers to: anything else is another site's script that rebound its name to this machine."""
        own = {self.http_host.lower()} - ANY_ADDRESS
        return LOOPBACK_NAMES | own | frozenset(self.host_names.lower().split())
