"""The mailbox as pages: the list, one message in its views, and the mail's own HTML and files behind walls."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from postroom.mailbox import repository, wording
from postroom.mailbox.answers import FILE_POLICY, MAIL_POLICY
from postroom.mailbox.desk import Desk, number
from postroom.mailbox.opened import Opened
from postroom.mailbox.repository import Search

ROWS = 50
SHOWN_LIMIT = 300_000  # characters of text or source on a page; the download has the rest


class Pages:
    """The HTML routes in front of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._templates = Environment(
            loader=PackageLoader("postroom.mailbox"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for sayer in (wording.clock, wording.moment, wording.size, wording.hue, wording.initial):
            self._templates.filters[sayer.__name__] = sayer

    def routes(self) -> list[Route]:
        """Return what the application serves to browsers."""
        return [
            Route("/", self.inbox),
            Route("/messages/{id}", self.message),
            Route("/messages/{id}/html", self.mail_html),
            Route("/messages/{id}/parts/{part}", self.part),
        ]

    async def inbox(self, request: Request) -> Response:
        """List the mail; a page that knows the list as it stands gets 304 and no body, so it can ask often."""
        wanted, cursor = request.query_params.get("q", "").strip(), number(request.query_params.get("before", ""))
        version = await self._desk.read(repository.version)
        tag = f'W/"{version}-{datetime.now(UTC).astimezone():%j}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
        search = Search(anywhere=wanted)
        found = await self._desk.read(lambda connection: repository.page(connection, search, cursor, ROWS + 1))
        following = urlencode({"q": wanted, "before": found[ROWS - 1].cursor}) if len(found) > ROWS else None
        context = {
            "messages": found[:ROWS],
            "total": await self._desk.read(repository.count),
            "wanted": wanted,
            "older": following,
            "newest": cursor is None,
            "smtp_port": self._desk.smtp_port,
        }
        return self._page("inbox.html", context, headers={"ETag": tag})

    async def message(self, request: Request) -> Response:
        """Show one message in one of its views."""
        message = await self._desk.summary(request)
        raw = await self._desk.text(message)
        opened = await self._desk.opened(message)
        view = request.query_params.get("view", "")
        if view not in {"html", "text", "headers", "files", "source"}:
            view = "html" if opened.html is not None else "text"
        copies = await self._desk.copies(message)
        context = {
            "message": message,
            "mail": opened,
            "view": view,
            "views": _views(opened),
            "copies": copies,
            "alike": len({copy.sha256 for copy in copies}) <= 1,
            "source": None if raw is None else raw.decode(errors="replace"),
            "shown": SHOWN_LIMIT,
        }
        return self._page("message.html", context)

    async def mail_html(self, request: Request) -> Response:
        """Serve a mail's HTML, for the frame on its page; opened by itself it is just as confined."""
        message = await self._desk.summary(request)
        html = (await self._desk.opened(message)).html_with_pictures(f"/messages/{message.id}/parts/")
        return HTMLResponse(html, headers={"Content-Security-Policy": MAIL_POLICY})

    async def part(self, request: Request) -> Response:
        """Serve one file: pictures for the frame, everything else, or all with `download`, to be saved."""
        message = await self._desk.summary(request)
        place = number(request.path_params["part"])
        part = None if place is None else (await self._desk.opened(message)).part(place)
        if part is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        manner = "inline" if part.picture and "download" not in request.query_params else "attachment"
        headers = {
            "Content-Disposition": f"{manner}; filename*=UTF-8''{quote(part.filename, safe='')}",
            "Content-Security-Policy": FILE_POLICY,
        }
        media_type = part.content_type if part.picture else "application/octet-stream"
        return Response(part.content, media_type=media_type, headers=headers)

    def missing(self) -> Response:
        """Say that there is nothing here."""
        return self._page("missing.html", {}, status=HTTPStatus.NOT_FOUND)

    def _page(
        self,
        template: str,
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> HTMLResponse:
        return HTMLResponse(self._templates.get_template(template).render(context), status, headers)


def _views(opened: Opened) -> list[tuple[str, str, int | None]]:
    """Return the tabs a mail has: name, word, and how many things are inside."""
    tabs: list[tuple[str, str, int | None, bool]] = [
        ("html", "HTML", None, opened.html is not None),
        ("text", "Text", None, opened.text is not None or opened.html is None),
        ("headers", "Headers", None, True),
        ("files", "Files", len(opened.files), bool(opened.files)),
        ("source", "Source", None, True),
    ]
    return [(name, word, inside) for name, word, inside, present in tabs if present]
