"""The documentation page: the OpenAPI description as plain HTML, without scripts and without other hosts."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

TEMPLATES = Path(__file__).parent / "templates"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

Schema = Mapping[str, Any]

_CODE = re.compile("`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a body, or one parameter."""

    name: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    open: bool
    parameters: list[Member]
    members: list[Member]
    request: str | None
    answers: list[tuple[str, str]]


def reference_routes(app: FastAPI) -> APIRouter:
    """Return the route of the page."""
    router = APIRouter(include_in_schema=False)

    @cache
    def page() -> str:
        environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
        environment.filters["words"] = words
        description = app.openapi()
        return environment.get_template("reference.html").render(info=description["info"], groups=_groups(description))

    @router.get("/docs")
    async def reference() -> HTMLResponse:
        return HTMLResponse(page(), headers={"Content-Security-Policy": POLICY})

    return router


def words(text: str) -> Markup:
    """Show what stands between backticks as code; everything else as it is written."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped one step before


def _groups(description: Schema) -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(description, path, method, operation))
    return groups


def _operation(description: Schema, path: str, method: str, operation: Schema) -> Operation:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    schema = _resolved(description, body)
    examples = schema.get("examples")
    return Operation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        open="security" not in operation,
        parameters=[
            Member(one["name"], f"{one['in']} {_kind(one['schema'])}", one["required"], one.get("description", ""))
            for one in operation.get("parameters", ())
        ],
        members=list(_members(schema)),
        request=json.dumps(examples[0], indent=2, ensure_ascii=False) if examples else None,
        answers=[(status, answer["description"]) for status, answer in sorted(operation["responses"].items())],
    )


def _members(schema: Schema) -> Iterator[Member]:
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        yield Member(name, _kind(member), name in required, member.get("description", ""))


def _kind(schema: Schema) -> str:
    """Name a type the way a reader would."""
    if "anyOf" in schema:
        return " or ".join(kind for kind in map(_kind, schema["anyOf"]) if kind != "null")
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("format") or schema.get("type") or "value")


def _resolved(description: Schema, schema: Schema) -> Schema:
    if "$ref" in schema:
        found: Schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema
