"""The first tables: the statements of each database stand beside, as they were when this version was made."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    statements = Path(__file__).with_name(f"v0001_{op.get_bind().dialect.name}.sql").read_text()
    for statement in statements.split(";\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)
