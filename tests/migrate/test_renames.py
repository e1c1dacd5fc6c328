"""Renames keep the data, and changes of tables with rows work at the first go."""

from __future__ import annotations

import pytest

from erlen.db import SQLAlchemy

from .conftest import Define, Project


def people(db: SQLAlchemy) -> None:
    """The models before."""

    class Person(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(50))
        team_id = db.Column(db.ForeignKey("team.id"), index=True)

    class Team(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        title = db.Column(db.String(50), unique=True)


def changed(db: SQLAlchemy) -> None:
    """The models with a renamed column, a new one without NULL, and a new unique one."""

    class Person(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        full_name = db.Column(db.String(50))
        team_id = db.Column(db.ForeignKey("team.id"), index=True)
        age = db.Column(db.Integer, nullable=False)
        email = db.Column(db.String(100), unique=True)
        badge = db.Column(db.String(20), unique=True, nullable=False)

    class Team(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        title = db.Column(db.String(50), unique=True)


@pytest.fixture
def filled(project: Project) -> Project:
    """A project with the first models, and rows."""
    project.step(people)
    project.execute("INSERT INTO team (id, title) VALUES (1, 'Red')")
    project.execute("INSERT INTO person (id, name, team_id) VALUES (1, 'Ada', 1), (2, 'Bob', 1)")
    return project


def test_all_at_once(filled: Project) -> None:
    """A rename, a NOT NULL column and unique columns on a table with rows: the rows stay."""
    filled.step(changed, "--rename", "name:full_name")
    rows = filled.query("SELECT id, full_name, team_id, age, email, badge FROM person ORDER BY id")
    assert rows == [(1, "Ada", 1, 0, None, "1"), (2, "Bob", 1, 0, None, "2")]
    assert "No changes" in filled.run(changed, "migrate")
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        filled.execute("UPDATE person SET email = 'same'")
    with pytest.raises(Exception, match=r"(?i)null"):
        filled.execute("UPDATE person SET age = NULL")


def test_back_and_forth(filled: Project) -> None:
    """What renamed the column takes it back, and does it again."""
    filled.step(changed, "--rename", "person.name:person.full_name")
    filled.run(changed, "downgrade")
    assert filled.query("SELECT id, name FROM person ORDER BY id") == [(1, "Ada"), (2, "Bob")]
    assert filled.columns("person") == {"id", "name", "team_id"}
    filled.run(changed, "upgrade")
    assert filled.query("SELECT full_name FROM person ORDER BY id") == [("Ada",), ("Bob",)]


def test_table(filled: Project) -> None:
    """A renamed table keeps its rows, and what refers to it goes along."""

    def renamed(db: SQLAlchemy) -> None:
        class Person(db.Model):  # type: ignore[name-defined, misc]
            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String(50))
            team_id = db.Column(db.ForeignKey("crew.id"), index=True)

        class Crew(db.Model):  # type: ignore[name-defined, misc]
            id = db.Column(db.Integer, primary_key=True)
            title = db.Column(db.String(50), unique=True)
            motto = db.Column(db.String(50), unique=True)

    text = filled.step(renamed, "--rename", "team:crew")
    assert "op.rename_table('team', 'crew')" in text
    assert "foreign_key" not in text
    assert filled.query("SELECT title FROM crew") == [("Red",)]
    assert filled.query("SELECT team_id FROM person") == [(1,), (1,)]
    assert "No changes" in filled.run(renamed, "migrate")
    filled.run(people, "downgrade")
    assert filled.query("SELECT title FROM team") == [("Red",)]
    filled.run(people, "upgrade")


def test_constraint_without_a_name(filled: Project) -> None:
    """A constraint that nobody named can be dropped, on SQLite too, and comes back."""

    def without(db: SQLAlchemy) -> None:
        class Person(db.Model):  # type: ignore[name-defined, misc]
            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String(50))
            team_id = db.Column(db.Integer, index=True)

        class Team(db.Model):  # type: ignore[name-defined, misc]
            id = db.Column(db.Integer, primary_key=True)
            title = db.Column(db.String(50))

    filled.step(without)
    filled.execute("INSERT INTO team (id, title) VALUES (2, 'Red')")
    filled.execute("UPDATE person SET team_id = 9")
    filled.execute("DELETE FROM team WHERE id = 2")
    filled.execute("UPDATE person SET team_id = 1")
    filled.run(without, "downgrade")
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        filled.execute("INSERT INTO team (id, title) VALUES (2, 'Red')")
    filled.run(without, "upgrade")


def test_server_default(project: Project) -> None:
    """A changed default of the database is found, and an unchanged one is not."""

    def with_default(value: str) -> Define:
        def define(db: SQLAlchemy) -> None:
            column = db.Column("state", db.String(10), server_default=value)
            db.Table("task", db.Column("id", db.Integer, primary_key=True), column)

        return define

    project.step(with_default("new"))
    assert "No changes" in project.run(with_default("new"), "migrate")
    project.step(with_default("open"))
    project.execute("INSERT INTO task (id) VALUES (1)")
    assert project.query("SELECT state FROM task") == [("open",)]


#: The kinds of columns that may be added to a table with rows, all without NULL.
def wide(db: SQLAlchemy) -> None:
    """A model with a column of each kind."""
    import enum

    class Size(enum.Enum):
        SMALL = 1
        LARGE = 2

    db.Table(
        "thing",
        db.Column("id", db.Integer, primary_key=True),
        *(
            db.Column(f"column_{number}", kind, nullable=False)
            for number, kind in enumerate(
                (
                    *(db.Boolean, db.JSON, db.DateTime, db.Date, db.Time, db.Integer, db.Uuid),
                    *(db.Numeric(10, 2), db.Float, db.LargeBinary, db.Text, db.BigInteger),
                    *(db.Enum(Size), db.Enum("a", "b", name="letter"), db.DateTime(timezone=True)),
                )
            )
        ),
        db.Column("given", db.Integer, nullable=False, default=7),
    )


def test_each_kind_of_column(project: Project) -> None:
    """A new column without NULL finds a value for the rows that are there, of whatever kind."""
    project.step(lambda db: db.Table("thing", db.Column("id", db.Integer, primary_key=True)))
    project.execute("INSERT INTO thing VALUES (1)")
    project.step(wide)
    assert project.query("SELECT given FROM thing") == [(7,)]
    assert "No changes" in project.run(wide, "migrate")
    project.run(wide, "downgrade")
    assert project.columns("thing") == {"id"}
    project.run(wide, "upgrade")
