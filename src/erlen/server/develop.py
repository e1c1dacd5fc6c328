"""The development server behind ``erlen run`` and ``app.run()``."""

from __future__ import annotations

import errno
import os
import platform
import socket
import typing as t

import click
from werkzeug import serving

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import WSGIApplication

SSLContextArg = t.Union["ssl.SSLContext", tuple[str, str | None], t.Literal["adhoc"]]


def run(
    app: WSGIApplication,
    host: str = "127.0.0.1",
    port: int = 5000,
    *,
    debug: bool = False,
    use_reloader: bool | None = None,
    use_debugger: bool | None = None,
    threaded: bool = True,
    ssl_context: SSLContextArg | None = None,
    extra_files: Iterable[str] | None = None,
    exclude_patterns: Iterable[str] | None = None,
    serve: Callable[..., t.Any] | None = None,
    **options: t.Any,
) -> None:
    """Serve an application for development until interrupted.

    The server is Werkzeug's: made for one developer's machine, not for strangers.

    :param app: any WSGI application.
    :param host: the name or address to listen on, or ``unix://`` and the path of a socket.
    :param port: the port to listen on; 0 takes a free one.
    :param debug: what `use_reloader` and `use_debugger` are when they are not given.
    :param use_reloader: restart when a file of the program changes.
    :param use_debugger: answer an unhandled exception with the interactive debugger.
    :param threaded: handle each request in a thread of its own.
    :param ssl_context: serve HTTPS with this context, this pair of certificate and key files, or
        a certificate made up on the spot (``"adhoc"``).
    :param extra_files: more files that the reloader watches.
    :param exclude_patterns: :mod:`fnmatch` patterns of files that the reloader ignores.
    :param serve: what to call in place of :func:`werkzeug.serving.run_simple`.
    :param options: passed on to it.
    """
    # Found at the time of the call: applications' tests replace run_simple where it lives.
    serve = serve or serving.run_simple
    serve(
        host,
        port,
        app,
        use_reloader=debug if use_reloader is None else use_reloader,
        use_debugger=debug if use_debugger is None else use_debugger,
        threaded=threaded,
        ssl_context=ssl_context,
        extra_files=extra_files,
        exclude_patterns=exclude_patterns,
        **options,
    )


def show_banner(debug: bool | None, app_import_path: str | None) -> None:
    """Print which application is served, once, and not again at each reload.

    :param debug: whether debug mode is on; ``None`` says nothing about it.
    :param app_import_path: the application's name or import path, if there is one to show.
    """
    if serving.is_running_from_reloader():
        return

    if app_import_path is not None:
        click.echo(f" * Serving Erlen app '{app_import_path}'")

    if debug is not None:
        click.echo(f" * Debug mode: {'on' if debug else 'off'}")


def address_problem(host: str, port: int) -> str | None:
    """Return a sentence on why the server could not listen at an address; ``None`` if it could.

    The address is tried for a moment and given back.

    :param host: as for :func:`run`.
    :param port: as for :func:`run`.
    """
    family = serving.select_address_family(host, port)
    # The process of the reloader is handed a socket that listens already.
    if family not in (socket.AF_INET, socket.AF_INET6) or serving.is_running_from_reloader():
        return None

    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # pragma: no branch  (elsewhere the option means something else)
            # As the server does, or connections just closed would count as "in use".
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(serving.get_sockaddr(host, port, family))
        except OSError as error:
            return _explain_bind_error(error, host, port)
    return None


def _explain_bind_error(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror):
        return f"Cannot listen on {host!r}: this machine knows no such name or address."
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is in use by another program. Stop that program, or choose"
            f" another port with '--port'.{_airplay_hint(port)}"
        )
    if error.errno == errno.EACCES:
        return (
            f"Listening on port {port} is not permitted to this user. Choose a port above"
            " 1023 with '--port'."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"Cannot listen on {host!r}: this machine has no such address."
    return f"Cannot listen on {host!r}, port {port}: {error.strerror or error}."


def _airplay_hint(port: int) -> str:
    if platform.system() != "Darwin" or port != 5000:
        return ""
    return " On macOS it may be the 'AirPlay Receiver' of the System Settings."
