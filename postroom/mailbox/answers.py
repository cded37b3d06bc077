"""Problem details (RFC 9457) of the mailbox's own API, and the headers every page carries."""

from http import HTTPStatus

from starlette.responses import JSONResponse

# Nothing from elsewhere, nothing inline: a mail that breaks out of its place still cannot run or fetch anything.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A mail shown as HTML: no script, no form, no fetch but its own pictures, an origin of its own even in its own tab.
MAIL_POLICY = (
    "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; form-action 'none';"
    " base-uri 'none'; frame-ancestors 'self'"
)
FILE_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"


def problem(status: HTTPStatus, code: str, detail: str) -> JSONResponse:
    """Return an error as `application/problem+json` with a stable code."""
    body = {"type": "about:blank", "title": status.phrase, "status": int(status), "code": code, "detail": detail}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")
