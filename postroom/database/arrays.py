"""Columns of many rows, spelled binary in one go: psycopg goes element by element, which takes ten times as long."""

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format
from psycopg.types.json import JsonLoader
from pydantic_core import from_json

_NULL = struct.pack("!i", -1)
_INTEGER = struct.Struct("!i")
_MOMENT = struct.Struct("!q")
_SPAN = struct.Struct("!qii")  # microseconds, days, months
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HEAD = struct.Struct(
    "!iiIii"
)  # dimensions, whether there may be NULLs, the element's type, their number, the first index
_EMPTY = struct.Struct("!iiI")


class Uuids(list[UUID | None]):
    """A column of ids."""


class Texts(list[str | None]):
    """A column of words."""


class Octets(list[bytes | None]):
    """A column of bytes."""


class Integers(list[int | None]):
    """A column of 32-bit numbers."""


class Moments(list[datetime | None]):
    """A column of instants."""


class Spans(list[timedelta | None]):
    """A column of lengths of time."""


def column_adapters() -> AdaptersMap:
    """Return psycopg's adapters and those of the columns here, for the connections that carry them."""
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_dumper(Uuids, _dumper("uuid", lambda one: one.bytes))
    adapters.register_dumper(Texts, _dumper("text", str.encode))
    adapters.register_dumper(Octets, _dumper("bytea", bytes))
    adapters.register_dumper(Integers, _dumper("int4", _INTEGER.pack))
    adapters.register_dumper(Moments, _dumper("timestamptz", lambda one: _MOMENT.pack((one - _EPOCH) // _MICROSECOND)))
    adapters.register_dumper(Spans, _dumper("interval", lambda one: _SPAN.pack(one // _MICROSECOND, 0, 0)))
    adapters.register_loader("json", _Json)
    adapters.register_loader("jsonb", _Json)
    return adapters


class _Json(JsonLoader):
    """Reads JSON: every row of a claim has six small values of it, for which `json` takes seven times as long."""

    _loads = staticmethod(from_json)


def _dumper(name: str, spell: Callable[[Any], bytes]) -> type[Dumper]:
    kind = psycopg.adapters.types[name]

    class Column(Dumper):
        format = Format.BINARY
        oid = kind.array_oid

        def dump(self, obj: list[Any]) -> Buffer:
            """Spell a column."""
            if not obj:
                return _EMPTY.pack(0, 1, kind.oid)
            elements = [_NULL if one is None else _INTEGER.pack(len(octets := spell(one))) + octets for one in obj]
            return _HEAD.pack(1, 1, kind.oid, len(obj), 1) + b"".join(elements)

    return Column
