"""What the command ``erlen serve`` does."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import time
import typing as t

import click

from ..server.production.listening import ListenError
from ..server.production.master import Master, ServeError
from ..server.production.pidfile import PidFileError
from ..server.production.settings import (
    SETTINGS,
    SettingError,
    Settings,
    check_tls,
    collect,
    option_of,
    show,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..server.production.listening import Listener
    from . import ScriptInfo

_LEVELS = ("debug", "info", "warning", "error")


class Mistake(click.ClickException):
    """Raised for a setting that cannot be used: one line, and the exit code for usage."""

    exit_code = 2


def serve(info: ScriptInfo, show_settings: bool, kind: str | None, **options: t.Any) -> None:
    """Serve an application in production, or show what would be done.

    :param info: how the application is found.
    :param show_settings: whether to show the settings and end.
    :param kind: which deployment file to print, and end.
    :param options: the settings that the command line gave.
    """
    try:
        collected = collect(options)
    except SettingError as error:
        raise Mistake(str(error)) from None
    if show_settings:
        for line in show(collected):
            click.echo(line)
        return
    app = import_path(info)
    if kind is not None:
        click.echo(_deployment_file(kind, collected.settings, app, info), nl=False)
        return
    _require_platform()
    try:
        check_tls(collected)
    except SettingError as error:
        raise Mistake(str(error)) from None
    _serve(collected.settings, app)


def _deployment_file(kind: str, settings: Settings, app: str | None, info: ScriptInfo) -> str:
    # Imported here: a server that runs has no use for templates of deployment files.
    from ..server import deployment

    try:
        return deployment.write(kind, app, vars(settings), info.load_app())
    except deployment.DeploymentError as error:
        raise click.ClickException(str(error)) from None


def import_path(info: ScriptInfo) -> str | None:
    """Return how another process can import the application; ``None`` for the usual names.

    :param info: how this command finds it.
    """
    factory = info.create_app
    if factory is None:
        return info.app_import_path
    name = getattr(factory, "__qualname__", "")
    if not name.isidentifier():
        raise click.ClickException(
            "Workers cannot import the application's factory, which is no function of a module."
            " Name the application with 'erlen --app module:name serve'."
        )
    module = factory.__module__
    if module == "__main__":
        module = os.path.abspath(sys.modules["__main__"].__file__ or "")
    return f"{module}:{name}"


def _require_platform() -> None:
    if os.name != "posix":
        raise click.ClickException(
            "'erlen serve' needs Linux, macOS or another POSIX system. On Windows, use Granian's"
            " own command: granian --interface rsgi module:app"
        )
    try:
        importlib.metadata.version("granian")
    except importlib.metadata.PackageNotFoundError:
        raise click.ClickException(
            "'erlen serve' needs Granian. Install it with: pip install 'erlen[server]'"
        ) from None


def _serve(settings: Settings, app: str | None) -> None:
    name = app or "the application of this folder"
    log = _logger(settings.log_level)
    count = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
    log("info", f"Starting {count} for {name} ...")
    _allow_descriptors()
    begun = time.monotonic()

    def announce(listener: Listener) -> None:
        seconds = time.monotonic() - begun
        log(
            "info",
            f"Serving {name} at {listener.url} by {settings.interface.upper()}, {count},"
            f" PID {os.getpid()}, ready after {seconds:.1f} s.",
        )
        log("info", f"Off: {', '.join(_what_is_off(settings)) or 'nothing'}.")

    # A worker is a new interpreter, so that it has the code as it is then. -P: not what happens
    # to lie in this folder in place of modules of the library.
    command = [sys.executable, "-P", "-m", "erlen.cli.worker"]
    environ = dict(os.environ)
    if _answers_for_flask():
        environ["ERLEN_COMPAT"] = "1"
    try:
        Master(settings, command, app, environ, log).run(announce)
    except (ServeError, ListenError, PidFileError) as error:
        raise click.ClickException(str(error)) from None
    log("info", "Ended.")


def _allow_descriptors() -> None:
    """Let this process and its workers open as many files as the system permits them to.

    Each connection is one, and the usual limit of 1,024 is for programs of the past.
    """
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (OSError, ValueError):
        # On macOS the limit may be named higher than what can be had.
        pass


def _answers_for_flask() -> bool:
    flask = sys.modules.get("flask")
    return flask is not None and flask is sys.modules.get("erlen")


def _logger(least: str) -> Callable[[str, str], None]:
    shown = _LEVELS[_LEVELS.index(least) :]

    def log(level: str, text: str) -> None:
        if level in shown:
            click.echo(text if level == "info" else f"{level.capitalize()}: {text}", err=True)

    return log


def _what_is_off(settings: Settings) -> list[str]:
    unix = settings.bind.startswith("unix:")
    off = {
        "TLS": settings.tls_cert is None and not unix,
        "access log": settings.access_log == "off",
        "health endpoints": not settings.health,
        "forwarded headers": not settings.forwarded_allow_ips,
        "check of the secret key": settings.insecure_secret,
        "body timeout": not settings.body_timeout,
        "WebSockets": settings.interface == "wsgi" or settings.http == "2",
    }
    return [name for name, is_off in off.items() if is_off]


def make_options() -> list[click.Parameter]:
    """Return an option for each setting."""
    return [_make_option(name) for name in SETTINGS]


def _make_option(name: str) -> click.Option:
    about = SETTINGS[name].metadata
    option = option_of(name)
    is_switch = not about["metavar"]
    return click.Option(
        [f"{option}/--no-{option.removeprefix('--')}" if is_switch else option, name],
        default=None,
        metavar=about["metavar"] or None,
        help=about["help"],
        # Variables are read with all other places, by one set of rules.
        allow_from_autoenv=False,
    )
