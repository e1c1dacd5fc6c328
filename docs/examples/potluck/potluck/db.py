"""The database: one SQLite file, and one connection for each request."""

import sqlite3

import click
from erlen import Erlen, current_app, g
from erlen.cli import with_appcontext


def get_db() -> sqlite3.Connection:
    """Return the connection of this request; the first call opens it."""
    if "db" not in g:
        g.db = sqlite3.connect(current_app.config["DATABASE"])
        g.db.row_factory = sqlite3.Row
        g.db.execute("PRAGMA foreign_keys = ON")
    connection: sqlite3.Connection = g.db
    return connection


def close_db(error: BaseException | None = None) -> None:
    """Close the connection if this request opened one."""
    connection = g.pop("db", None)
    if connection is not None:
        connection.close()


def init_db() -> None:
    """Make the tables; what was in them is lost."""
    with current_app.open_resource("schema.sql", "r") as schema:
        get_db().executescript(schema.read())


@click.command("init-db")
@with_appcontext
def init_db_command() -> None:
    """Make the tables; what was in them is lost."""
    init_db()
    click.echo("The database is ready.")


def init_app(app: Erlen) -> None:
    """Close connections after each request, and add the command."""
    app.teardown_appcontext(close_db)
    app.cli.add_command(init_db_command)
