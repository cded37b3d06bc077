"""The route that takes notifications in: the hottest one, so it goes without FastAPI's general machinery."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from pydantic_core import from_json
from starlette.types import Receive, Send
from starlette.types import Scope as Asked

from api.dependencies import Caller, Key
from api.problems import ERRORS, only_counted
from api.v1.notifications.bodies import Message, NewNotification
from api.v1.notifications.views import AcceptedView
from api.v1.parameters import NamedRequest
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from postroom.notifications.replay import idempotency_key
from postroom.notifications.request import write_draft
from postroom.tenants.keys import Scope

WRITER = Key(Scope.NOTIFICATIONS_WRITE)


class DirectRoute(APIRoute):
    """Does what FastAPI would do for an endpoint that accepts, in half the time; the description stays FastAPI's.

    The key is proven before the body is read, and the body is parsed and checked in one go.
    """

    async def handle(self, scope: Asked, receive: Receive, send: Send) -> None:
        """Call the endpoint with what its signature names."""
        if scope["method"] != "POST":
            await super().handle(scope, receive, send)
            return
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        caller = await WRITER(request)
        model: type[Message] = self.endpoint.__annotations__["body"]
        raw = await request.body()
        try:
            body = model.model_validate_json(raw)
        except ValidationError as error:
            if error.error_count() > ERRORS:
                raise only_counted(error.error_count()) from None
            wrong = error.errors(include_url=False, include_input=False)
            raise RequestValidationError([one | {"loc": ("body", *one["loc"])} for one in wrong]) from None
        named = request.headers.get("idempotency-key")
        key = None if named is None else idempotency_key(named, from_json(raw))
        answer: Response = await self.endpoint(body, caller, key)
        return answer


def add_accepting_routes(app: FastAPI, prefix: str) -> None:
    """Add the endpoint under both its names, straight to the application: a router in between is searched twice."""
    names = {
        "/notifications": ("send_notification", "Send a notification"),
        "/notifications/send": ("send_notification_alias", "Send a notification, by its older name"),
    }
    for path, (operation, summary) in names.items():
        app.router.add_api_route(
            prefix + path,
            send_notification,
            methods=["POST"],
            operation_id=operation,
            summary=summary,
            tags=["notifications"],
            status_code=HTTPStatus.ACCEPTED,
            response_model=AcceptedView,
            responses=refusals(*WITH_BODY, 409),
            route_class_override=DirectRoute,
        )


async def send_notification(
    body: NewNotification, caller: Annotated[Caller, Depends(WRITER)], key: NamedRequest
) -> Response:
    """Accept one notification: the answer comes after it is in the record, and before anything is sent."""
    services = caller.services
    asked = await body.request(caller.identity, services.settings.attachments_limit_bytes)
    accepted, standing = await services.reception.receive(write_draft(asked, caller.identity, services.timing, key))
    if standing is not None:
        caller.exchange.standing = standing.tighter(caller.exchange.standing)
    view = AcceptedView.of(accepted)
    headers = {"Location": view.links.self} | replay_header(replayed=accepted.replayed)
    return Response(view.model_dump_json(), HTTPStatus.ACCEPTED, headers, "application/json")
