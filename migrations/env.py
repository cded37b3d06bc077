"""Alembic's entry: one migrator at a time, and no statement waits long for a lock."""

import os

from alembic import context
from sqlalchemy import URL, create_engine, pool, text

from postroom.database.engine import owner_arguments
from postroom.database.tables import metadata

MIGRATION_LOCK = 4_711_001


def run() -> None:
    """Migrate the database of OWNER or DATABASE_URL inside one advisory lock."""
    url = context.config.attributes.get("database_url") or os.environ.get(
        "POSTROOM_OWNER_DATABASE_URL", os.environ.get("DATABASE_URL", "")
    )
    engine = create_engine(URL.create("postgresql+psycopg"), connect_args=owner_arguments(url), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.execute(text("SET statement_timeout = '60s'"))
        connection.commit()
        context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()


run()
