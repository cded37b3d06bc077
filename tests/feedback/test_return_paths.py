"""An envelope sender names its delivery, survives what servers do to it, and cannot be made by others."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.channels.email.addresses import clean_address, is_wire_safe
from postroom.feedback.return_paths import ForgedError, ReturnPaths

OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}
RETURNS = ReturnPaths(OLD, "bounces.example.com")


@given(st.uuids())
def test_what_was_made_is_read(delivery_id: UUID) -> None:
    address = RETURNS.address(delivery_id)
    assert RETURNS.read(address) == RETURNS.read(f" <{address.upper()}> ") == delivery_id
    assert RETURNS.address(delivery_id) == address
    assert len(address.partition("@")[0]) <= 64
    assert is_wire_safe(address)
    assert clean_address(address) == address


@pytest.mark.parametrize("address", ["", "ada@shop.de", "ada@bounces.example.com", "b+x@shop.de", "postmaster"])
def test_other_addresses_are_none_of_ours(address: str) -> None:
    assert RETURNS.read(address) is None


def test_others_cannot_make_one() -> None:
    good = RETURNS.address(UUID(int=5))
    local = good.partition("@")[0]
    changed = [local[:at] + ("a" if local[at] != "a" else "b") + local[at + 1 :] for at in range(2, len(local) - 1)]
    for forged in [*changed, "b+", "b+a", local + "aa", "b+\u00e4", "b+1!"]:
        with pytest.raises(ForgedError):
            RETURNS.read(f"{forged}@bounces.example.com")
    with pytest.raises(ForgedError):
        ReturnPaths(NEW, RETURNS.domain).read(good)


def test_keys_rotate() -> None:
    rotated = ReturnPaths(NEW | OLD, RETURNS.domain)
    assert rotated.read(RETURNS.address(UUID(int=5))) == UUID(int=5)
    with pytest.raises(ForgedError):
        RETURNS.read(rotated.address(UUID(int=5)))
