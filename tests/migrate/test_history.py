"""One line of revisions: rebase, the heads file, check, squash and status."""

from __future__ import annotations

import typing as t

from erlen.db import SQLAlchemy

from .conftest import Define, Project


def nothing(db: SQLAlchemy) -> None:
    """No models."""


def tables(*names: str) -> Define:
    """Return what makes a table of each name."""

    def define(db: SQLAlchemy) -> None:
        for name in names:
            db.Table(name, db.Column("id", db.Integer, primary_key=True))

    return define


def make(name: str) -> str:
    """Return the statement of a migration that makes a table."""
    return f"op.create_table({name!r}, sa.Column('id', sa.Integer, primary_key=True))"


def fork(project: Project) -> None:
    """Write a history with two heads."""
    project.write("root", None, make("a"), "op.drop_table('a')")
    project.write("left", "root", make("b"), "op.drop_table('b')")
    project.write("right", "root", make("c"), "op.drop_table('c')")
    project.write("tip", "right", make("d"), "op.drop_table('d')")


def applied(project: Project) -> list[tuple[t.Any, ...]]:
    """Return what the table of versions says."""
    return sorted(project.query("SELECT version_num FROM alembic_version"))


def test_rebase(small: Project) -> None:
    """A branch of several revisions is put behind the other head."""
    fork(small)
    output = small.run(nothing, "rebase", "tip")
    assert output == "right comes after left now; the head is tip.\n"
    assert (small.folder / "migrations" / "HEADS").read_text() == "tip\n"
    text = (small.folder / "migrations" / "versions" / "right_.py").read_text()
    assert "Revises: left\n" in text
    assert "down_revision = 'left'\n" in text
    small.run(nothing, "upgrade")
    assert applied(small) == [("tip",)]
    assert "in one line already" in small.run(nothing, "rebase")


def test_rebase_what_is_applied(small: Project) -> None:
    """A branch that this database has, without the other, is not moved under its feet."""
    fork(small)
    small.run(nothing, "upgrade", "tip")
    output = small.run(nothing, "rebase", "tip", exit_code=1)
    assert "Run downgrade root first" in output
    small.run(nothing, "rebase", "left")
    small.run(nothing, "upgrade")
    assert applied(small) == [("left",)]


def test_rebase_when_both_are_applied(small: Project) -> None:
    """A database that has both branches has the whole line."""
    fork(small)
    small.run(nothing, "upgrade", "heads")
    assert applied(small) == [("left",), ("tip",)]
    small.run(nothing, "rebase", "tip")
    assert applied(small) == [("tip",)]
    assert "Nothing to upgrade" in small.run(nothing, "upgrade")


def test_heads_file(small: Project) -> None:
    """Each new migration is in the file, and a conflict in it is named by check."""
    small.step(tables("a"), "--rev-id", "one")
    path = small.folder / "migrations" / "HEADS"
    assert path.read_text() == "one\n"
    path.write_text("<<<<<<< HEAD\none\n=======\ntwo\n>>>>>>> other\n")
    assert "HEADS has a conflict" in small.run(tables("a"), "check", exit_code=1)
    small.run(tables("a"), "rebase")
    assert path.read_text() == "one\n"
    path.write_text("two\n")
    assert "HEADS names two" in small.run(tables("a"), "check", exit_code=1)


def test_check(project: Project) -> None:
    """Check passes where all is in step, and fails on each thing that is not."""
    project.step(tables("a"), "--rev-id", "one")
    assert "No new upgrade operations" in project.run(tables("a"), "check")
    output = project.run(tables("a", "b"), "check", exit_code=1)
    assert "create table b" in output
    project.execute("CREATE TABLE stray (id INTEGER)")
    assert "drop table stray" in project.run(tables("a"), "check", exit_code=1)
    project.write("left", "one", make("b"))
    assert "not up to date" in project.run(tables("a"), "check", exit_code=1)
    project.write("right", "one", make("c"))
    assert "2 heads: left, right" in project.run(tables("a"), "check", exit_code=1)


def test_status(project: Project) -> None:
    """Status tells what is applied, pending and different."""
    project.step(tables("a"), "--rev-id", "one")
    project.write("two", "one", make("b"))
    output = project.run(tables("a", "b"), "status")
    assert "History: 2 revisions, head two" in output
    assert "applied: 1, at one" in output
    assert "pending: 1\n    two two\n" in output
    project.run(tables("a", "b"), "upgrade")
    assert "none (2 tables compared)" in project.run(tables("a", "b"), "status")
    assert "  create table c\n" in project.run(tables("a", "b", "c"), "status")


def library(db: SQLAlchemy) -> None:
    """Models with what a schema can have."""

    class Book(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        title = db.Column(db.String(50), nullable=False, index=True)
        isbn = db.Column(db.String(20), unique=True)
        kind = db.Column(db.Enum("paper", "sound", name="kind"))
        author_id = db.Column(db.ForeignKey("author.id"))

    class Author(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(50), server_default="unknown")


def early_library(db: SQLAlchemy) -> None:
    """The models before."""

    class Book(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(50), nullable=False)
        isbn = db.Column(db.String(20), unique=True)


def test_squash(project: Project) -> None:
    """One revision takes the place of the history; databases at the head notice nothing."""
    project.step(early_library)
    project.step(library, "--rename", "name:title")
    before = applied(project)
    output = project.run(library, "squash", "-m", "all")
    assert "2 revisions became one" in output
    assert len(project.versions()) == 1
    assert applied(project) == before
    assert "Nothing to upgrade" in project.run(library, "upgrade")
    project.run(library, "check")
    project.run(library, "downgrade", "base")
    assert project.columns("book") == set()
    project.run(library, "upgrade")
    project.run(library, "check")


def test_squash_refused(project: Project) -> None:
    """A history that does what the models do not know stays as it is."""
    project.step(tables("a"), "--rev-id", "one")
    project.write("two", "one", "op.execute('CREATE VIEW b AS SELECT id FROM a')")
    files = {path: path.read_text() for path in project.versions()}
    output = project.run(tables("a"), "squash", exit_code=1)
    assert "view b is missing" in output
    assert {path: path.read_text() for path in project.versions()} == files


def test_squash_names_data(small: Project) -> None:
    """Revisions that changed rows are named: a new database will not have what they did."""
    small.step(tables("a"), "--rev-id", "one")
    small.write("two", "one", "op.execute('INSERT INTO a VALUES (1)')")
    output = small.run(tables("a"), "squash")
    assert "These changed or added rows" in output
    assert "what they did: two\n" in output


def test_empty_folder(small: Project) -> None:
    """Commands on a project without a single migration do nothing, and say so."""
    assert "Nothing to upgrade" in small.run(nothing, "upgrade")
    assert "History: 0 revisions, no head" in small.run(nothing, "status")
    assert "no models were seen" in small.run(nothing, "migrate").lower()
