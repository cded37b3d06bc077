"""The tables as SQLAlchemy knows them; the migrations are the truth and a test holds the two together."""

from sqlalchemy.orm import DeclarativeBase


class Table(DeclarativeBase):
    """Base of every mapped table."""


metadata = Table.metadata
