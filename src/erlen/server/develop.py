"""The development server behind ``erlen run`` and ``app.run()``."""

from __future__ import annotations

import typing as t

import click
from werkzeug import serving

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import WSGIApplication

#: The variable by which the reloader says what the process that serves inherits. It has none of the
#: prefixes by which options and configuration are read.
INHERITED = "_ERLEN_INHERITED"

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
