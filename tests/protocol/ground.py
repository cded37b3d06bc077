"""One tenant's notifications on the real tables: accepted, read back, moved through time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.database.engine import Database
from postroom.identity import new_id
from postroom.timing import Timing
from tests.fixtures.database import Tenant
from tests.protocol.rules import World

TICK = timedelta(hours=1)
ADDRESS = "ada@mail.example"
USER = "ada"
CHANNELS = (ChannelKind.EMAIL, ChannelKind.IN_APP)

SHIFTS = (
    "UPDATE notifications SET due_at = due_at - %(by)s, expires_at = expires_at - %(by)s WHERE tenant_id = %(tenant)s",
    """UPDATE deliveries SET lease_until = lease_until - %(by)s, not_before = not_before - %(by)s,
       expires_at = expires_at - %(by)s, marked_at = marked_at - %(by)s, hold_until = hold_until - %(by)s
       WHERE tenant_id = %(tenant)s""",
    """UPDATE carriers SET next_poke_at = next_poke_at - %(by)s, wake_by = wake_by - %(by)s,
       wake_minute = wake_minute - %(by)s WHERE tenant_id = %(tenant)s""",
)
ROWS = {
    "note": """SELECT *, due_at - clock_timestamp() AS due, expires_at - clock_timestamp() AS expires
               FROM notifications WHERE id = %s""",
    "deliveries": """SELECT *, not_before - clock_timestamp() AS wait, expires_at - clock_timestamp() AS expires,
                     lease_until - clock_timestamp() AS lease FROM deliveries WHERE notification_id = %s
                     ORDER BY position""",
}
CARRIER = "SELECT *, next_poke_at - clock_timestamp() AS poke FROM carriers WHERE id = %s"


def timing(world: World) -> Timing:
    """The model's ticks as the product's waits."""
    ticks = world.ticks
    return Timing(
        retry_first=ticks.retry * TICK,
        retry_second=ticks.retry * TICK,
        retry_third=ticks.retry * TICK,
        claim_lease=ticks.claim_lease * TICK,
        hand_off_patience=ticks.hand_off_lease * TICK,
        record_margin=ticks.hand_off_lease * TICK,
        mark_to_body=timedelta(0),
        command_patience=timedelta(0),
        absence_window=ticks.absence_window * TICK,
        hold=ticks.hold * TICK,
        evidence_pause=ticks.question * TICK,
        poke_backoff=ticks.backoff * TICK,
        poke_backoff_last=ticks.backoff * TICK,
        watch_grace=ticks.grace * TICK,
        life_transactional=ticks.life * TICK,
        life_marketing=ticks.life * TICK,
    )


def in_ticks(wait: timedelta | None) -> int:
    """A wait as the model counts it: whole ticks still to come, zero once passed."""
    return max(0, math.ceil(wait / TICK)) if wait is not None else 0


@dataclass
class Ground:
    """Rows of one tenant; `world` gives the durations, the channels and the policy."""

    database: Database
    tenant: Tenant
    world: World
    notes: list[UUID] = field(default_factory=list)

    async def accept(self) -> UUID:
        """Insert one notification as accepting would."""
        note = new_id()
        row = {
            "id": note,
            "tenant": self.tenant.id,
            "user": USER,
            "channels": [str(kind) for kind in CHANNELS[: self.world.channels]],
            "class": str(MessageClass.TRANSACTIONAL if self.world.resends else MessageClass.MARKETING),
            "due": self.world.scheduled * TICK,
            # An end that somebody named, as in the model: nobody's own moves along when the due time does.
            "life": self.world.ticks.life * TICK - timedelta(microseconds=1),
            "share": self.world.ticks.channel_life * TICK,
            "metadata": f'{{"email": "{ADDRESS}"}}',
        }
        async with self.database.system_transaction() as connection:
            await connection.execute(
                """INSERT INTO notifications (id, tenant_id, user_id, channel, channels, priority, class, due_at,
                       expires_at, fallback_after)
                   VALUES (%(id)s, %(tenant)s, %(user)s, 'email', %(channels)s, 3, %(class)s,
                       date_trunc('minute', now()) + %(due)s, now() + %(life)s, %(share)s)""",
                row,
            )
            await connection.execute(
                """INSERT INTO notification_contents (notification_id, tenant_id, title, body_text, metadata)
                   VALUES (%(id)s, %(tenant)s, 'Title', 'Body', %(metadata)s)""",
                row,
            )
        self.notes.append(note)
        return note

    async def tick(self, count: int = 1) -> None:
        """Let time pass: every time of the tenant's rows moves back, for the product lives on the database's clock."""
        async with self.database.system_transaction() as connection:
            for shift in SHIFTS:
                await connection.execute(shift, {"by": count * TICK, "tenant": self.tenant.id})

    async def row(self, kind: str, note: int = 0) -> list[Mapping[str, Any]]:
        """The rows of one notification: `note` or `deliveries`."""
        async with self.database.system_transaction() as connection:
            return [*await (await connection.execute(ROWS[kind], (self.notes[note],))).fetchall()]

    async def carrier_row(self, carrier: UUID) -> Mapping[str, Any]:
        """One carrier."""
        async with self.database.system_transaction() as connection:
            row = await (await connection.execute(CARRIER, (carrier,))).fetchone()
        assert row is not None
        return row
