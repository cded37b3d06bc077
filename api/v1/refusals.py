"""How the documentation describes what a route may refuse."""

from typing import Any

from pydantic import BaseModel, Field

from api.problems import MEDIA_TYPE


class FieldProblem(BaseModel):
    """One bad field: a pointer into the body, or the name of a parameter."""

    pointer: str | None = Field(default=None, examples=["/metadata/email"])
    parameter: str | None = Field(default=None, examples=[None])
    code: str = Field(examples=["invalid_recipient"])
    detail: str = Field(examples=["This is not one plain e-mail address."])
    line: int | None = Field(default=None, examples=[None], description="Where in a template's source, from 1.")
    column: int | None = Field(default=None, examples=[None])


class ProblemView(BaseModel):
    """RFC 9457 problem details; `code` is stable, the sentences are for people."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    code: str = Field(examples=["invalid_recipient"])
    detail: str = Field(examples=["This is not one plain e-mail address."])
    instance: str = Field(examples=["urn:postroom:request:019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"])
    errors: list[FieldProblem] = Field(default_factory=list)


SENTENCES = {
    400: "The body is not JSON (`malformed_json`)",
    401: "No key, or not a good one (`key_missing`, `key_unknown`, `key_expired`, `key_revoked`)",
    403: "The key lacks the scope (`insufficient_scope`)",
    404: "There is no such thing, or it belongs to another tenant (`not_found`)",
    408: "The body did not arrive (`request_timeout`)",
    409: "The state of the notification does not allow this",
    413: "The body or its attachments are too large (`payload_too_large`)",
    415: "The body is not application/json (`unsupported_media_type`)",
    422: "A field is wrong; `errors` says which",
    429: "Too much at once; Retry-After says when to come back",
    503: "The database cannot be reached, or did not confirm in time (`storage_unavailable`)",
}
ALWAYS = (401, 403, 422, 429, 503)
WITH_BODY = (400, 408, 413, 415)


def refusals(*more: int) -> dict[int | str, dict[str, Any]]:
    """Return the refusals every route has, and the given ones."""
    return {
        status: {
            "description": SENTENCES[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemView"}}},
        }
        for status in sorted({*ALWAYS, *more})
    }


def problem_schemas() -> dict[str, Any]:
    """Return the schemas that the refusals refer to."""
    schema = ProblemView.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "ProblemView": schema}
