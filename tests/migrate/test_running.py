"""One upgrade at a time, and a clear end for each that fails or is killed."""

from __future__ import annotations

import signal
import time

import pytest

from erlen.db import SQLAlchemy

from .conftest import Project
from .processes import finish, start, start_eight, write_app


def nothing(db: SQLAlchemy) -> None:
    """No models."""


def write_history(project: Project) -> None:
    """Write three migrations, of which each fails when it is applied twice."""
    project.write("one", None, "op.create_table('runs', sa.Column('name', sa.String(20)))")
    project.write("two", "one", "op.execute(\"INSERT INTO runs VALUES ('two')\")")
    project.write(
        "three",
        "two",
        "op.create_table('more', sa.Column('id', sa.Integer, primary_key=True))\n"
        "op.execute(\"INSERT INTO runs VALUES ('three')\")",
    )


@pytest.mark.slow
def test_eight_processes(project: Project) -> None:
    """Eight processes that upgrade at once apply each revision once, and all succeed."""
    write_app(project.folder)
    write_history(project)
    code, output = finish(start_eight(project.folder, project.url))
    assert (code, output) == (0, f"{[0] * 8}\n")
    assert sorted(project.query("SELECT name FROM runs")) == [("three",), ("two",)]
    assert project.query("SELECT version_num FROM alembic_version") == [("three",)]


def test_failure(project: Project) -> None:
    """A revision that fails leaves nothing, or says what it left; the next run succeeds."""
    write_history(project)
    bad = project.write(
        "four",
        "three",
        "op.create_table('last', sa.Column('id', sa.Integer, primary_key=True))\n"
        "op.execute(\"INSERT INTO runs VALUES ('four')\")\n"
        "op.execute('CREATE INDEX broken ON missing (id)')",
    )
    output = project.run(nothing, "upgrade", exit_code=1)
    assert "This happened in revision four." in output
    assert "Traceback" not in output
    dialect = project.engine.dialect.name
    if dialect == "mysql":
        assert "The database is at three." in output
        assert "2 statements stay done" in output
    else:
        assert "The database is at the beginning." in output
        assert project.columns("runs") == project.columns("last") == set()

    bad.write_text(bad.read_text().replace("ON missing (id)", "ON last (id)"))
    remove_cache(bad)
    project.run(nothing, "upgrade")
    assert sorted(project.query("SELECT name FROM runs")) == [("four",), ("three",), ("two",)]
    assert project.query("SELECT version_num FROM alembic_version") == [("four",)]
    assert project.columns("erlen_migration_journal") == set()


def remove_cache(path: object) -> None:
    """Forget the compiled form of a file that was changed within the same second."""
    import importlib.util
    from pathlib import Path

    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


@pytest.mark.slow
def test_killed(project: Project) -> None:
    """A process that is killed in the middle of a revision leaves no lock, and nothing half."""
    write_app(project.folder)
    write_history(project)
    mark = project.folder / "half-way"
    bad = project.write(
        "four",
        "three",
        "op.create_table('last', sa.Column('id', sa.Integer, primary_key=True))\n"
        "op.execute(\"INSERT INTO runs VALUES ('four')\")\n"
        "op.create_table('end', sa.Column('id', sa.Integer, primary_key=True))\n"
        f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n"
        "import time; time.sleep(3600)",
    )
    process = start(project.folder, project.url, "upgrade")
    deadline = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    finish(process)
    assert mark.exists()
    if project.engine.dialect.name != "mysql":
        assert project.columns("last") == set()

    bad.write_text(bad.read_text().replace("import time; time.sleep(3600)", "pass"))
    remove_cache(bad)
    code, output = finish(start(project.folder, project.url, "upgrade"))
    assert code == 0, output
    assert sorted(project.query("SELECT name FROM runs")) == [("four",), ("three",), ("two",)]
    assert project.columns("end") == project.columns("last") == {"id"}
    assert not list(project.folder.glob("*.migrating"))


def test_changed_after_failure(mariadb: Project) -> None:
    """Statements that are done on MariaDB cannot be changed any more, and the error says so."""
    write_history(mariadb)
    bad = mariadb.write(
        "four",
        "three",
        "op.create_table('last', sa.Column('id', sa.Integer, primary_key=True))\n"
        "op.execute('DROP TABLE missing')",
    )
    mariadb.run(nothing, "upgrade", exit_code=1)
    assert "1 statement done" in mariadb.run(nothing, "status")
    bad.write_text(bad.read_text().replace("'last'", "'best'"))
    remove_cache(bad)
    output = mariadb.run(nothing, "upgrade", exit_code=1)
    assert "Statement 1 of revision four was another one" in output


def test_foreign_keys_on_sqlite(small: Project) -> None:
    """Rebuilding a table deletes no rows that refer to it."""

    def first(db: SQLAlchemy) -> None:
        db.Table("team", db.Column("id", db.Integer, primary_key=True), db.Column("a", db.Integer))
        parent = db.ForeignKey("team.id", ondelete="CASCADE")
        db.Table("person", db.Column("id", db.Integer, primary_key=True), db.Column("t", parent))

    small.step(first)
    small.execute("INSERT INTO team (id) VALUES (1)")
    small.execute("INSERT INTO person VALUES (1, 1)")

    def second(db: SQLAlchemy) -> None:
        db.Table("team", db.Column("id", db.Integer, primary_key=True))
        parent = db.ForeignKey("team.id", ondelete="CASCADE")
        db.Table("person", db.Column("id", db.Integer, primary_key=True), db.Column("t", parent))

    small.step(second)
    assert small.query("SELECT t FROM person") == [(1,)]


def test_orphans_on_sqlite(small: Project) -> None:
    """A migration that leaves rows without their parent is refused."""

    def models(db: SQLAlchemy) -> None:
        db.Table("team", db.Column("id", db.Integer, primary_key=True))
        db.Table(
            "person",
            db.Column("id", db.Integer, primary_key=True),
            db.Column("t", db.ForeignKey("team.id")),
        )

    small.step(models)
    small.execute("INSERT INTO team (id) VALUES (1)")
    small.execute("INSERT INTO person VALUES (1, 1)")
    parent = small.versions()[0].name.partition("_")[0]
    small.write("two", parent, "op.execute('DELETE FROM team')")
    output = small.run(models, "upgrade", exit_code=1)
    assert "'person' is left with rows that refer to rows of 'team'" in output
    assert small.query("SELECT id FROM team") == [(1,)]


def test_lock_timeout(postgres: Project) -> None:
    """A statement that waits for a table for longer than allowed fails, with one line."""
    write_history(postgres)
    postgres.run(nothing, "upgrade")
    postgres.write("four", "three", "op.add_column('runs', sa.Column('x', sa.Integer))")
    with postgres.engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE")
        output = postgres.run(nothing, "upgrade", exit_code=1, MIGRATE_LOCK_TIMEOUT=0.2)
    assert "lock timeout" in output
    assert "Traceback" not in output
    postgres.run(nothing, "upgrade", MIGRATE_LOCK_TIMEOUT=30)


def test_waiting_ends(project: Project) -> None:
    """Who waits for another process gives up after the configured time."""
    from erlen.migrate.locks import hold

    write_history(project)
    with hold(project.engine, 1):
        output = project.run(nothing, "upgrade", exit_code=1, MIGRATE_LOCK_WAIT=0.2)
    assert "Another process has been migrating this database for 0.2 seconds" in output
    project.run(nothing, "upgrade")


def test_dry_run(project: Project) -> None:
    """The SQL is shown, and nothing is done."""
    write_history(project)
    project.run(nothing, "upgrade", "two")
    output = project.run(nothing, "upgrade", "--dry-run")
    assert "CREATE TABLE more" in output
    assert "CREATE TABLE runs" not in output
    assert project.columns("more") == set()
    assert project.query("SELECT version_num FROM alembic_version") == [("two",)]
    assert "DELETE FROM alembic_version" in project.run(nothing, "downgrade", "base", "--dry-run")


def test_mistakes(small: Project) -> None:
    """A mistake is one line, and an exit code that is not 0."""
    write_history(small)
    output = small.run(nothing, "upgrade", "nowhere", exit_code=1)
    assert output == "Error: Can't locate revision identified by 'nowhere'\n"
    small.write("four", "three", "op.create_table(nonsense)")
    output = small.run(nothing, "upgrade", exit_code=1)
    assert "NameError: name 'nonsense' is not defined" in output
    assert "four_.py:" in output
    assert "Traceback" not in output
    bad = small.write("four", "three", "op.create_table(")
    remove_cache(bad)
    assert "SyntaxError" in small.run(nothing, "upgrade", exit_code=1)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////erlen/no/such/folder/project.sqlite3",
        "postgresql+psycopg://nobody@127.0.0.1:9/nothing",
        "mysql+pymysql://nobody@127.0.0.1:9/nothing",
    ],
)
def test_no_database(small: Project, url: str) -> None:
    """A database that cannot be reached is one line, whatever is asked of it."""
    write_history(small)
    small.url = url
    for command in ("upgrade", "status", "check", "migrate"):
        output = small.run(nothing, command, exit_code=1)
        assert "Error: OperationalError: " in output
        assert "Traceback" not in output


#: What the env.py of a project on Flask-Migrate comes down to.
CLASSICAL = """
from alembic import context
from flask import current_app

state = current_app.extensions["migrate"]

with state.db.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=state.db.metadatas[None],
        **state.configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()
"""


def test_classical_environment(project: Project) -> None:
    """With an env.py that knows nothing of Erlen, a revision still fails as a whole."""
    write_history(project)
    environment = CLASSICAL.replace("from flask ", "from erlen ")
    (project.folder / "migrations" / "env.py").write_text(environment)
    (project.folder / "migrations" / "alembic.ini").write_text("[alembic]\n")
    bad = project.write(
        "four",
        "three",
        "op.create_table('last', sa.Column('id', sa.Integer, primary_key=True))\n"
        "op.execute(\"INSERT INTO runs VALUES ('four')\")\n"
        "op.execute('CREATE INDEX broken ON missing (id)')",
    )
    project.run(nothing, "upgrade", exit_code=1)
    if project.engine.dialect.name != "mysql":
        assert project.columns("last") == set()
    bad.write_text(bad.read_text().replace("ON missing (id)", "ON last (id)"))
    remove_cache(bad)
    project.run(nothing, "upgrade")
    assert sorted(project.query("SELECT name FROM runs")) == [("four",), ("three",), ("two",)]
    assert "two" in project.run(nothing, "history")
