"""What ``erlen run`` does: choose the server, take the port, serve."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import tempfile
import threading
import typing as t
from dataclasses import dataclass

import click
from werkzeug import serving as werkzeug_serving
from werkzeug.serving import is_running_from_reloader, load_ssl_context

from ..server import develop, ports
from .environment import environment_without_files
from .errors import format_error
from .loading import ImportFailed, NoAppException

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from ..server.develop import SSLContextArg
    from ..server.serving import Failure, Serving, Site
    from ..typing import Application
    from . import ScriptInfo


@dataclass
class Options:
    """The options of the command."""

    host: str
    port: int
    #: Whether the user named the port.
    is_port_named: bool
    debug: bool
    reload: bool
    debugger: bool
    with_threads: bool
    cert: SSLContextArg | None
    extra_files: list[str]
    exclude_patterns: list[str]


def run(
    info: ScriptInfo,
    options: Options,
    banner: Callable[[bool, str | None], None],
    run_simple: Callable[..., t.Any],
) -> None:
    """Serve an application for development.

    :param info: where the application is.
    :param options: the options.
    :param banner: prints which application is served.
    :param run_simple: Werkzeug's server, or what replaces it.
    """
    inherited = os.environ.pop(develop.INHERITED, None)
    if inherited is not None:
        _serve_inherited(info, options, json.loads(inherited))
    is_replaced = run_simple is not werkzeug_serving.run_simple
    reason = None if is_replaced else _why_not_granian(options)
    if is_replaced or reason is not None:
        _run_werkzeug(info, options, banner, run_simple, reason)
    elif options.reload:
        _run_reloader(info, options, banner)
    else:
        _serve_here(info, options, banner)


def _why_not_granian(options: Options) -> str | None:
    """Return why Granian cannot serve this; ``None`` where it can."""
    missing = [
        name
        for name, module in (("Granian", "granian"), ("watchfiles", "watchfiles"))
        if importlib.util.find_spec(module) is None
    ]
    if missing:
        return (
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: no"
            " WebSockets, and pages do not follow changes. Install with: pip install"
            " 'erlen[server]'"
        )
    if os.name != "posix":
        return "Granian is used on Linux and macOS only: no WebSockets here."
    if options.host.startswith("unix://"):
        return "At a Unix socket, Werkzeug's server serves: no WebSockets."
    if not isinstance(options.cert, (str, tuple, type(None))):
        return "With an SSLContext, Werkzeug's server serves: no WebSockets."
    return None


def _run_werkzeug(
    info: ScriptInfo,
    options: Options,
    banner: Callable[[bool, str | None], None],
    run_simple: Callable[..., t.Any],
    reason: str | None,
) -> None:
    app: WSGIApplication
    try:
        app = info.load_app()
    except Exception as error:
        if not is_running_from_reloader():
            raise
        # The mistake was made while the server ran: say so, and wait for it to be mended.
        click.echo(format_error(error), err=True)
        app = _failing_app(error)

    _check_certificate(options.cert)
    port = options.port
    if not options.host.startswith("unix://") and not is_running_from_reloader():
        with _take_port(options) as taken:
            port = port and taken.getsockname()[1]
    banner(options.debug, info.app_import_path)
    if reason is not None and not is_running_from_reloader():
        click.echo(f" * {reason}")
    develop.run(
        app,
        options.host,
        port,
        debug=options.debug,
        use_reloader=options.reload,
        use_debugger=options.debugger,
        threaded=options.with_threads,
        ssl_context=options.cert,
        extra_files=options.extra_files or None,
        exclude_patterns=options.exclude_patterns or None,
        serve=run_simple,
    )


def _failing_app(error: Exception) -> WSGIApplication:
    """Return an application that answers each request with the error of loading the real one."""
    # Raising adds to the traceback, at each request anew.
    first_traceback = error.__traceback__

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise error.with_traceback(first_traceback)

    return app


def _check_certificate(cert: SSLContextArg | None) -> None:
    if not isinstance(cert, tuple):
        return
    try:
        load_ssl_context(*cert)
    except OSError as error:
        raise click.BadParameter(
            f"The files hold no certificate with its key: {error}.", param_hint="'--cert'"
        ) from None


def _take_port(options: Options) -> socket.socket:
    """Return a socket that listens: at the port, or at the next one where nobody named a port."""
    try:
        return ports.bind(options.host, options.port)
    except ports.AddressError as error:
        if not error.is_taken:
            raise click.ClickException(str(error)) from None
        if options.is_port_named:
            raise click.ClickException(f"{error} {ports.what_to_do(options.port)}") from None
        taken = error
    try:
        listening = ports.bind_next(options.host, options.port)
    except ports.AddressError as error:
        raise click.ClickException(f"{taken} {error}") from None
    click.echo(f" * {taken} Taking port {listening.getsockname()[1]}.", err=True)
    return listening


class _Certificate:
    """The certificate of the server, where it has one.

    :param cert: the files of it, or ``"adhoc"`` for one that is made here and never has a name
        in the file system.
    """

    def __init__(self, cert: t.Any) -> None:
        self._files: list[t.IO[bytes]] = []
        self.paths: tuple[str, str] | None = cert if isinstance(cert, tuple) else None
        if cert == "adhoc":
            self._files = [_nameless(data) for data in _make_certificate()]
            certificate, key = (f"/dev/fd/{file.fileno()}" for file in self._files)
            self.paths = (certificate, key)

    @property
    def descriptors(self) -> dict[str, int]:
        """What another process needs to have it too."""
        names = ("certificate", "key")
        return {name: f.fileno() for name, f in zip(names, self._files, strict=False)}


def _nameless(data: bytes) -> t.IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the server runs)
    file.write(data)
    file.seek(0)
    return file


def _make_certificate() -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives import serialization

    certificate, key = werkzeug_serving.generate_adhoc_ssl_pair()
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _show_address(listening: socket.socket, options: Options) -> None:
    scheme = "http" if options.cert is None else "https"
    host, port = listening.getsockname()[:2]
    hosts = [options.host if not options.host[:1].isdigit() else host]
    if host in ("0.0.0.0", "::"):
        click.echo(f" * Running on all addresses ({host}): others can reach this server")
        own = werkzeug_serving.get_interface_ip(listening.family)
        hosts = ["127.0.0.1" if host == "0.0.0.0" else "::1", own]
    for name in hosts:
        shown = f"[{name}]" if ":" in name else name
        click.echo(f" * Running on {scheme}://{shown}:{port}")
    click.echo(" * Press CTRL+C to quit")


def _run_reloader(
    info: ScriptInfo, options: Options, banner: Callable[[bool, str | None], None]
) -> None:
    from ..server.reload import Refused, Reloader

    _check_certificate(options.cert)
    listening = _take_port(options)
    certificate = _Certificate(options.cert)

    shown: list[str] = []

    def announce(message: dict[str, t.Any]) -> None:
        if not shown:
            banner(options.debug, info.app_import_path)
            _show_address(listening, options)
            shown.append("address")
        # Where the application cannot be loaded at first, there is no debugger yet.
        if message["pin"] not in (None, *shown):
            click.echo(f" * Debugger PIN: {message['pin']}")
            shown.append(message["pin"])

    reloader = Reloader(
        listening,
        certificate.descriptors,
        environment_without_files(),
        options.extra_files,
        options.exclude_patterns,
        announce,
    )
    try:
        reloader.run()
    except Refused as error:
        raise NoAppException(str(error)) from None


def _serve_here(
    info: ScriptInfo, options: Options, banner: Callable[[bool, str | None], None]
) -> None:
    from ..server.serving import Serving, Site

    app = info.load_app()
    _check_certificate(options.cert)
    listening = _take_port(options)
    certificate = _Certificate(options.cert)
    banner(options.debug, info.app_import_path)
    _limit_threads(app, options)
    site = Site(app, options.debugger, follows=False, hosts=[options.host])
    serving = Serving(site, listening, certificate.paths, has_reloader=False)
    serving.run(lambda: _show_here(listening, options, site))


def _show_here(listening: socket.socket, options: Options, site: Site) -> None:
    _show_address(listening, options)
    if site.debugger is not None:
        click.echo(f" * Debugger PIN: {site.debugger.pin}")


def _limit_threads(app: Application | Failure, options: Options) -> None:
    config = getattr(app, "config", None)
    if config is not None and not options.with_threads:
        config["WORKER_THREADS"] = 1


class _Inherited:
    """What the reloader handed to this process.

    :param notes: what it said about that.
    """

    def __init__(self, notes: dict[str, t.Any]) -> None:
        from ..server.production.channel import Channel

        descriptors: dict[str, int] = notes["descriptors"]
        for descriptor in descriptors.values():
            # Not for the processes that the application starts: they would keep the port.
            os.set_inheritable(descriptor, False)
        self.listening = socket.socket(fileno=descriptors["listening"])
        self.failure: str | None = notes["failure"]
        self.is_first: bool = notes["first"]
        self.channel = Channel(socket.socket(fileno=descriptors["channel"]))
        self.serving: Serving | None = None
        self.tls: tuple[str, str] | None = None
        if "key" in descriptors:
            # Read from the beginning again, where to open it again is to share the place in it.
            for name in ("certificate", "key"):
                os.lseek(descriptors[name], 0, os.SEEK_SET)
            self.tls = (f"/dev/fd/{descriptors['certificate']}", f"/dev/fd/{descriptors['key']}")

    def obey(self) -> None:
        """Do what the reloader says, in a thread of its own; one that is gone says to end."""
        from ..server.serving import leave

        while not self.channel.is_closed:
            for message in self.channel.receive():
                serving = self.serving
                if message["kind"] == "changed":
                    if serving is not None:
                        serving.tell(message["names"])
                elif serving is None:
                    leave(0)
                elif message["kind"] == "reload":
                    serving.end()
                else:
                    serving.end(0.0)
        leave(0)


def _serve_inherited(info: ScriptInfo, options: Options, notes: dict[str, t.Any]) -> t.NoReturn:
    """Serve in the process that the reloader has started."""
    from ..server.serving import Serving, Site
    from ..server.watching import places_of

    inherited = _Inherited(notes)
    threading.Thread(target=inherited.obey, name="erlen-control", daemon=True).start()
    app = _load(info, inherited)
    _limit_threads(app, options)
    site = Site(app, options.debugger, follows=options.debug, hosts=[options.host])
    pin = site.debugger.pin if site.debugger is not None else None
    tls = inherited.tls or (options.cert if isinstance(options.cert, tuple) else None)
    serving = Serving(site, inherited.listening, t.cast("t.Any", tls), has_reloader=True)
    inherited.serving = serving
    places = places_of(site.app)
    serving.run(lambda: inherited.channel.send(kind="ready", pin=pin, **places))


def _load(info: ScriptInfo, inherited: _Inherited) -> Application | Failure:
    """Return the application, or why it cannot be loaded."""
    from ..server.serving import Failure, leave

    if inherited.failure is not None:
        return Failure(inherited.failure, "The terminal may say more.")
    try:
        return info.load_app()
    except NoAppException as error:
        text = error.format_message()
        if inherited.is_first and not isinstance(error, ImportFailed):
            inherited.channel.send(kind="refused", message=text)
            leave(2)
    except (Exception, SystemExit) as error:
        text = format_error(error)
    click.echo(text, err=True)
    return Failure("The application cannot be loaded.", text)


def make_options(params: dict[str, t.Any], is_port_named: bool, debug: bool) -> Options:
    """Return the options of the command.

    :param params: what click made of the command line.
    :param is_port_named: whether the port is the user's choice.
    :param debug: whether debug mode is on.
    """
    return Options(
        host=params["host"],
        port=params["port"],
        is_port_named=is_port_named,
        debug=debug,
        reload=debug if params["reload"] is None else params["reload"],
        debugger=debug if params["debugger"] is None else params["debugger"],
        with_threads=params["with_threads"],
        cert=params["cert"],
        extra_files=list(params["extra_files"] or ()),
        exclude_patterns=list(params["exclude_patterns"] or ()),
    )
