"""The pages behind the links in mail: the link is the key, so they are no part of the API and of its keys."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from api.patience import PatientRoute
from postroom.errors import NotFound
from postroom.person_pages.form import read_form
from postroom.person_pages.html import Writer
from postroom.person_pages.links import Bearer, LinkMaker
from postroom.person_pages.service import PersonPages
from postroom.rates import Rate, RateExceeded

SHOWING = ["GET", "HEAD"]
PER_MINUTE = 60  # of one link; whose addresses the visits come from says nothing: a provider's proxy serves millions
FORM_BYTES = 500_000  # the form of 500 notification types has less
PATHS = {"/p/": FORM_BYTES, "/u/": FORM_BYTES}


def person_page_routes() -> APIRouter:
    """Return the routes; a mail program posts whatever it likes to them, and is never asked for more than the link."""
    router = APIRouter(route_class=PatientRoute, include_in_schema=False)
    desk = _Desk()
    router.add_api_route("/p/{token}", desk.show, methods=SHOWING, response_model=None)
    router.add_api_route("/p/{token}", desk.save, methods=["POST"], response_model=None)
    router.add_api_route("/u/{token}", desk.ask, methods=SHOWING, response_model=None)
    router.add_api_route("/u/{token}", desk.unsubscribe, methods=["POST"], response_model=None)
    router.add_api_route("/u/{token}/undo", desk.undo, methods=["POST"], response_model=None)
    router.add_api_route("/u/{token}/undo", desk.ask, methods=SHOWING, response_model=None)
    return router


class _Desk:
    """Reads the link, has done what was asked for, and writes the page about it."""

    def __init__(self) -> None:
        self._writer = Writer()
        self._rate = Rate(PER_MINUTE)
        self._headers = {
            "Content-Security-Policy": self._writer.policy(),
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow",
            "Cache-Control": "no-store",
        }

    async def show(self, token: str, request: Request) -> Response:
        """Show a person's choices."""
        return await self._choices(token, request, saving=False)

    async def save(self, token: str, request: Request) -> Response:
        """Save a person's choices, and show them."""
        return await self._choices(token, request, saving=True)

    async def ask(self, token: str, request: Request) -> Response:
        """Ask whether to unsubscribe: programs that follow every link must not."""
        return await self._one_click(token, request, "confirm")

    async def unsubscribe(self, token: str, request: Request) -> Response:
        """Unsubscribe (RFC 8058 section 3.1), whatever the body says."""
        return await self._one_click(token, request, "done")

    async def undo(self, token: str, request: Request) -> Response:
        """Take it back."""
        return await self._one_click(token, request, "undone")

    async def _choices(self, token: str, request: Request, *, saving: bool) -> Response:
        pages, links, bearer = self._opened(request, token)
        if bearer is None:
            return self._lost(request)
        try:
            sheet = await pages.save(bearer, read_form(await request.body())) if saving else await pages.show(bearer)
        except NotFound:
            return self._lost(request)
        return self._page(self._writer.choices(sheet, links.links(bearer), (_accepted(request), saving)))

    async def _one_click(self, token: str, request: Request, step: str) -> Response:
        pages, links, bearer = self._opened(request, token)
        if bearer is None:
            return self._lost(request)
        try:
            if step == "confirm":
                about = await pages.subject(bearer)
            else:
                about = await pages.unsubscribe(bearer, wanted=step == "undone")
        except NotFound:
            return self._lost(request)
        return self._page(self._writer.one_click(step, about, links.links(bearer), _accepted(request)))

    def _opened(self, request: Request, token: str) -> tuple[PersonPages, LinkMaker, Bearer | None]:
        """Read a link; only those made here are counted, so that strangers fill no memory. Raises RateExceeded."""
        services = request.app.state.services
        bearer = services.links.read(token)
        if bearer and not (standing := self._rate.hit(bearer)).allowed:
            raise RateExceeded("This link was used too often.", "rate_limited", standing)
        return services.person_pages, services.links, bearer

    def _lost(self, request: Request) -> Response:
        return self._page(self._writer.lost(_accepted(request)), HTTPStatus.NOT_FOUND)

    def _page(self, html: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
        return HTMLResponse(html, status, self._headers)


def _accepted(request: Request) -> str:
    return str(request.headers.get("accept-language", ""))
