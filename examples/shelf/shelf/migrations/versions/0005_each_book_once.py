"""Each book is in the catalogue once, by its folded text

Revision ID: 0005
Revises: 0004
Create Date: 2026-03-21 12:10:00
"""

import sqlalchemy as sa
from alembic import op
from shelf.db import key

# erlen: allow set-not-null, constraint-checks-rows, index-without-concurrently
revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NAMES = {"title_key": key(400), "author_key": key(300), "words": sa.Text()}


def upgrade() -> None:
    with op.batch_alter_table("books") as batch:
        for name, kind in NAMES.items():
            batch.alter_column(name, existing_type=kind, nullable=False)
        batch.create_unique_constraint(
            op.f("uq_books_title_key_author_key_language"), ["title_key", "author_key", "language"]
        )
        batch.create_index(op.f("ix_books_author_key_books_year"), ["author_key", "year"])
        batch.create_index(op.f("ix_books_year_books_title_key"), ["year", "title_key"])


def downgrade() -> None:
    with op.batch_alter_table("books") as batch:
        batch.drop_index(op.f("ix_books_year_books_title_key"))
        batch.drop_index(op.f("ix_books_author_key_books_year"))
        batch.drop_constraint(op.f("uq_books_title_key_author_key_language"), type_="unique")
        for name, kind in NAMES.items():
            batch.alter_column(name, existing_type=kind, nullable=True)
