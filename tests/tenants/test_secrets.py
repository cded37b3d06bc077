"""A sealed secret opens where it belongs and nowhere else."""

import base64
import os
from dataclasses import replace
from uuid import UUID

import pytest

from postroom.identity import new_id
from postroom.tenants.secrets import Seal, SealBroken


def key_text(*names: str) -> str:
    return " ".join(f"{name}:{base64.b64encode(os.urandom(32)).decode()}" for name in names)


@pytest.fixture
def place() -> dict[str, UUID]:
    return {"tenant_id": new_id(), "row_id": new_id()}


def test_what_is_sealed_comes_back(place: dict[str, UUID]) -> None:
    seal = Seal.parse(key_text("one"))
    sealed = seal.seal("pässword", **place)
    assert seal.open(sealed, **place) == "pässword"
    assert "pässword".encode() not in sealed.content
    assert seal.seal("pässword", **place).content != sealed.content


def test_a_secret_moved_to_another_row_or_tenant_does_not_open(place: dict[str, UUID]) -> None:
    seal = Seal.parse(key_text("one"))
    sealed = seal.seal("secret", **place)
    for name in place:
        with pytest.raises(SealBroken):
            seal.open(sealed, **place | {name: new_id()})


def test_a_changed_bit_is_noticed(place: dict[str, UUID]) -> None:
    seal = Seal.parse(key_text("one"))
    sealed = seal.seal("secret", **place)
    for position in (0, 12, len(sealed.content) - 1):
        content = bytearray(sealed.content)
        content[position] ^= 1
        with pytest.raises(SealBroken):
            seal.open(replace(sealed, content=bytes(content)), **place)


def test_keys_are_rotated(place: dict[str, UUID]) -> None:
    old = key_text("old")
    sealed = Seal.parse(old).seal("secret", **place)
    rotated = Seal.parse(f"{key_text('new')} {old}")
    assert rotated.open(sealed, **place) == "secret"
    assert rotated.seal("secret", **place).key_id == "new"
    with pytest.raises(SealBroken, match="'old'"):
        Seal.parse(key_text("new")).open(sealed, **place)


@pytest.mark.parametrize("text", ["", "one", "one:", "one:!!!", "one:" + base64.b64encode(b"short").decode()])
def test_keys_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"[Ss]ealing key"):
        Seal.parse(text)
