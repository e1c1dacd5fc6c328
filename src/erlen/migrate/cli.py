"""The group of commands: ``erlen db``."""

from __future__ import annotations

import traceback
import typing as t
from functools import wraps

import click
from sqlalchemy.exc import SQLAlchemyError

from ..cli import with_appcontext
from ..globals import current_app, g
from . import functions

if t.TYPE_CHECKING:
    from collections.abc import Callable

F = t.TypeVar("F", bound="Callable[..., t.Any]")

_directory = click.option(
    "-d", "--directory", help="The folder of the migrations ('migrations' by default)."
)
_message = click.option("-m", "--message", help="What the migration does, in a few words.")
_sql = click.option("--sql", is_flag=True, help="Print SQL in place of executing it.")
_tag = click.option("--tag", help="A word for an 'env.py' of your own.")
_x_arg = click.option("-x", "--x-arg", multiple=True, help="An argument for an 'env.py' of yours.")
_verbose = click.option("-v", "--verbose", is_flag=True, help="Show more of each revision.")
_branch_label = click.option("--branch-label", help="A name for the branch that begins here.")
_rev_id = click.option("--rev-id", help="The revision's identifier, in place of a random one.")
_dry_run = click.option("--dry-run", is_flag=True, help="Print the SQL, and change nothing.")


def _new_revision(f: F) -> F:
    """Add the options of commands that write a revision."""
    options = (
        _message,
        _sql,
        click.option("--head", default="head", help="The revision to put the new one on."),
        click.option("--splice", is_flag=True, help="Allow one that is no head for that."),
        _branch_label,
        click.option("--version-path", help="The folder to write to, where there are several."),
        _rev_id,
    )
    for option in reversed(options):
        f = option(f)
    return f


def _in_one_line(f: F) -> F:
    """Show what a person or a database did wrong as one line, and end with status 1.

    The traceback of an error in Erlen or in a migration's own code stays, for it says where.
    """

    @wraps(f)
    def run(*args: t.Any, **kwargs: t.Any) -> t.Any:
        try:
            return f(*args, **kwargs)
        except (SQLAlchemyError, SyntaxError, ImportError) as error:
            raise click.ClickException(_explain(error)) from error
        except (AttributeError, LookupError, NameError, TypeError, ValueError) as error:
            place = _find_place(error)
            if place is None or current_app.debug:
                raise
            raise click.ClickException(f"{place}: {_explain(error)}") from error

    return t.cast(F, run)


def _explain(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    text = " ".join(str(cause).split())
    notes = getattr(error, "__notes__", [])
    return " ".join([f"{type(cause).__name__}: {text}", *notes])


def _find_place(error: Exception) -> str | None:
    """Return the last line of a migration's own file in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{x.filename}:{x.lineno}" for x in frames if "/versions/" in x.filename]
    return places[-1] if places else None


@click.group()
@_directory
@_x_arg
@with_appcontext
def db(directory: str | None, x_arg: tuple[str, ...]) -> None:
    """Keep the database in step with the models."""
    g.directory = directory
    g.x_arg = x_arg


def _command(f: Callable[..., t.Any]) -> click.Command:
    """Make a function a command of the group, with the option for the folder."""
    return db.command()(_directory(with_appcontext(_in_one_line(_with_directory(f)))))


def _with_directory(f: Callable[..., t.Any]) -> Callable[..., t.Any]:
    @wraps(f)
    def run(directory: str | None, **kwargs: t.Any) -> t.Any:
        return f(directory or g.get("directory"), **kwargs)

    return run


@db.command()
@with_appcontext
def list_templates() -> None:
    """List the templates for 'init'."""
    functions.list_templates()


@_command
@click.option("--multidb", is_flag=True, help="Take the template for several databases.")
@click.option("-t", "--template", help="A template's name, or the path of a folder.")
@click.option("--package", is_flag=True, help="Make the folders packages.")
def init(directory: str | None, multidb: bool, template: str | None, package: bool) -> None:
    """Make an environment to change; migrations need none."""
    functions.init(directory, multidb, template, package)


@_command
@_new_revision
@click.option("--autogenerate", is_flag=True, help="Compare the database with the models.")
def revision(directory: str | None, **options: t.Any) -> None:
    """Write a migration with nothing in it."""
    functions.revision(directory, **options)


@_command
@_new_revision
@_x_arg
@click.option(
    "--rename", multiple=True, metavar="OLD:NEW", help="Something that was renamed; repeatable."
)
@click.option(
    "--fill",
    multiple=True,
    metavar="TABLE.COLUMN=VALUE",
    help="What existing rows get in a new column; repeatable.",
)
@click.option("--ask/--no-ask", default=None, help="Ask about renames; at a terminal by default.")
def migrate(directory: str | None, **options: t.Any) -> None:
    """Write a migration that brings the database to what the models say."""
    functions.migrate(directory, **options)


@_command
@click.argument("revision", default="head")
def edit(directory: str | None, revision: str) -> None:
    """Open a migration in the editor."""
    functions.edit(directory, revision)


@_command
@_message
@_branch_label
@_rev_id
@click.argument("revisions", nargs=-1)
def merge(directory: str | None, revisions: tuple[str, ...], **options: t.Any) -> None:
    """Join several heads with a migration; see also 'rebase'."""
    functions.merge(directory, revisions, **options)


@_command
@_sql
@_tag
@_x_arg
@_dry_run
@click.option("--lint/--no-lint", default=None, help="Look for dangers first.")
@click.argument("revision", default="head")
def upgrade(directory: str | None, revision: str, **options: t.Any) -> None:
    """Bring the database to a later revision."""
    functions.upgrade(directory, revision, **options)


@_command
@_sql
@_tag
@_x_arg
@_dry_run
@click.argument("revision", default="-1")
def downgrade(directory: str | None, revision: str, **options: t.Any) -> None:
    """Bring the database back to an earlier revision."""
    functions.downgrade(directory, revision, **options)


@_command
@click.argument("revision", default="head")
def show(directory: str | None, revision: str) -> None:
    """Show a revision."""
    functions.show(directory, revision)


@_command
@click.option("-r", "--rev-range", help="Which revisions, as START:END.")
@_verbose
@click.option("-i", "--indicate-current", is_flag=True, help="Mark where the database is.")
def history(directory: str | None, **options: t.Any) -> None:
    """List the revisions, the newest first."""
    functions.history(directory, **options)


@_command
@_verbose
@click.option("--resolve-dependencies", is_flag=True, help="Count dependencies as parents.")
def heads(directory: str | None, **options: t.Any) -> None:
    """Show the revisions that no other comes after."""
    functions.heads(directory, **options)


@_command
@_verbose
def branches(directory: str | None, verbose: bool) -> None:
    """Show the revisions that several others come after."""
    functions.branches(directory, verbose)


@_command
@_verbose
def current(directory: str | None, verbose: bool) -> None:
    """Show the revision that each database is at."""
    functions.current(directory, verbose)


@_command
@_sql
@_tag
@click.option("--purge", is_flag=True, help="Forget first what was entered before.")
@click.argument("revision", default="head")
def stamp(directory: str | None, revision: str, **options: t.Any) -> None:
    """Enter a revision as the one that the database is at."""
    functions.stamp(directory, revision, **options)


@_command
def check(directory: str | None) -> None:
    """Fail where migrations, models and database are not in step."""
    functions.check(directory)


@_command
def status(directory: str | None) -> None:
    """Tell what is applied, what is pending, and what differs."""
    functions.status(directory)


@_command
@click.option(
    "--severity", multiple=True, metavar="RULE=LEVEL", help="error, warning or off; repeatable."
)
@click.argument("revision", required=False)
def lint(directory: str | None, revision: str | None, severity: tuple[str, ...]) -> None:
    """Report what locks a table for long, or loses data."""
    functions.lint(directory, revision, severity)


@_command
@click.argument("revision", required=False)
def rebase(directory: str | None, revision: str | None) -> None:
    """Put a history with two heads in one line."""
    functions.rebase(directory, revision)


@_command
@_message
def squash(directory: str | None, message: str | None) -> None:
    """Replace the history by one revision that gives the same schema."""
    functions.squash(directory, message)
