"""The description is complete: every route has an example, a summary and its refusals; the page needs nobody else."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.app import create_app
from api.reference import words
from postroom.settings import Settings
from tests.fixtures.plain_http import plain_client

Schema = dict[str, Any]
TEMPLATE_ROUTES = {
    "/templates": "post get",
    "/templates/{ref}": "get put delete",
    "/templates/{ref}/versions": "get",
    "/templates/{ref}/versions/{number}": "get",
    "/templates/{ref}/versions/{number}/submit": "post",
    "/templates/{ref}/versions/{number}/approve": "post",
    "/templates/{ref}/versions/{number}/reject": "post",
    "/templates/{ref}/versions/{number}/retire": "post",
    "/templates/{ref}/events": "get",
    "/templates/{ref}/results": "get",
    "/template-sets": "post get",
    "/template-sets/{ref}": "get put delete",
    "/settings/variables": "get put",
    "/settings/variables/{name}": "get put delete",
    "/settings/review": "get put",
    "/settings/review/events": "get",
}
CAMPAIGN_ROUTES = {
    "/campaigns": "post get",
    "/campaigns/send": "post",
    "/campaigns/{id}": "get put delete",
    "/tasks": "post get",
    "/tasks/{id}": "get put delete",
    "/tasks/{id}/duplicate": "post",
    "/tasks/{id}/submit": "post",
    "/tasks/{id}/approve": "post",
    "/tasks/{id}/reject": "post",
    "/tasks/{id}/withdraw": "post",
    "/tasks/{id}/launch": "post",
    "/tasks/{id}/events": "get",
    "/tasks/{id}/recipients/{user_id}": "get",
} | {
    f"/{noun}/{{id}}/{signal}": "put" if signal == "pace" else "post"
    for noun in ("campaigns", "tasks")
    for signal in ("pause", "resume", "cancel", "pace", "skip", "retry")
}


@pytest.fixture
def description(settings: Settings) -> Schema:
    return create_app(settings).openapi()


def operations(description: Schema) -> Iterator[tuple[str, Schema]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def resolved(description: Schema, schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    found: Schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def has_example(description: Schema, schema: Schema) -> bool:
    """An example of its own, or one at every required member that is no reference."""
    schema = resolved(description, schema)
    if "examples" in schema:
        return True
    members = schema.get("properties", {})
    return any("examples" in member for member in members.values())


def test_no_schema_is_named_after_a_file(description: Schema) -> None:
    assert [name for name in description["components"]["schemas"] if "__" in name] == []


def test_every_body_and_answer_has_an_example(description: Schema) -> None:
    count = 0
    for name, operation in operations(description):
        answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        for part in [*answers, operation.get("requestBody")]:
            if part is None or "content" not in part:
                continue
            kinds = part["content"]
            if "application/json" not in kinds and all("example" in kind for kind in kinds.values()):
                continue  # a sheet, a stream: shown by an example of their own
            schema = next(iter(kinds.values()))["schema"]  # JSON, or the file it is
            plain = resolved(description, schema)
            assert has_example(description, schema) or set(plain["properties"]) <= {"items", "next_cursor", "status"}, (
                name
            )
            count += 1
    assert count > 20


def test_every_route_is_described_and_says_what_it_refuses(description: Schema) -> None:
    names = set()
    for name, operation in operations(description):
        assert operation["summary"], name
        assert operation["description"], name
        names.add(operation["operationId"])
        if "security" not in operation:
            assert {"health", "downloads"} & {*operation["tags"]}, name
            continue
        for status in ("401", "403", "422", "429", "503"):
            schema = operation["responses"][status]["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ProblemView"}, (name, status)
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                assert "examples" in {*parameter, *parameter["schema"]}, (name, parameter["name"])
    assert len(names) == len(list(operations(description)))


def test_references_lead_somewhere(description: Schema) -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (value["$ref"],) if "$ref" in value else ()
            for one in value.values():
                yield from references(one)
        elif isinstance(value, list):
            for one in value:
                yield from references(one)

    known = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}
    assert set(references(description)) <= known


def test_what_the_issue_asks_for_is_there(description: Schema) -> None:
    routes = {name for name, _ in operations(description)}
    one = "/api/v1/notifications/{id}"
    assert routes == {
        "get /api/v1/digests",
        "get /api/v1/digests/{id}",
        "post /api/v1/digests/{id}/close",
        "post /api/v1/notifications",
        "post /api/v1/notifications/send",
        "get /api/v1/notifications",
        f"get {one}",
        f"get {one}/status",
        f"get {one}/timeline",
        f"post {one}/cancel",
        f"post {one}/reschedule",
        f"post {one}/send-now",
        f"post {one}/retry",
        "post /api/v1/notifications/batch",
        "post /api/v1/templates/preview",
        "post /api/v1/templates/preflight",
        "post /api/v1/templates/{ref}/preview",
        "post /api/v1/templates/{ref}/preflight",
        "post /api/v1/templates/{ref}/test-send",
        "post /api/v1/feedback/mail",
        "post /api/v1/feedback/sources",
        "get /api/v1/feedback/sources",
        "delete /api/v1/feedback/sources/{id}",
        "get /api/v1/jobs",
        "get /api/v1/jobs/{id}",
        "get /api/v1/jobs/{id}/failures",
        "post /api/v1/jobs/{id}/cancel",
        "post /api/v1/jobs/{id}/retry",
        "get /api/v1/jobs/{id}/result",
        "get /api/v1/jobs/{id}/events",
        "post /api/v1/contacts/imports",
        "post /api/v1/contacts/exports",
        "get /api/v1/jobs/{id}/errors",
        "get /api/v1/jobs/{id}/errors.csv",
        "get /api/v1/jobs/{id}/file",
        "get /api/v1/exports/{name}",
        "post /api/v1/contacts/{user_id}/export",
        "post /api/v1/contacts/{user_id}/erasure",
        "post /api/v1/suppressions",
        "post /api/v1/suppressions/bulk",
        "post /api/v1/suppressions/check",
        "get /api/v1/suppressions",
        "delete /api/v1/suppressions/{id}",
        "get /api/v1/stats",
        "get /api/v1/users/{user_id}/notifications",
        "get /api/v1/contacts",
        "put /api/v1/contacts/{user_id}",
        "patch /api/v1/contacts/{user_id}",
        "get /api/v1/contacts/{user_id}/preferences",
        "put /api/v1/contacts/{user_id}/preferences",
        "get /api/v1/contacts/{user_id}/preferences/changes",
        "get /api/v1/notification-types",
        "put /api/v1/notification-types/{name}",
        "get /api/v1/notification-types/{name}",
        "delete /api/v1/notification-types/{name}",
        "get /api/v1/subscriptions",
        "put /api/v1/subscriptions",
        "post /api/v1/subscriptions",
        "delete /api/v1/subscriptions",
        "get /api/v1/contacts/{user_id}",
        "put /api/v1/contacts/{user_id}/tags/{tag}",
        "delete /api/v1/contacts/{user_id}/tags/{tag}",
        "get /api/v1/tags",
        "post /api/v1/audiences/count",
        "get /api/v1/audiences",
        "put /api/v1/audiences/{name}",
        "get /api/v1/audiences/{name}",
        "delete /api/v1/audiences/{name}",
        "post /api/v1/audiences/sample",
        "patch /api/v1/tags/{tag}",
        "delete /api/v1/tags/{tag}",
        "post /api/v1/tags/{tag}/contacts",
        "get /api/v1/users/{user_id}/inbox",
        "get /api/v1/users/{user_id}/inbox/unread-count",
        "post /api/v1/users/{user_id}/inbox/{id}/read",
        "post /api/v1/users/{user_id}/inbox/read-all",
        "post /api/v1/mail-domains",
        "get /api/v1/mail-domains",
        "get /api/v1/mail-domains/{id}",
        "delete /api/v1/mail-domains/{id}",
        "post /api/v1/mail-domains/{id}/check",
        "post /api/v1/mail-domains/{id}/rotate-key",
        "post /api/v1/webhook-endpoints",
        "get /api/v1/webhook-endpoints",
        "get /api/v1/webhook-endpoints/{id}",
        "patch /api/v1/webhook-endpoints/{id}",
        "delete /api/v1/webhook-endpoints/{id}",
        "post /api/v1/webhook-endpoints/{id}/rotate-secret",
        "post /api/v1/webhook-endpoints/{id}/test",
        "post /api/v1/webhook-endpoints/{id}/replay",
        "get /api/v1/tasks/{id}/report",
        "get /api/v1/tasks/{id}/report/stream",
        "get /api/v1/tasks/{id}/recipients",
        "get /api/v1/tasks/{id}/recipients.csv",
        "get /api/v1/campaigns/{id}/report",
        "get /api/v1/reports/campaigns",
        "get /api/v1/settings/guard-rails",
        "put /api/v1/settings/guard-rails",
        "get /api/v1/settings/policy",
        "put /api/v1/settings/policy",
        "post /api/v1/policy/dry-run",
        "post /api/v1/schedules",
        "get /api/v1/schedules",
        "get /api/v1/schedules/{id}",
        "put /api/v1/schedules/{id}",
        "delete /api/v1/schedules/{id}",
        "post /api/v1/schedules/{id}/pause",
        "post /api/v1/schedules/{id}/resume",
        "post /api/v1/schedules/{id}/trigger",
        "get /api/v1/schedules/{id}/runs",
        "post /api/v1/sequences",
        "get /api/v1/sequences",
        "get /api/v1/sequences/{id}",
        "put /api/v1/sequences/{id}",
        "delete /api/v1/sequences/{id}",
        "post /api/v1/sequences/events",
        "post /api/v1/sequences/{id}/enrolments",
        "post /api/v1/sequences/{id}/enrolments/batch",
        "get /api/v1/sequences/{id}/enrolments",
        "get /api/v1/sequences/{id}/enrolments/{enrolment_id}",
        "post /api/v1/sequences/{id}/enrolments/{enrolment_id}/stop",
        "post /api/v1/admin/sender-services",
        "get /api/v1/admin/sender-services",
        "get /api/v1/admin/sender-services/{id}",
        "put /api/v1/admin/sender-services/{id}",
        "delete /api/v1/admin/sender-services/{id}",
        "post /api/v1/admin/sender-services/{id}/set-status",
        "get /api/v1/admin/sender-services/{id}/usage",
        "post /api/v1/admin/sender-services/{id}/test",
        "get /api/v1/admin/users/{user_id}/sender-services",
        "post /api/v1/admin/users/{user_id}/sender-services",
        "get /health",
        "get /ready",
    } | {
        f"{method} /api/v1{path}"
        for routes in (TEMPLATE_ROUTES, CAMPAIGN_ROUTES)
        for path, methods in routes.items()
        for method in methods.split()
    }


async def test_the_page_stands_alone(api_url: str, description: Schema) -> None:
    async with plain_client(base_url=api_url) as wire:
        page = await wire.get("/docs")
        machine = await wire.get("/openapi.json")
    assert page.status_code == machine.status_code == 200
    assert "<script" not in page.text
    assert "src=" not in page.text
    assert 'href="http' not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in description["paths"]:
        assert path in page.text
    assert machine.json() == description


def test_what_stands_between_backticks_is_code_and_nothing_else_is_markup() -> None:
    assert words("with `time_zone` <b>") == "with <code>time_zone</code> &lt;b&gt;"
    assert words("a lone ` stays") == "a lone ` stays"
