"""Loans are borrowed on a day, as they are returned on one

Revision ID: 0002
Revises: 0001
Create Date: 2026-02-03 16:05:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Written by: erlen db migrate --rename loans.taken_on:borrowed_on


def upgrade() -> None:
    op.alter_column(
        "loans",
        "taken_on",
        existing_type=sa.Date(),
        new_column_name="borrowed_on",
        existing_nullable=False,
    )  # erlen: allow rename-in-use: the library is closed for the minute


def downgrade() -> None:
    op.alter_column(
        "loans",
        "borrowed_on",
        existing_type=sa.Date(),
        new_column_name="taken_on",
        existing_nullable=False,
    )
