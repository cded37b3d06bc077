"""How the pages say times, sizes and people."""

import zlib
from datetime import datetime

HUES = 8
_KILO = 1000


def clock(moment: datetime) -> str:
    """Say when, as short as it is clear: the time today, else the day too."""
    local, now = moment.astimezone(), datetime.now().astimezone()
    if local.date() == now.date():
        return f"{local:%H:%M:%S}"
    return f"{local.day} {local:%b %H:%M}" if local.year == now.year else f"{local.day} {local:%b %Y}"


def moment(moment: datetime) -> str:
    """Say exactly when."""
    local = moment.astimezone()
    return f"{local:%A}, {local.day} {local:%B %Y, %H:%M:%S %Z}"


def size(count: int) -> str:
    """Say how many bytes."""
    if count < _KILO:
        return f"{count} B"
    kilo = count / _KILO
    return f"{kilo:.1f} kB" if kilo < _KILO else f"{kilo / _KILO:.1f} MB"


def hue(address: str) -> int:
    """Give everyone a colour of their own."""
    return zlib.crc32(address.encode(errors="replace")) % HUES


def initial(address: str) -> str:
    """Return the letter on somebody's stamp."""
    return next((letter for letter in address if letter.isalnum()), "?").upper()[:1]
