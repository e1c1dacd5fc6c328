"""``erlen sessions``: the sessions that are kept on the server."""

from __future__ import annotations

import typing as t

import click
from werkzeug.exceptions import ServiceUnavailable

from ..commands import with_appcontext
from ..exceptions import ConfigError
from ..local import _cv_app

if t.TYPE_CHECKING:
    from ..sessions import SessionInterface
    from ..typing import Application


@click.group("sessions", short_help="List, end and clean up sessions on the server.")
def sessions_group() -> None:
    """Look after the sessions that an application keeps on the server."""


@sessions_group.command("prune")
@with_appcontext
def prune_command() -> None:
    """Delete what is stored of sessions that have ended."""
    app, interface = _find_interface()
    count = _ask(lambda: interface.prune(app))
    click.echo(f"Deleted {count} {_word(count)} that had ended.")


@sessions_group.command("list")
@click.argument("owner")
@with_appcontext
def list_command(owner: str) -> None:
    """Show the sessions of OWNER: what session.owner was set to, a user's id as a rule."""
    app, interface = _find_interface()
    for record in _ask(lambda: interface.sessions_of(app, owner)):
        seen = f"{record.last_seen:%Y-%m-%d %H:%M} UTC"
        click.echo(f"{record.id}  {seen}  {record.device}  {record.address or ''}".rstrip())


@sessions_group.command("revoke")
@click.argument("owner")
@click.argument("record_id", required=False)
@with_appcontext
def revoke_command(owner: str, record_id: str | None) -> None:
    """End all sessions of OWNER, or the one with the id RECORD_ID that 'list' shows."""
    app, interface = _find_interface()
    if record_id is None:
        count = _ask(lambda: interface.revoke_all(app, owner))
    else:
        count = int(_ask(lambda: interface.revoke(app, owner, record_id)))
        if not count:
            raise click.ClickException(f"{owner!r} has no session with the id {record_id!r}.")
    click.echo(f"Ended {count} {_word(count)} of {owner!r}.")


def _word(count: int) -> str:
    return "session" if count == 1 else "sessions"


T = t.TypeVar("T")


def _ask(call: t.Callable[[], T]) -> T:
    try:
        return call()
    except ServiceUnavailable as error:
        cause = error.__cause__ or error
        raise click.ClickException(f"The store of sessions cannot be asked: {cause}") from error


def _find_interface() -> tuple[Application, SessionInterface]:
    app = _cv_app.get().app
    try:
        interface: SessionInterface = app.session_interface
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    if not getattr(interface, "keeps_sessions", False):
        raise click.ClickException(
            "This application keeps its sessions in cookies, where nobody can list or end them."
            " Set SESSION_BACKEND to keep them on the server."
        )
    return app, interface
