"""Working through large tables in batches: whole or resumable, with progress."""

from __future__ import annotations

from erlen.db import SQLAlchemy

from .conftest import Project

HEAD = """
from erlen.migrate import in_batches

book = sa.table('book', sa.column('id'), sa.column('title'), sa.column('folded'))

def fold(connection, rows):
    change = sa.update(book).where(book.c.id == sa.bindparam('key'))
    values = [{'key': row.id, 'text': row.title.casefold()} for row in rows]
    connection.execute(change.values(folded=sa.bindparam('text')), values)
    if any(row.title == BAD for row in rows):
        raise RuntimeError('a bad title')
"""


def nothing(db: SQLAlchemy) -> None:
    """No models."""


def prepare(project: Project, outside: bool, bad: str, **options: str) -> None:
    """Make a table with 25 books, and the migration that works through it."""
    project.write(
        "one",
        None,
        "op.create_table('book', sa.Column('id', sa.Integer, primary_key=True),"
        " sa.Column('title', sa.String(20)), sa.Column('folded', sa.String(20)))\n"
        "rows = [{'id': n, 'title': f'Book {n}'} for n in range(1, 26)]\n"
        "book = sa.table('book', sa.column('id'), sa.column('title'))\n"
        "op.bulk_insert(book, rows)",
    )
    project.run(nothing, "upgrade")
    write_data(project, outside, bad)


def write_data(project: Project, outside: bool, bad: str) -> None:
    """Write the migration that works through the books."""
    path = project.write(
        "two", "one", f"in_batches(book, fold, key=book.c.id, size=10, outside={outside})"
    )
    text = path.read_text().replace("\nrevision", f"{HEAD.replace('BAD', repr(bad))}\nrevision", 1)
    path.write_text(text)
    import importlib.util
    from pathlib import Path

    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def count(project: Project) -> int:
    """Return how many books are done."""
    return int(project.query("SELECT count(*) FROM book WHERE folded IS NOT NULL")[0][0])


def test_inside(project: Project) -> None:
    """Inside of the transaction, all rows are done or none."""
    prepare(project, False, "Book 15")
    project.run(nothing, "upgrade", exit_code=1)
    assert count(project) == 0
    write_data(project, False, "none")
    output = project.run(nothing, "upgrade")
    assert "book: 25 rows in" in output
    assert count(project) == 25


def test_outside(project: Project) -> None:
    """Outside of it, batches that are done stay done, and the next run goes on after them."""
    prepare(project, True, "Book 15")
    project.run(nothing, "upgrade", exit_code=1)
    assert count(project) == 10
    write_data(project, True, "Book 5")
    output = project.run(nothing, "upgrade")
    assert "book: 10 rows are done; going on after them" in output
    assert "book: 25 rows in" in output
    assert count(project) == 25
    assert project.columns("erlen_migration_position") == set()
    assert project.query("SELECT version_num FROM alembic_version") == [("two",)]


def test_looked_at_without_rows(small: Project) -> None:
    """Lint and --sql do not run the function."""
    prepare(small, True, "Book 1")
    assert "0 errors, 0 warnings" in small.run(nothing, "lint")
    output = small.run(nothing, "upgrade", "one:two", "--sql")
    assert "-- The rows of book are changed by code, in batches." in output
