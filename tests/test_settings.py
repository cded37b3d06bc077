"""What a deployment is told is checked before anything starts."""

import pytest
from pydantic import ValidationError

from postroom.settings import Settings


@pytest.mark.parametrize(
    "url", ["https://notify.example.com", "http://127.0.0.1:8000", "https://x.example/mail/", "http://[::1]:80"]
)
def test_a_base_of_links(settings: Settings, url: str) -> None:
    assert Settings(**settings.model_dump() | {"public_url": url}).public_url == url


@pytest.mark.parametrize(
    "url",
    [
        "notify.example.com",
        "ftp://x",
        "https://x/?a=b",
        "https://x/#a",
        "https://a@x",
        "https://x\r\ny",
        "https://" + "x" * 140,
    ],
)
def test_what_is_no_base_of_links(settings: Settings, url: str) -> None:
    with pytest.raises(ValidationError, match="public_url"):
        Settings(**settings.model_dump() | {"public_url": url})
