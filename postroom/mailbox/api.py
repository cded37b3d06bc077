"""The mailbox as JSON: the list, one message, its source, clearing, and the evidence others reconcile with."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from postroom.mailbox import repository
from postroom.mailbox.answers import FILE_POLICY, problem
from postroom.mailbox.desk import Desk, number
from postroom.mailbox.letter import MESSAGE_ID_LIMIT, Summary
from postroom.mailbox.repository import Search

PAGE_LIMIT = 200
PAGE_DEFAULT = 50
QUESTION_LIMIT = 1_000
QUESTION_BYTES = 2_000_000


class Question(BaseModel):
    """Message-IDs somebody lost sight of, as they stand in the header, angle brackets included."""

    model_config = ConfigDict(extra="forbid")

    message_ids: list[Annotated[str, StringConstraints(max_length=MESSAGE_ID_LIMIT)]] = Field(max_length=QUESTION_LIMIT)


class Api:
    """The JSON routes in front of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return what the application serves under `/api`, and its health."""
        return [
            Route("/api/messages", self.list_messages),
            Route("/api/messages", self.clear_messages, methods=["DELETE"]),
            Route("/api/messages/{id}", self.show_message),
            Route("/api/messages/{id}/raw", self.raw_message),
            Route("/api/evidence", self.evidence, methods=["POST"]),
            Route("/health", self.health),
        ]

    async def list_messages(self, request: Request) -> Response:
        """Latest arrival first; `to` and `subject` filter by a part of them, `cursor` continues, `limit` is 1-200."""
        asked = request.query_params
        cursor, limit = asked.get("cursor"), number(asked.get("limit", str(PAGE_DEFAULT)))
        before = None if cursor is None else number(cursor)
        if limit is None or not 1 <= limit <= PAGE_LIMIT or (cursor is not None and before is None):
            return problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", "The cursor or the limit cannot be read."
            )
        search = Search(asked.get("to", ""), asked.get("subject", ""))
        found = await self._desk.read(lambda connection: repository.page(connection, search, before, limit + 1))
        following = str(found[limit - 1].cursor) if len(found) > limit else None
        return JSONResponse({"messages": [_summary(message) for message in found[:limit]], "next_cursor": following})

    async def show_message(self, request: Request) -> Response:
        """Everything about one message but its bytes."""
        message = await self._desk.summary(request)
        opened = await self._desk.opened(message)
        files = [
            {
                "number": part.number,
                "filename": part.filename,
                "content_type": part.content_type,
                "size": len(part.content),
            }
            for part in opened.files
        ]
        copies = [
            {
                "accepted_at": _time(copy.accepted_at),
                "recipients": copy.recipients,
                "sha256": copy.sha256,
                "size": copy.size,
            }
            for copy in await self._desk.copies(message)
        ]
        contents = {"headers": opened.headers, "text": opened.text, "html": opened.html, "attachments": files}
        return JSONResponse(_summary(message) | contents | {"copies_received": copies})

    async def raw_message(self, request: Request) -> Response:
        """The bytes as they were accepted."""
        message = await self._desk.summary(request)
        raw = await self._desk.text(message)
        if raw is None:
            return problem(HTTPStatus.GONE, "text_gone", "The text was let go to save room; its receipt is still here.")
        headers = {
            "Content-Disposition": f'attachment; filename="message-{message.id}.eml"',
            "Content-Security-Policy": FILE_POLICY,
        }
        return Response(raw, media_type="message/rfc822", headers=headers)

    async def clear_messages(self, _request: Request) -> Response:
        """Empty the list and let the texts go. Receipts stay: what was accepted remains accepted for `evidence`."""
        return JSONResponse({"cleared": await self._desk.journal.clear()})

    async def evidence(self, request: Request) -> Response:
        """Say which messages were accepted; the others are absent, and no transaction open now can still bring them."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Ask in JSON.")
        try:
            question = Question.model_validate_json(await _bounded_body(request))
        except ValidationError as error:
            detail = error.errors(include_url=False, include_input=False)[0]["msg"]
            return problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", f"The question cannot be read: {detail}."
            )
        found = await self._desk.reception.evidence(question.message_ids)
        answer: dict[str, Any] = {
            "found": {
                message_id: {"accepted_at": _time(proof.accepted_at), "copies": proof.copies}
                for message_id, proof in found.items()
            },
            "absent": [message_id for message_id in dict.fromkeys(question.message_ids) if message_id not in found],
            "silent_timeout_seconds": self._desk.reception.silent_timeout,
        }
        return JSONResponse(answer)

    async def health(self, _request: Request) -> Response:
        """Alive, and the journal can be read."""
        messages = await self._desk.read(repository.count)
        return JSONResponse({"status": "ok", "smtp_port": self._desk.smtp_port, "messages": messages})


async def _bounded_body(request: Request) -> bytes:
    """Read the body; one that is too long is cut, and then is no JSON."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > QUESTION_BYTES:
            break
    return bytes(body[:QUESTION_BYTES])


def _summary(message: Summary) -> dict[str, Any]:
    return {
        "id": message.id,
        "message_id": message.message_id,
        "mail_from": message.mail_from,
        "recipients": message.recipients,
        "from": message.author,
        "subject": message.subject,
        "size": message.size,
        "copies": message.copies,
        "first_at": _time(message.first_at),
        "latest_at": _time(message.latest_at),
    }


def _time(moment: datetime) -> str:
    return moment.isoformat()
