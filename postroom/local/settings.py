"""What a person can set about the local stack: the data folder, every port, and which parts are somewhere else."""

from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LocalSettings(BaseSettings):
    """The environment of `make up`. A part whose address is given is not started; the real one is used."""

    model_config = SettingsConfigDict(
        env_prefix="POSTROOM_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    data_dir: Path = Path(".data")
    api_port: int = Field(default=8000, ge=1, le=65535)
    temporal_port: int = Field(default=7233, ge=1, le=65535)
    temporal_ui_port: int = Field(default=8233, ge=1, le=65535)
    mailbox_smtp_port: int = Field(default=1025, ge=1, le=65535)
    mailbox_http_port: int = Field(default=8025, ge=1, le=65535)

    database_url: str | None = Field(
        default=None, validation_alias=AliasChoices("DATABASE_URL", "POSTROOM_DATABASE_URL")
    )
    temporal_address: str | None = Field(
        default=None, validation_alias=AliasChoices("TEMPORAL_ADDRESS", "POSTROOM_TEMPORAL_ADDRESS")
    )
    smtp_url: str | None = Field(default=None, validation_alias=AliasChoices("SMTP_URL", "POSTROOM_SMTP_URL"))
