"""Books get folded text to sort by and to search in, and a cover

Revision ID: 0003
Revises: 0002
Create Date: 2026-03-21 11:20:00
"""

import sqlalchemy as sa
from alembic import op
from shelf.db import key

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("books", sa.Column("cover", sa.String(40)))
    # Without NOT NULL until 0004 has filled them.
    op.add_column("books", sa.Column("title_key", key(400)))
    op.add_column("books", sa.Column("author_key", key(300)))
    op.add_column("books", sa.Column("words", sa.Text()))


def downgrade() -> None:
    with op.batch_alter_table("books") as batch:
        batch.drop_column("words")
        batch.drop_column("author_key")
        batch.drop_column("title_key")
        batch.drop_column("cover")
