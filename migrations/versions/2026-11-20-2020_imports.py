"""Imports and exports: contacts by the file."""

from alembic import op

from migrations.statements import statements

revision = "202611202020"
down_revision = "202611202010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the schema beside this file, statement block by statement block."""
    for statement in statements(__file__):
        op.execute(statement)


def downgrade() -> None:
    """Migrations go forward only."""
    raise NotImplementedError
