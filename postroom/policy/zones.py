"""A zone as somebody wrote it down once, found in the database of zones as it is now."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.core import get_global

UTC_NAME = "UTC"


@dataclass(frozen=True, slots=True)
class Zone:
    """Where a clock hangs; `lost` tells that nobody knows the name any more, and that the clock shows UTC instead."""

    name: str
    info: ZoneInfo
    lost: bool = False

    @property
    def shown(self) -> str:
        """Whose time its clock shows."""
        return UTC_NAME if self.lost else self.name


@lru_cache(maxsize=1024)
def find_zone(name: str) -> Zone:
    """Find a zone by its name, by what the name became, or else UTC: a stored name never raises.

    Zones are renamed (Europe/Kiev, Asia/Calcutta) and the old names are kept as links, but not by every build of the
    database; CLDR's aliases lead from one spelling to the others.
    """
    for spelling in (name, *spellings(name)):
        if info := _known(spelling):
            return Zone(name, info)
    return Zone(name, ZoneInfo(UTC_NAME), lost=True)


def _known(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # no such file, a path instead of a name, a folder
        return None


def spellings(name: str) -> list[str]:
    """Return the names by which a zone is known besides, the present one first."""
    aliases: Mapping[str, str] = get_global("zone_aliases")
    canonical = aliases.get(name, name)
    return [canonical, *sorted(old for old, kept in aliases.items() if kept == canonical)]
