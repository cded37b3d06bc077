"""The one translation from our errors to the engine's retry vocabulary."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Error as DatabaseError
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from postroom.errors import Unavailable


@contextmanager
def translated() -> Iterator[None]:
    """Turn a database that is away into a retried, quiet failure.

    Only the kind of error travels: its text could hold a value from a row, and failure texts are stored in clear.
    """
    try:
        yield
    except (DatabaseError, Unavailable) as error:
        raise ApplicationError(
            "the database did not answer", type=type(error).__name__, category=ApplicationErrorCategory.BENIGN
        ) from None
