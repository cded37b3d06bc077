"""The errors of the product: each has a stable code and the HTTP status an edge may answer with."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field: a JSON pointer into the body (RFC 6901), a code and a sentence for the caller.

    Inside a long text a line and a column say where, both counted from 1.
    """

    pointer: str
    code: str
    detail: str
    line: int | None = None
    column: int | None = None


class PostroomError(Exception):
    """Base of everything the product refuses on purpose."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        retry_after: float | None = None,
    ) -> None:
        """Take the sentence for the caller; `retry_after` is in seconds."""
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.errors = tuple(errors)
        self.retry_after = retry_after


class Invalid(PostroomError):
    """The payload is wrong; `errors` says where."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid_request"

    @classmethod
    def at(cls, pointer: str, code: str, detail: str) -> Self:
        """Refuse one field, named by a JSON pointer into the body."""
        return cls(detail, code=code, errors=[FieldError(pointer, code, detail)])


class Unauthenticated(PostroomError):
    """No key, or one that is unknown, expired or revoked."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthenticated"


class Forbidden(PostroomError):
    """The key is good but may not do this."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"


class NotFound(PostroomError):
    """There is no such thing, or it belongs to another tenant: the caller cannot tell which."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class Conflict(PostroomError):
    """The state of the thing does not allow this now."""

    status = HTTPStatus.CONFLICT
    code = "state_conflict"


class TooLarge(PostroomError):
    """The body or one of its parts is over its cap."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "payload_too_large"


class TooMany(PostroomError):
    """A rate or backlog limit was reached; `retry_after` says when to come back."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "rate_limited"


class Unavailable(PostroomError):
    """The record itself cannot be reached; nothing was accepted."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "storage_unavailable"
