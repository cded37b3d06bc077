"""Every refusal as application/problem+json (RFC 9457): a stable code, a sentence, and where in the request it is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg.errors import QueryCanceled, ReadOnlySqlTransaction
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from api.sentences import sentence
from postroom.errors import Invalid, PostroomError, Unauthenticated, Unavailable
from postroom.rates import RateExceeded

MEDIA_TYPE = "application/problem+json"
NAME_LENGTH = 100
ERRORS = 100  # more wrong fields than these are only counted: naming them would hold up everybody else
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

CODES = {
    "missing": "field_required",
    "extra_forbidden": "unknown_field",
    "string_too_long": "too_long",
    "too_long": "too_many",
    "string_too_short": "too_short",
    "too_short": "too_few",
    "string_unicode": "invalid_characters",
    "enum": "unknown_value",
    "literal_error": "unknown_value",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "int_parsing_size": "out_of_range",
    "string_pattern_mismatch": "wrong_format",
}
WRONG_TYPE = ("_type", "_parsing", "_from_float", "_attributes_type")
NOT_JSON = ("malformed_json", "The body is not valid JSON.")
PLAIN = {
    HTTPStatus.BAD_REQUEST: NOT_JSON,
    HTTPStatus.NOT_FOUND: ("not_found", "There is nothing at this address."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "This cannot be done here; the Allow header says what can."),
}


class TooExpensive(Invalid):
    """The question would take the database too long."""

    code = "query_too_expensive"


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal about to be written."""

    status: HTTPStatus
    code: str
    detail: str
    errors: Sequence[Mapping[str, Any]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, error: PostroomError) -> "Problem":
        """Describe one of the product's own errors."""
        errors = [{name: value for name, value in asdict(one).items() if value is not None} for one in error.errors]
        headers = {}
        if error.retry_after is not None:
            headers["Retry-After"] = str(max(1, round(error.retry_after)))
        if isinstance(error, Unauthenticated):
            headers["WWW-Authenticate"] = "Bearer"
        return cls(error.status, error.code, error.detail, errors, headers)

    def response(self, request_id: str) -> Response:
        """Write it down."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "code": self.code,
            "detail": self.detail,
            "instance": f"urn:postroom:request:{request_id}",
        }
        if self.errors:
            body["errors"] = self.errors
        return JSONResponse(body, self.status, headers=dict(self.headers), media_type=MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Make every error of this application a problem."""
    app.add_exception_handler(PostroomError, _own)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(psycopg.Error, _database)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(PoolTimeout, _database)


def _answer(request: Request, problem: Problem) -> Response:
    return problem.response(request.scope["exchange"].id)


def _own(request: Request, error: Exception) -> Response:
    if isinstance(error, RateExceeded):
        request.scope["exchange"].standing = error.standing
    if not isinstance(error, PostroomError):
        raise error
    return _answer(request, Problem.of(error))


def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status, headers = HTTPStatus(error.status_code), dict(error.headers or {})
    code, detail = PLAIN.get(status, (status.name.lower(), status.description or status.phrase))
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(method for method in METHODS if _is_done(request, method))
    return _answer(request, Problem(status, code, detail, headers=headers))


def _is_done(request: Request, method: str) -> bool:
    """Tell whether a path knows a method: every route of it counts, not only the first."""
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


def _database(request: Request, error: Exception) -> Response:
    """The record is away, or was asked too much; anything else about it is a defect of ours."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, QueryCanceled):
        return _answer(request, Problem.of(TooExpensive("This list takes too long; narrow it with filters.")))
    away = (psycopg.OperationalError, psycopg.InterfaceError, ReadOnlySqlTransaction, PoolTimeout)
    if isinstance(cause, away):
        return _answer(request, Problem.of(Unavailable("The database cannot be reached.", retry_after=5)))
    raise error


def _validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    raw = error.errors()
    if raw[0]["type"] == "json_invalid":
        return _answer(request, Problem(HTTPStatus.BAD_REQUEST, *NOT_JSON))
    if len(raw) > ERRORS:
        return _answer(request, Problem.of(only_counted(len(raw))))
    errors = [_field_error(one) for one in raw]
    codes = {one["code"] for one in errors}
    code = codes.pop() if len(codes) == 1 else Invalid.code
    detail = errors[0]["detail"] if len(errors) == 1 else f"{len(errors)} fields are wrong."
    return _answer(request, Problem(Invalid.status, code, detail, errors))


def only_counted(wrong: int) -> Invalid:
    """Refuse a body with more wrong fields than anybody would read about."""
    return Invalid(f"{wrong} fields are wrong.")


def _field_error(one: Mapping[str, Any]) -> dict[str, str]:
    """Say where: a pointer into the body (RFC 6901), or the name of a parameter."""
    place, *path = one["loc"]
    names = [_spelled(part) for part in path]
    where = {"pointer": "".join(f"/{_escaped(name)}" for name in names)} if place == "body" else {"parameter": names[0]}
    kind = str(one["type"])
    code = CODES.get(kind, "wrong_type" if kind.endswith(WRONG_TYPE) else kind)
    return where | {"code": code, "detail": sentence(one)}


def _spelled(part: object) -> str:
    return str(part)[:NAME_LENGTH].encode("utf-8", "replace").decode()


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
