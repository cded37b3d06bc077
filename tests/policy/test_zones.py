from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from postroom.policy import zones
from postroom.policy.zones import Zone, find_zone


@pytest.mark.parametrize(
    "name", ["Mars/X", "", "../../etc/passwd", "Europe", "europe/" + "x" * 300, "a\0b", "/etc/localtime"]
)
def test_a_name_nobody_knows_is_utc_and_says_so(name: str) -> None:
    zone = find_zone(name)
    assert (zone.name, zone.info.key, zone.lost) == (name, "UTC", True)


@pytest.mark.parametrize(("old", "new"), [("Europe/Kiev", "Europe/Kyiv"), ("Asia/Calcutta", "Asia/Kolkata")])
def test_a_renamed_zone_is_found_by_either_name_in_a_database_that_has_but_one(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    for stored, kept in ((old, new), (new, old)):

        def only(name: str, kept: str = kept, gone: str = stored) -> ZoneInfo:
            if name == gone:
                raise ZoneInfoNotFoundError(name)
            return ZoneInfo(name)

        monkeypatch.setattr(zones, "ZoneInfo", only)
        find_zone.cache_clear()
        assert find_zone(stored) == Zone(stored, ZoneInfo(kept))
    find_zone.cache_clear()
