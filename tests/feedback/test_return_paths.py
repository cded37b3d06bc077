"""An envelope sender names its delivery, survives what servers do to it, and cannot be made by others."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.channels.email.addresses import clean_address, is_wire_safe
from postroom.feedback.return_paths import LETTERS, ForgedError, ReturnPaths

OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}
DOMAIN = "bounces.example.com"
RETURNS = ReturnPaths(OLD, DOMAIN)


@given(st.uuids())
def test_what_was_made_is_read(delivery_id: UUID) -> None:
    address = RETURNS.address(delivery_id, DOMAIN)
    assert RETURNS.read(address) == RETURNS.read(f" <{address.upper()}> ") == delivery_id
    assert RETURNS.address(delivery_id, DOMAIN) == address
    assert len(address.partition("@")[0]) == LETTERS
    assert is_wire_safe(address)
    assert clean_address(address) == address


@pytest.mark.parametrize("address", ["", "ada@shop.de", "ada@bounces.example.com", "b+x@shop.de", "postmaster"])
def test_other_addresses_are_none_of_ours(address: str) -> None:
    assert RETURNS.read(address) is None


def test_others_cannot_make_one() -> None:
    good = RETURNS.address(UUID(int=5), DOMAIN)
    local = good.partition("@")[0]
    changed = [local[:at] + ("a" if local[at] != "a" else "b") + local[at + 1 :] for at in range(2, len(local) - 1)]
    for forged in [*changed, "b+", "b+a", local + "aa", "b+\u00e4", "b+1!"]:
        with pytest.raises(ForgedError):
            RETURNS.read(f"{forged}@bounces.example.com")
    with pytest.raises(ForgedError):
        ReturnPaths(NEW, DOMAIN).read(good)


def test_keys_rotate() -> None:
    rotated = ReturnPaths(NEW | OLD, DOMAIN)
    assert rotated.read(RETURNS.address(UUID(int=5), DOMAIN)) == UUID(int=5)
    with pytest.raises(ForgedError):
        RETURNS.read(rotated.address(UUID(int=5), DOMAIN))


def test_one_of_any_domain_proves_itself() -> None:
    theirs = RETURNS.address(UUID(int=5), "bounces.shop.de")
    for reader in (RETURNS, ReturnPaths(OLD)):
        assert reader.read(theirs) == UUID(int=5)
        with pytest.raises(ForgedError):
            reader.read(f"b+{'a' * 52}@bounces.shop.de")
        assert reader.read("b+newsletter@shop.de") is None
