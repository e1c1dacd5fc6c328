"""Projects with a database each, whose models change from one step of a test to the next."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.services import mariadb_url, postgresql_url

from erlen import Erlen
from erlen.db import SQLAlchemy
from erlen.migrate import Migrate

Define = Callable[[SQLAlchemy], object]

KINDS = ("sqlite", "postgresql", "mariadb")


class Project:
    """An application's migrations and database, with whatever models it has at the moment.

    :param folder: where the migrations and an SQLite database are.
    :param url: the database's URL.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.engines: list[sa.Engine] = []
        self.engine = self._keep(sa.create_engine(url))

    def _keep(self, engine: sa.Engine) -> sa.Engine:
        self.engines.append(engine)
        return engine

    def make_app(self, define: Define, **config: t.Any) -> Erlen:
        """Return the application with some models.

        :param define: makes the models.
        :param config: more configuration.
        """
        app = Erlen("project", root_path=str(self.folder))
        app.config.from_mapping({"SQLALCHEMY_DATABASE_URI": self.url, "TESTING": True, **config})
        db = SQLAlchemy(app)
        Migrate(app, db, directory=self.folder / "migrations")
        define(db)
        with app.app_context():
            self.engines += db.engines.values()
        return app

    def run(
        self,
        define: Define,
        *args: str,
        exit_code: int = 0,
        input: str | None = None,
        **config: t.Any,
    ) -> str:
        """Run ``erlen db`` with some models, and return what it prints.

        :param define: makes the models.
        :param args: the command and its options.
        :param exit_code: what to expect.
        :param input: what is typed.
        :param config: more configuration.
        """
        runner = self.make_app(define, **config).test_cli_runner()
        result = runner.invoke(args=["db", *args], input=input)
        if result.exit_code not in (0, 1, 2) or (
            result.exception and not isinstance(result.exception, SystemExit)
        ):
            raise AssertionError(result.output) from result.exception
        assert result.exit_code == exit_code, result.output
        return result.output

    def step(self, define: Define, *args: str, **config: t.Any) -> str:
        """Write a migration for some models and apply it; return the migration's text.

        :param define: makes the models.
        :param args: options for ``migrate``.
        :param config: more configuration.
        """
        before = set(self.versions())
        self.run(define, "migrate", *args, **config)
        self.run(define, "upgrade", **config)
        (path,) = set(self.versions()) - before
        return path.read_text()

    def versions(self) -> list[Path]:
        """Return the migrations' files."""
        return sorted((self.folder / "migrations" / "versions").glob("*.py"))

    def write(self, revision: str, parent: str | None, body: str, down: str = "pass") -> Path:
        """Write a migration by hand.

        :param revision: its identifier.
        :param parent: the revision before it.
        :param body: the statements of ``upgrade()``.
        :param down: the statements of ``downgrade()``.
        """
        folder = self.folder / "migrations" / "versions"
        folder.mkdir(parents=True, exist_ok=True)
        # Written past the commands, which keep this file.
        (folder.parent / "HEADS").unlink(missing_ok=True)
        path = folder / f"{revision}_.py"
        indent = "\n    "
        path.write_text(
            f'"""{revision}\n\nRevision ID: {revision}\nRevises: {parent or ""}\n"""\n'
            "import sqlalchemy as sa\nfrom alembic import op\n\n"
            f"revision = {revision!r}\ndown_revision = {parent!r}\n\n\n"
            f"def upgrade():\n    {indent.join(body.splitlines())}\n\n\n"
            f"def downgrade():\n    {indent.join(down.splitlines())}\n"
        )
        return path

    def execute(self, statement: str) -> None:
        """Execute a statement on the database.

        :param statement: SQL.
        """
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement))

    def query(self, statement: str) -> list[tuple[t.Any, ...]]:
        """Return the rows of a query.

        :param statement: SQL.
        """
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    def columns(self, table: str) -> set[str]:
        """Return the names of a table's columns; none where there is no such table.

        :param table: its name.
        """
        inspector = sa.inspect(self.engine)
        if not inspector.has_table(table):
            return set()
        return {column["name"] for column in inspector.get_columns(table)}

    def close(self) -> None:
        """Close all connections."""
        for engine in self.engines:
            engine.dispose()


def make_url(kind: str, folder: Path) -> str:
    """Return the URL of an empty database.

    :param kind: one of :data:`KINDS`.
    :param folder: where to put an SQLite database.
    """
    if kind == "postgresql":
        return postgresql_url("migrate")
    if kind == "mariadb":
        return mariadb_url("migrate")
    return f"sqlite:///{folder / 'project.sqlite3'}"


@pytest.fixture(params=KINDS)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """A project without migrations, on each kind of database."""
    made = Project(tmp_path, make_url(request.param, tmp_path))
    yield made
    made.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Project]:
    """A project on SQLite, for what has nothing to do with the kind of database."""
    made = Project(tmp_path, make_url("sqlite", tmp_path))
    yield made
    made.close()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Project]:
    """A project on PostgreSQL."""
    made = Project(tmp_path, make_url("postgresql", tmp_path))
    yield made
    made.close()


@pytest.fixture
def mariadb(tmp_path: Path) -> Iterator[Project]:
    """A project on MariaDB."""
    made = Project(tmp_path, make_url("mariadb", tmp_path))
    yield made
    made.close()
