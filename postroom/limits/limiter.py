"""Hands out tokens of every limited provider of this process; all processes together stay within the limits."""

from contextlib import suppress

from psycopg import Error as DatabaseError

from postroom.database.engine import Database
from postroom.errors import Unavailable
from postroom.limits.allowance import Allowance, Full, Meter, Turn
from postroom.limits.block import Token
from postroom.limits.line import Line
from postroom.limits.reservations import Reservations
from postroom.timing import Timing

REMEMBERED = 10_000  # lines; idle ones are forgotten then


class Limiter:
    """One line per provider. Shared by all who send in a process."""

    def __init__(self, database: Database, timing: Timing) -> None:
        self._reservations = Reservations(database)
        self._timing = timing
        self._lines: dict[Meter, Line] = {}

    async def ask(self, meter: Meter, allowance: Allowance, turn: Turn) -> Token | Full:
        """Ask to send one message: a token before anything of it is marked, or when there is room again.

        The limits given last count. Raises what the database raises.
        """
        line = self._lines.get(meter)
        if line is None:
            if len(self._lines) >= REMEMBERED:
                self._lines = {known: one for known, one in self._lines.items() if not one.idle}
            line = self._lines[meter] = Line(meter, allowance, self._reservations.ask, self._timing)
        if line.allowance != allowance:
            line.allow(allowance)
        return await line.ask(turn)

    def give_back(self, meter: Meter, token: Token) -> None:
        """Take back a token that nothing was sent for; of a line that was forgotten it is wasted."""
        if line := self._lines.get(meter):
            line.give_back(token)

    async def close(self) -> None:
        """Give back what is left of every block; without a database it is wasted."""
        for line in self._lines.values():
            with suppress(DatabaseError, Unavailable):
                await line.close()
