"""The addresses behind the links and the image of a tracked mail; they wait for nothing, and lead nowhere else."""

import base64
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from api.dependencies import Services
from postroom.person_pages.html import Writer
from postroom.tracking.machines import Visit, machine_of
from postroom.tracking.recording import Touch
from postroom.tracking.tokens import TouchKind

ASKING = ["GET", "HEAD"]
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
HEADERS = {
    "Cache-Control": "no-store, private",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


def tracking_routes() -> APIRouter:
    """Return the routes. The token says everything: a query is what others have added, and nobody reads it."""
    router = APIRouter(include_in_schema=False)
    writer = Writer()

    async def opened(token: str, request: Request) -> Response:
        """Show the image, whoever asks for it."""
        services: Services = request.app.state.services
        if mail := services.tokens.opened(token):
            services.touches.note(Touch(mail, TouchKind.OPEN, machine=machine_of(TouchKind.OPEN, _visit(request))))
        return Response(PIXEL, media_type="image/gif", headers=HEADERS)

    async def clicked(token: str, request: Request) -> Response:
        """Lead on to where the link in the mail led."""
        services: Services = request.app.state.services
        found = services.tokens.clicked(token)
        if found is None:
            page = writer.lost(request.headers.get("accept-language", ""))
            headers = HEADERS | {"Content-Security-Policy": writer.policy()}
            return HTMLResponse(page, HTTPStatus.NOT_FOUND, headers)
        mail, target = found
        machine = machine_of(TouchKind.CLICK, _visit(request))
        services.touches.note(Touch(mail, TouchKind.CLICK, target.position, machine))
        return Response(status_code=HTTPStatus.FOUND, headers=HEADERS | {"Location": target.url})

    router.add_api_route("/track/open/{token}.gif", opened, methods=ASKING, response_model=None)
    router.add_api_route("/track/click/{token}", clicked, methods=ASKING, response_model=None)
    return router


def _visit(request: Request) -> Visit:
    headers = request.headers
    purpose = " ".join(headers.get(name, "") for name in ("purpose", "sec-purpose", "x-purpose", "x-moz"))
    return Visit(headers.get("user-agent", ""), request.method, purpose)
