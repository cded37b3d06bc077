"""One index finds the members of a carrier, whatever the planner knows of its tenant."""

from pathlib import Path

from alembic import op

revision = "202611201800"
down_revision = "202611201700"
branch_labels = None
depends_on = None

SQL = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    """Run the schema beside this file, statement block by statement block."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for block in SQL.read_text(encoding="utf-8").split("\n-- ;;\n"):
        op.execute(block)


def downgrade() -> None:
    """Migrations go forward only."""
    raise NotImplementedError
