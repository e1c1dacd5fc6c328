"""The library: books, readers, loans

Revision ID: 0001
Revises:
Create Date: 2026-01-12 09:30:00
"""

import sqlalchemy as sa
from alembic import op
from shelf.db import key

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "books",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("english_title", sa.String(200)),
        sa.Column("author", sa.String(100), nullable=False),
        sa.Column("born", sa.Integer()),
        sa.Column("died", sa.Integer()),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.CheckConstraint("copies >= 0", name=op.f("ck_books_copies")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_books")),
    )
    op.create_table(
        "readers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("name_key", key(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_readers")),
        sa.UniqueConstraint("name_key", name=op.f("uq_readers_name_key")),
    )
    op.create_table(
        "loans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("reader_id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer()),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("returned_on", sa.Date()),
        sa.ForeignKeyConstraint(
            ["book_id"], ["books.id"], name=op.f("fk_loans_book_id_books"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["reader_id"],
            ["readers.id"],
            name=op.f("fk_loans_reader_id_readers"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loans")),
        sa.UniqueConstraint("book_id", "holder_id", name=op.f("uq_loans_book_id_holder_id")),
    )
    op.create_index(
        op.f("ix_loans_reader_id_loans_returned_on"), "loans", ["reader_id", "returned_on"]
    )


def downgrade() -> None:
    op.drop_table("loans")
    op.drop_table("readers")
    op.drop_table("books")
