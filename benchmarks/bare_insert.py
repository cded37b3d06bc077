"""What accepting is compared with: FastAPI, psycopg and one insert per request, and not one check more."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from postroom.identity import new_id

CONNECTIONS = 16
LIFE = timedelta(hours=72)

TABLE = """
CREATE TABLE IF NOT EXISTS notifications (
    id uuid PRIMARY KEY, tenant_id uuid NOT NULL, api_key_id uuid NOT NULL, user_id text, channel text NOT NULL,
    channels text[] NOT NULL, strategy text NOT NULL, priority smallint NOT NULL, class text NOT NULL,
    notification_type text, scheduled_at timestamptz, due_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
    fallback_after interval NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
    title text, body_text text, body_html text, metadata jsonb NOT NULL, key text NOT NULL, request_hash bytea NOT NULL
)
"""

INSERT = """
INSERT INTO notifications (id, tenant_id, api_key_id, user_id, channel, channels, strategy, priority, class,
    notification_type, scheduled_at, due_at, expires_at, fallback_after, title, body_text, body_html, metadata, key,
    request_hash)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

TENANT = new_id()


class Content(BaseModel):
    """A message as text and HTML."""

    text: str | None = None
    html: str | None = None


class Notification(BaseModel):
    """The fields the load generator sends."""

    user_id: str
    channel: str
    priority: str
    title: str
    content: Content
    metadata: dict[str, Any]
    notification_type: str | None = None


def create_app() -> FastAPI:
    """Build the application; its database is `DATABASE_URL`."""
    # One statement is one transaction: BEGIN and COMMIT would be two more round trips.
    pool = AsyncConnectionPool(
        os.environ["DATABASE_URL"], kwargs={"autocommit": True}, min_size=CONNECTIONS, max_size=CONNECTIONS, open=False
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with pool:
            async with pool.connection() as connection:
                await connection.execute(TABLE)
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/notifications", status_code=202)
    async def accept(body: Notification) -> dict[str, str]:
        notification_id, now = new_id(), datetime.now(UTC)
        row = (
            notification_id, TENANT, TENANT, body.user_id, body.channel, [body.channel], "first", 3, "transactional",
            body.notification_type, None, now, now + LIFE, timedelta(minutes=30), body.title, body.content.text,
            body.content.html, json.dumps(body.metadata), body.user_id, notification_id.bytes,
        )  # fmt: skip
        async with pool.connection() as connection:
            await connection.execute(INSERT, row)
        return {"id": str(notification_id), "status": "accepted", "accepted_at": now.isoformat()}

    return app
