"""Answers in time even when the database hangs: the question is dropped, not waited for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response

from api.naming import NamingRoute
from postroom.errors import Unavailable

PATIENCE_SECONDS = 5.5
COUNTING_SECONDS = 25.0

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PatientRoute(NamingRoute):
    """A route whose answer comes within seconds; cancelling a query on a frozen server alone can take ten."""

    patience = PATIENCE_SECONDS

    def get_route_handler(self) -> Handler:
        """Wrap the route's own handler."""
        handle = super().get_route_handler()

        async def patient(request: Request) -> Response:
            work = asyncio.create_task(handle(request))
            done, _ = await asyncio.wait({work}, timeout=self.patience)
            if done:
                return work.result()
            work.add_done_callback(lambda task: task.cancelled() or task.exception())
            work.cancel()
            raise Unavailable("The database did not answer in time.", retry_after=5)

        return patient


class CountingRoute(PatientRoute):
    """A route that looks at everybody a tenant knows: it may take as long as people wait for a page."""

    patience = COUNTING_SECONDS
