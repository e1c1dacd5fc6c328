"""Each rule has a migration that it finds something in, and a clean one with the safe way."""

from __future__ import annotations

import typing as t

import pytest

from erlen.db import SQLAlchemy
from erlen.migrate.rules import RULES

from .conftest import Project

#: What is there before: a table with a row.
BEFORE = (
    "op.create_table('book', sa.Column('id', sa.Integer, primary_key=True),"
    " sa.Column('title', sa.String(50)), sa.Column('isbn', sa.String(20)),"
    " sa.Column('pages', sa.Integer))\n"
    "op.create_table('author', sa.Column('id', sa.Integer, primary_key=True))\n"
    "op.execute(\"INSERT INTO book VALUES (1, 'Emma', '1', 2)\")"
)

BLOCK = "with op.get_context().autocommit_block():\n    "

#: The rule, a migration that it finds something in, and one that does the same safely.
FIXTURES = {
    "not-null-without-default": (
        "op.add_column('book', sa.Column('year', sa.Integer, nullable=False))",
        "op.add_column('book', sa.Column('year', sa.Integer, nullable=False, server_default='0'))",
    ),
    "set-not-null": (
        "op.alter_column('book', 'title', nullable=False)",
        "op.execute('ALTER TABLE book ADD CHECK (title IS NOT NULL) NOT VALID')",
    ),
    "type-rewrite": (
        "op.alter_column('book', 'pages', existing_type=sa.Integer(), type_=sa.BigInteger())",
        "op.alter_column('book', 'title', existing_type=sa.String(50), type_=sa.String(80))",
    ),
    "index-without-concurrently": (
        "op.create_index('ix_title', 'book', ['title'])",
        f"{BLOCK}op.create_index('ix_title', 'book', ['title'], postgresql_concurrently=True)",
    ),
    "concurrently-in-transaction": (
        "op.create_index('ix_title', 'book', ['title'], postgresql_concurrently=True)",
        f"{BLOCK}op.create_index('ix_title', 'book', ['title'], postgresql_concurrently=True)",
    ),
    "commit-in-the-middle": (
        f"op.add_column('book', sa.Column('year', sa.Integer))\n{BLOCK}op.execute('SELECT 1')",
        f"{BLOCK}op.execute('SELECT 1')",
    ),
    "drop-still-mapped": (
        "op.drop_column('book', 'title')",
        "op.drop_column('book', 'isbn')  # erlen: allow drop-loses-data",
    ),
    "drop-loses-data": (
        "op.drop_column('book', 'isbn')",
        "op.drop_table('author')",
    ),
    "narrowing-loses-data": (
        "op.alter_column('book', 'isbn', existing_type=sa.String(20), type_=sa.String(13))"
        "  # erlen: allow type-rewrite",
        "op.alter_column('book', 'isbn', existing_type=sa.String(20), type_=sa.String(30))",
    ),
    "constraint-checks-rows": (
        "op.create_check_constraint('positive', 'book', 'pages > 0')",
        "op.create_check_constraint('positive', 'book', 'pages > 0', postgresql_not_valid=True)",
    ),
    "rename-in-use": (
        "op.alter_column('book', 'isbn', new_column_name='number')",
        "op.add_column('book', sa.Column('number', sa.String(20)))",
    ),
    "volatile-default": (
        "op.add_column('book', sa.Column('x', sa.Text, server_default=sa.text('random()::text')))",
        "op.add_column('book', sa.Column('x', sa.DateTime, server_default=sa.text('now()')))",
    ),
}


def models(db: SQLAlchemy) -> None:
    """The models: without the column isbn, and without the table of authors."""
    db.Table(
        "book",
        db.Column("id", db.Integer, primary_key=True),
        db.Column("title", db.String(50)),
        db.Column("pages", db.Integer),
    )


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Project]:
    """A project on PostgreSQL with a table that has a row; lint changes nothing in it."""
    from .conftest import make_url

    folder = tmp_path_factory.mktemp("lint")
    project = Project(folder, make_url("postgresql", folder))
    project.write("one", None, BEFORE)
    project.run(models, "upgrade", "--no-lint")
    yield project
    project.close()


def lint(project: Project, body: str, *args: str, **options: t.Any) -> str:
    """Return what lint says of a migration.

    :param body: the statements of its ``upgrade()``.
    """
    path = project.write("two", "one", body)
    try:
        return project.run(models, "lint", *args, **options)
    finally:
        path.unlink()
        forget(path)


def forget(path: t.Any) -> None:
    """Forget the compiled form of a file."""
    import importlib.util
    from pathlib import Path

    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def test_each_rule_has_fixtures() -> None:
    """No rule is without its two migrations."""
    assert FIXTURES.keys() == RULES.keys()


@pytest.mark.parametrize("rule", FIXTURES)
def test_rule(books: Project, rule: str) -> None:
    """A rule finds what it is for, at its line, and nothing in the safe way."""
    dangerous, safe = FIXTURES[rule]
    exit_code = 1 if RULES[rule].severity == "error" else 0
    output = lint(books, dangerous, exit_code=exit_code)
    assert f"({rule})" in output
    line = 14 + dangerous.count("\n")
    assert f"two_.py:{line}: {RULES[rule].severity}: " in output
    if rule == "drop-loses-data":
        assert lint(books, safe).endswith("0 errors, 0 warnings.\n")
    else:
        assert f"({rule})" not in lint(books, safe)


def test_severity(books: Project) -> None:
    """How bad a rule's findings are can be set, on the command line and by configuration."""
    body = FIXTURES["drop-loses-data"][0]
    assert "error: " in lint(books, body, "--severity", "drop-loses-data=error", exit_code=1)
    off = {"drop-loses-data": "off"}
    assert "0 errors, 0 warnings" in lint(books, body, MIGRATE_LINT=off)
    assert "There is no rule 'x'" in lint(books, body, "--severity", "x=off", exit_code=1)
    assert "it can be error" in lint(books, body, "--severity", "rename-in-use=bad", exit_code=1)


@pytest.mark.parametrize(
    "body",
    [
        "op.drop_column('book', 'isbn')  # erlen: allow drop-loses-data: it is in the archive",
        "# erlen: allow drop-loses-data, type-rewrite\nop.drop_column('book', 'isbn')",
        "op.drop_column(\n    'book',\n    'isbn',  # erlen: allow drop-loses-data\n)",
    ],
)
def test_acknowledged(books: Project, body: str) -> None:
    """A comment at a statement accepts what a rule finds in it."""
    assert "0 errors, 0 warnings" in lint(books, body)


def test_acknowledged_elsewhere(books: Project) -> None:
    """A comment counts for its own statement only."""
    body = "pass  # erlen: allow drop-loses-data\npass\nop.drop_column('book', 'isbn')"
    assert "drop-loses-data" in lint(books, body)


def test_new_table(books: Project) -> None:
    """A table that the same upgrade makes has no rows, and nobody waits for it."""
    body = (
        "op.create_table('shelf', sa.Column('id', sa.Integer))\n"
        "op.add_column('shelf', sa.Column('room', sa.Integer, nullable=False))\n"
        "op.create_index('ix_room', 'shelf', ['room'])"
    )
    assert "0 errors, 0 warnings" in lint(books, body)


def test_raw_sql(books: Project) -> None:
    """What a migration says in SQL is looked at as well."""
    output = lint(books, "op.execute('CREATE INDEX ix ON book (title)')")
    assert "(index-without-concurrently)" in output
    assert "(drop-loses-data)" in lint(books, "op.execute('ALTER TABLE book DROP COLUMN isbn')")


def test_batch(small: Project) -> None:
    """Operations of a batch are looked at, on SQLite too."""
    small.write("one", None, BEFORE)
    small.run(models, "upgrade", "--no-lint")
    small.write(
        "two", "one", "with op.batch_alter_table('book') as batch:\n    batch.drop_column('title')"
    )
    output = small.run(models, "lint", exit_code=1)
    assert "(drop-still-mapped)" in output


def test_upgrade_stops(small: Project) -> None:
    """An upgrade does nothing where lint finds an error, unless it is told to."""
    small.write("one", None, BEFORE)
    small.run(models, "upgrade")
    small.write("two", "one", "op.drop_column('book', 'title')")
    output = small.run(models, "upgrade", exit_code=1)
    assert "Nothing was done: lint found 1 error." in output
    assert "title" in small.columns("book")
    small.run(models, "upgrade", "--no-lint")
    assert "title" not in small.columns("book")


def test_queries_in_a_migration(small: Project) -> None:
    """A migration that reads rows is looked at as far as it comes without any."""
    small.write("one", None, BEFORE)
    small.run(models, "upgrade")
    small.write(
        "two",
        "one",
        "rows = op.get_bind().execute(sa.text('SELECT 1')).all()\n"
        "op.drop_column('book', 'isbn')\nint(rows[0])",
    )
    output = small.run(models, "lint")
    assert "(drop-loses-data)" in output
    assert "two needs rows to go on" in output
