"""One step of an export of contacts: the header, or the next page of people, as a sealed piece of one CSV text."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.audiences.rules import Selection, compile_rule
from postroom.contact_files.cells import kind_of, spelled, spelled_tags
from postroom.contact_files.columns import MOST_COLUMNS, Column, Part, attribute_column, read_columns
from postroom.contact_files.ending import end_file
from postroom.contact_files.models import FileState
from postroom.contracts.contact_files import FileStanding
from postroom.contracts.vocabulary import MessageClass
from postroom.csv_lines import csv_lines
from postroom.database.engine import Connection, Database
from postroom.tenants.secrets import Seal
from postroom.timing import Timing

PAGE = 2_000
PLAIN = (Part.USER_ID, Part.EMAIL, Part.WEBHOOK, Part.TIME_ZONE, Part.LANGUAGE, Part.TAGS)

FILE = """
SELECT f.job_id, f.tenant_id, f.state, f.terms, f.position, f.reached, f.counts, j.total
FROM contact_files f JOIN jobs j ON j.id = f.job_id WHERE f.job_id = %(job_id)s
"""
# What no column of text gives back as it was is spelt as JSON.
ATTRIBUTES = """
SELECT DISTINCT a.key AS name, CASE jsonb_typeof(a.value) WHEN 'number' THEN 'number' WHEN 'boolean' THEN 'boolean'
    WHEN 'string' THEN CASE WHEN btrim(a.value #>> '{{}}', E' \\t\\r\\n') = '' THEN 'json' ELSE 'text' END
    ELSE 'json' END AS kind
FROM contacts k, jsonb_each(k.attributes) a WHERE {selected} ORDER BY name, kind LIMIT %(limit)s
"""
CHANNELS = """
SELECT DISTINCT c AS channel FROM contacts k, jsonb_object_keys(k.consent -> 'marketing') c
WHERE {selected} ORDER BY channel
"""
PEOPLE = """
SELECT k.user_id, k.addresses, k.time_zone, k.language, k.attributes, k.consent,
       ARRAY(SELECT g.tag FROM contact_tags g WHERE g.tenant_id = k.tenant_id AND g.user_id = k.user_id
             ORDER BY g.tag) AS tags
FROM contacts k WHERE {selected} AND k.user_id > %(reached)s ORDER BY k.user_id LIMIT %(limit)s
"""
# Two that write the same file take turns here; one that ended meanwhile gets no more.
LOCK = """
SELECT job_id FROM contact_files WHERE job_id = %(job_id)s AND state = 'open' AND position = %(position)s
FOR NO KEY UPDATE
"""
PUT = """
INSERT INTO contact_file_pieces (job_id, position, tenant_id, key_id, content)
VALUES (%(job_id)s, %(position)s, %(tenant_id)s, %(key_id)s, %(content)b)
"""
REACHED = """
UPDATE contact_files SET position = position + 1, pieces = position + 1, reached = %(reached)s, terms = %(terms)s,
    counts = %(counts)s, pokes = 0, next_poke_at = now() + %(grace)s
WHERE job_id = %(job_id)s
"""
# Whoever came or left since they were counted is in the figures at the end.
TOTAL = "UPDATE jobs SET total = %(total)s WHERE id = %(job_id)s"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ContactExporter:
    """Takes steps of exports; what it writes is sealed."""

    database: Database
    seal: Seal
    timing: Timing
    page: int = PAGE

    async def step(self, tenant_id: UUID, job_id: UUID) -> FileStanding:
        """Write the next piece, and say how the export stands then."""
        async with self.database.tenant_transaction(tenant_id) as connection:
            file = await (await connection.execute(FILE, {"job_id": job_id})).fetchone()
            if file is None:
                return FileStanding("gone")
            if file["state"] != FileState.OPEN:
                return _standing(file, FileState(file["state"]))
            selected = compile_rule(file["terms"]["rule"], tenant_id)
            if "columns" not in file["terms"]:
                return await self._begin(connection, file, selected)
            people = await self._people(connection, file, selected)
            if not people:
                await connection.execute(TOTAL, {"job_id": job_id, "total": file["counts"]["exported"]})
                await end_file(connection, job_id, (FileState.DONE, None), self.timing.export_life)
                return _standing(file, FileState.DONE)
        text = await asyncio.to_thread(_page, read_columns(file["terms"]["columns"]), people)
        counts = {"exported": file["counts"]["exported"] + len(people)}
        await self._put(file, text, {"counts": json.dumps(counts), "reached": people[-1]["user_id"]})
        return _standing(file, FileState.OPEN)

    async def _people(self, connection: Connection, file: Row, selected: Selection) -> Sequence[Row]:
        asked = {**selected.parameters, "reached": file["reached"], "limit": self.page}
        return await (await connection.execute(PEOPLE.format(selected=selected.sql), asked)).fetchall()

    async def _begin(self, connection: Connection, file: Row, selected: Selection) -> FileStanding:
        """Find which columns there are to be, and write the header."""
        asked = {**selected.parameters, "limit": MOST_COLUMNS}
        found = await connection.execute(ATTRIBUTES.format(selected=selected.sql), asked)
        names = [attribute_column(row["name"], row["kind"]) async for row in found]
        channels = await connection.execute(CHANNELS.format(selected=selected.sql), selected.parameters)
        for channel in [row["channel"] async for row in channels]:
            given = f"consent.marketing.{channel}"
            names += [given, f"{given}.{Part.GIVEN_AT}", f"{given}.{Part.GIVEN_SOURCE}"]
        columns = [*map(str, PLAIN), *names]
        if len(columns) > MOST_COLUMNS:
            end = FileState.CANCELLED, "too_many_columns"
            await end_file(connection, file["job_id"], end, self.timing.export_life)
            return _standing(file, FileState.CANCELLED)
        terms = file["terms"] | {"columns": columns}
        written = {"counts": json.dumps({"exported": 0}), "reached": ""}
        await self._write(connection, {**file, "terms": terms}, csv_lines([columns]), written)
        return _standing(file, FileState.OPEN)

    async def _put(self, file: Row, text: str, reached: Row) -> None:
        async with self.database.tenant_transaction(file["tenant_id"]) as connection:
            await self._write(connection, file, text, reached)

    async def _write(self, connection: Connection, file: Row, text: str, reached: Row) -> None:
        place = {name: file[name] for name in ("job_id", "tenant_id", "position")}
        if await (await connection.execute(LOCK, place)).fetchone() is None:
            return
        sealed = self.seal.seal(text, tenant_id=file["tenant_id"], row_id=file["job_id"])
        await connection.execute(PUT, {**place, "key_id": sealed.key_id, "content": sealed.content})
        more = {"terms": json.dumps(file["terms"]), "grace": self.timing.watch_grace}
        await connection.execute(REACHED, {**place, **reached, **more})


def _page(columns: Sequence[Column], people: Sequence[Row]) -> str:
    """Spell a page, beside the event loop."""
    return csv_lines([[_cell(column, person) for column in columns] for person in people])


def _cell(column: Column, person: Row) -> str:
    if column.part in (Part.EMAIL, Part.WEBHOOK):
        return str(person["addresses"].get(column.part, ""))
    if column.part is Part.ATTRIBUTE:
        return _attribute(column, person["attributes"])
    if column.part is Part.TAGS:
        return spelled_tags(person["tags"])
    if column.part in (Part.GIVEN, Part.GIVEN_AT, Part.GIVEN_SOURCE):
        said = person["consent"].get(MessageClass.MARKETING, {}).get(column.of, {})
        value = said.get("given" if column.part is Part.GIVEN else str(column.part))
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return person[column.part] or ""


def _attribute(column: Column, attributes: Row) -> str:
    """Spell an attribute in the column of its own kind; it has several when people have different ones."""
    if column.of not in attributes:
        return ""
    value = attributes[column.of]
    kind = kind_of(value)
    return spelled(value, kind) if attribute_column(column.of, kind) == column.name else ""


def _standing(file: Row, state: FileState) -> FileStanding:
    return FileStanding(state, file["counts"].get("exported", 0), file["total"])
