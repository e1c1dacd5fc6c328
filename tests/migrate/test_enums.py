"""PostgreSQL's enum types follow the models, up and down."""

from __future__ import annotations

import typing as t

import pytest

from erlen.db import SQLAlchemy

from .conftest import Define, Project


def mood(*values: str, default: str | None = None) -> Define:
    """Return what makes a model with an enum of these values."""

    def define(db: SQLAlchemy) -> None:
        kind = db.Enum(*values, name="mood")
        column: t.Any = db.Column("mood", kind, server_default=default)
        db.Table("person", db.Column("id", db.Integer, primary_key=True), column)

    return define


def no_mood(db: SQLAlchemy) -> None:
    """The model without the enum."""
    db.Table("person", db.Column("id", db.Integer, primary_key=True))


def labels(project: Project) -> list[str]:
    """Return the enum's values in the database."""
    rows = project.query("SELECT unnest(enum_range(NULL::mood))::text")
    return [row[0] for row in rows]


def types(project: Project) -> list[t.Any]:
    """Return the names of all enum types."""
    return [row[0] for row in project.query("SELECT typname FROM pg_type WHERE typtype = 'e'")]


def up_and_down(project: Project, define: Define) -> None:
    """Take the last migration back, and apply it again."""
    project.run(define, "downgrade")
    project.run(define, "upgrade")


def test_with_table(postgres: Project) -> None:
    """A type comes with its table and goes with it, and comes again."""
    postgres.step(mood("sad", "happy"))
    assert labels(postgres) == ["sad", "happy"]
    postgres.run(no_mood, "downgrade")
    assert types(postgres) == []
    postgres.run(no_mood, "upgrade")
    assert labels(postgres) == ["sad", "happy"]


def test_with_column(postgres: Project) -> None:
    """A type comes with a column of a table that is there, and goes with it."""
    postgres.step(no_mood)
    postgres.step(mood("sad", "happy"))
    up_and_down(postgres, mood("sad", "happy"))
    postgres.step(no_mood)
    assert types(postgres) == []
    up_and_down(postgres, no_mood)
    assert "No changes" in postgres.run(no_mood, "migrate")


def test_second_table(postgres: Project) -> None:
    """A table that comes later uses the type that is there."""
    postgres.step(mood("sad", "happy"))

    def two(db: SQLAlchemy) -> None:
        mood("sad", "happy")(db)
        db.Table("pet", db.Column("mood", db.Enum("sad", "happy", name="mood")))

    postgres.step(two)
    up_and_down(postgres, two)
    postgres.run(two, "downgrade", "base")
    postgres.run(two, "upgrade")
    assert labels(postgres) == ["sad", "happy"]


def test_add(postgres: Project) -> None:
    """Values are added at their places, and taken away on the way back."""
    postgres.step(mood("sad", "happy"))
    postgres.execute("INSERT INTO person VALUES (1, 'happy')")
    postgres.step(mood("awful", "sad", "ok", "happy", "great"))
    assert labels(postgres) == ["awful", "sad", "ok", "happy", "great"]
    up_and_down(postgres, mood("awful", "sad", "ok", "happy", "great"))
    assert labels(postgres) == ["awful", "sad", "ok", "happy", "great"]
    assert postgres.query("SELECT mood::text FROM person") == [("happy",)]


def test_rename(postgres: Project) -> None:
    """A renamed value is renamed in the rows."""
    postgres.step(mood("sad", "happy"))
    postgres.execute("INSERT INTO person VALUES (1, 'happy')")
    postgres.step(mood("sad", "glad"), "--rename", "happy:glad")
    assert postgres.query("SELECT mood::text FROM person") == [("glad",)]
    up_and_down(postgres, mood("sad", "glad"))
    assert labels(postgres) == ["sad", "glad"]


def test_drop(postgres: Project) -> None:
    """A dropped value is gone, with the column's default kept; a row that has it is in the way."""
    postgres.step(mood("sad", "ok", "happy", default="ok"))
    postgres.execute("INSERT INTO person VALUES (1, 'happy')")
    postgres.run(mood("sad", "ok", default="ok"), "migrate")
    output = postgres.run(mood("sad", "ok", default="ok"), "upgrade", exit_code=1)
    assert 'invalid input value for enum mood: "happy"' in output
    postgres.execute("UPDATE person SET mood = 'sad'")
    postgres.run(mood("sad", "ok", default="ok"), "upgrade")
    assert labels(postgres) == ["sad", "ok"]
    up_and_down(postgres, mood("sad", "ok", default="ok"))
    postgres.execute("INSERT INTO person (id) VALUES (2)")
    assert postgres.query("SELECT mood::text FROM person WHERE id = 2") == [("ok",)]


def test_text_to_enum(postgres: Project) -> None:
    """A column of text becomes one of an enum, and text again."""

    def text(db: SQLAlchemy) -> None:
        column = db.Column("mood", db.String(10))
        db.Table("person", db.Column("id", db.Integer, primary_key=True), column)

    postgres.step(text)
    postgres.execute("INSERT INTO person VALUES (1, 'happy')")
    postgres.step(mood("sad", "happy"))
    up_and_down(postgres, mood("sad", "happy"))
    assert postgres.query("SELECT mood::text FROM person") == [("happy",)]


@pytest.mark.parametrize("kind", ["small", "mariadb"])
def test_elsewhere(kind: str, request: pytest.FixtureRequest) -> None:
    """The operations on types do nothing on other databases."""
    project: Project = request.getfixturevalue(kind)
    project.write(
        "one",
        None,
        "op.create_enum('mood', ['a'])\nop.alter_enum('mood', ['a'], ['b'])\nop.drop_enum('mood')",
    )
    project.run(no_mood, "upgrade")
