"""Languages and zones: what the standards know, and nothing else."""

import pytest

from postroom.contacts.person import is_language, is_time_zone


@pytest.mark.parametrize(
    "tag", ["en", "pt-BR", "zh-Hans-CN", "de-CH-1996", "es-419", "sl-rozaj-biske", "en-a-bbb-x-a-ccc"]
)
def test_languages(tag: str) -> None:
    assert is_language(tag)


@pytest.mark.parametrize("tag", ["", "e", "english!", "en_US", "en-", "-en", "12", "en--US", "x" * 70, "en\n", "ёё"])
def test_no_languages(tag: str) -> None:
    assert not is_language(tag)


@pytest.mark.parametrize("name", ["UTC", "Europe/Paris", "America/Argentina/Buenos_Aires", "Australia/Lord_Howe"])
def test_zones(name: str) -> None:
    assert is_time_zone(name)


@pytest.mark.parametrize(
    "name",
    ["", "Mars/X", "localtime", "Factory", "europe/paris", "Europe", "../UTC", "/etc/localtime", "Europe/Paris\0"],
)
def test_no_zones(name: str) -> None:
    assert not is_time_zone(name)
