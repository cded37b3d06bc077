"""Tenants, keys, contacts, notifications, the ledger, carriers, inbox, and the roles that may touch them."""

from alembic import op

from migrations.statements import statements

revision = "202611201100"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the schema beside this file, statement block by statement block."""
    for statement in statements(__file__):
        op.execute(statement)


def downgrade() -> None:
    """The first revision has nothing before it."""
    raise NotImplementedError
