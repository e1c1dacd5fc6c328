"""Commands that set the library up: its tables, its books, and who may do what."""

import csv
from collections.abc import Iterator
from pathlib import Path

import click

from erlen import Erlen, current_app
from erlen.cli import with_appcontext

from .accounts import make_demo_accounts, promote
from .books import BookData, add_books
from .db import check_ready, create_tables
from .exceptions import NotReady, Refused


@click.command("init-db")
@with_appcontext
def init_db() -> None:
    """Make the database, or bring it up to date; what is in it stays."""
    click.echo(f"The database is ready: {create_tables()}")


@click.command()
@with_appcontext
def seed() -> None:
    """Bring the catalogue's books in, those that are not there yet."""
    books = list(read_catalogue())
    try:
        check_ready()
        added = add_books(books)
    except NotReady as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Books added: {added}. Already there: {len(books) - added}.")


@click.command("demo-accounts")
@with_appcontext
def demo_accounts() -> None:
    """Make a librarian and a reader to try the library with, and show their passwords."""
    path = Path(current_app.config["DEMO_PASSWORDS"])
    try:
        check_ready()
        found = make_demo_accounts(path)
    except NotReady as error:
        raise click.ClickException(str(error)) from None
    for email, password in found.items():
        click.echo(f"Log in as {email} with {password or 'the password that you gave it'}")


@click.command("make-librarian")
@click.argument("email")
@with_appcontext
def make_librarian(email: str) -> None:
    """Make a librarian of whoever has an account with the address EMAIL."""
    try:
        check_ready()
        account = promote(email)
    except (NotReady, Refused) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{account.name} is a librarian now.")


def read_catalogue() -> Iterator[BookData]:
    """Yield the books of ``catalogue.csv``, one to three copies of each."""
    with current_app.open_resource("catalogue.csv", "r") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        yield BookData(
            title=row["title"],
            english_title=row["english_title"] or None,
            author=row["author"],
            born=int(row["born"]) if row["born"] else None,
            died=int(row["died"]) if row["died"] else None,
            year=int(row["year"]),
            language=row["language"],
            copies=number % 3 + 1,
        )


def init_app(app: Erlen) -> None:
    """Add the commands to the command line of ``app``."""
    app.cli.add_command(init_db)
    app.cli.add_command(seed)
    app.cli.add_command(demo_accounts)
    app.cli.add_command(make_librarian)
