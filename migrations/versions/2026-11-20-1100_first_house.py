"""Tenants, keys, contacts, notifications, the ledger, carriers, inbox, and the roles that may touch them."""

from pathlib import Path

from alembic import op

revision = "202611201100"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    """Run the schema beside this file, statement block by statement block."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for block in SQL.read_text(encoding="utf-8").split("\n-- ;;\n"):
        op.execute(block)


def downgrade() -> None:
    """The first revision has nothing before it."""
    raise NotImplementedError
