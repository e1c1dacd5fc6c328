"""What deployment files are written from: the application, its settings, and where it lies."""

from __future__ import annotations

import os
import re
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ..production.settings import SETTINGS, option_of
from ..production.values import text_of
from .packages import find_extras
from .quoting import DeploymentError, check_text
from .static import StaticFiles, find_static_files

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...typing import Application

#: Settings that each kind of file writes in its own way, or that have no place in one.
_OWN = {"bind", "forwarded_allow_ips", "health", "pid_file", "tls_cert", "tls_key", "tls_client_ca"}
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
_DEFAULT_PORT = 8000
#: What an application takes that sets no limit of its own, in bytes: the default of Erlen.
_DEFAULT_BODY = 16 * 1024 * 1024


@dataclass(frozen=True)
class Facts:
    """All that the files are written from."""

    #: The application as a name for files, units and users: letters, digits and hyphens.
    name: str
    #: The application as for ``--app``; ``None`` where it is found without.
    target: str | None
    #: The project's folder.
    folder: Path
    #: ``host:port``, or ``unix:`` and a path.
    bind: str
    #: Options of ``erlen serve`` that are the same everywhere.
    options: list[str]
    #: All settings, with the defaults.
    settings: Mapping[str, t.Any]
    #: Whether ``/healthz`` and ``/readyz`` are the server's.
    has_health: bool
    has_websockets: bool
    has_migrations: bool
    #: Whether the application answers for Flask.
    answers_for_flask: bool
    #: The longest body of a request, in bytes; ``None`` for any length.
    max_body: int | None
    #: The names of the site; none for any.
    hosts: list[str]
    #: The extras of Erlen that the application uses.
    extras: list[str]
    #: Where the application keeps files of its own; ``None`` where it does not.
    data: Path | None
    #: What a proxy may serve by itself; ``None`` for nothing.
    static: StaticFiles | None

    @property
    def socket(self) -> str | None:
        """The path of the Unix socket, if it is one."""
        return self.bind.removeprefix("unix:") if self.bind.startswith("unix:") else None

    @property
    def port(self) -> int:
        """The TCP port; the usual one where a Unix socket is listened on."""
        return _DEFAULT_PORT if self.socket else int(self.bind.rpartition(":")[2])

    @property
    def upstream(self) -> str:
        """Where a proxy on the same machine reaches the server."""
        if self.socket:
            return self.bind
        host = self.bind.rpartition(":")[0]
        return f"{_EVERYWHERE.get(host, host)}:{self.port}"

    @property
    def local_proxy(self) -> str:
        """The address of a proxy on the same machine; nothing where others may connect as well."""
        if self.socket:
            return "unix"
        host = self.bind.rpartition(":")[0]
        if host not in _LOOPBACK:
            return ""
        return "::1" if host == "[::1]" else "127.0.0.1"

    @property
    def grace(self) -> int:
        """How many seconds the server may take to end: more than it takes itself."""
        return int(self.settings["drain_delay"] + self.settings["graceful_timeout"]) + 6

    def command(self, *arguments: str) -> list[str]:
        """Return the arguments of ``erlen`` for this application.

        :param arguments: the command, and its arguments.
        """
        return [*([] if self.target is None else ["--app", self.target]), *arguments]

    def serve(self, bind: str, forwarded: str) -> list[str]:
        """Return the arguments of ``erlen`` that serve it.

        :param bind: where to listen.
        :param forwarded: the proxies to believe, unless the settings name some.
        """
        arguments = ["serve", "--bind", bind, *self.options]
        if self.has_health:
            arguments.append("--health")
        proxies = self.settings["forwarded_allow_ips"] or forwarded
        if proxies:
            arguments += ["--forwarded-allow-ips", proxies]
        return self.command(*arguments)


def gather(target: str | None, settings: Mapping[str, object], app: Application | None) -> Facts:
    """Return the facts of a deployment.

    :param target: the application, as for ``--app``.
    :param settings: the settings of ``erlen serve``, by name.
    :param app: the application.
    :raises DeploymentError: for what cannot be deployed.
    """
    known: dict[str, t.Any] = {name: item.default for name, item in SETTINGS.items()} | dict(
        settings
    )
    if known["insecure_secret"]:
        raise DeploymentError(
            "'insecure-secret' is for tests. Leave it out, and put a real SECRET_KEY into the file"
            " of environment variables that is named in what is printed."
        )
    folder = Path.cwd()
    check_text(str(folder), "The project's folder")
    return Facts(
        name=_name_of(target, app, folder),
        target=_relative(target, folder),
        folder=folder,
        bind=_checked_bind(known["bind"]),
        options=list(_options(known)),
        settings=known,
        has_health=bool(known["health"]) or not _has_own_health(app),
        has_websockets=app is None or any(rule.websocket for rule in app.url_map.iter_rules()),
        has_migrations=app is not None and "migrate" in app.extensions,
        answers_for_flask=sys.modules.get("flask") is sys.modules["erlen"],
        max_body=_max_body(known["max_body"], app),
        hosts=_hosts(app),
        extras=find_extras(app),
        data=_data_folder(app, folder),
        static=find_static_files(app),
    )


def _name_of(target: str | None, app: Application | None, folder: Path) -> str:
    module = (target or "").partition(":")[0].rpartition("/")[2].removesuffix(".py")
    if module in ("", "app", "wsgi", "main", "__init__", "asgi"):
        module = app.name if app is not None else ""
    if module in ("", "app", "wsgi", "main", "__init__", "asgi"):
        module = folder.name
    slug = re.sub("[^a-z0-9]+", "-", module.lower()).strip("-")[:32].strip("-")
    # Names of users and of services begin with a letter.
    return slug if slug[:1].isalpha() else f"app-{slug}".strip("-")


def _relative(target: str | None, folder: Path) -> str | None:
    if target is None:
        return None
    check_text(target, "The application's name")
    if not target.startswith("/"):
        return target
    path, colon, rest = target.partition(":")
    if not Path(path).is_relative_to(folder):
        raise DeploymentError(
            f"The application {target!a} is not in the current folder. Go to the folder that is"
            " to be deployed, and name the application from there."
        )
    return f"{Path(path).relative_to(folder)}{colon}{rest}"


def _checked_bind(bind: str) -> str:
    check_text(bind, "The address to listen at")
    if bind.startswith("unix:"):
        return f"unix:{os.path.abspath(bind.removeprefix('unix:'))}"
    if bind.endswith(":0"):
        raise DeploymentError(
            "Port 0 is another one at each start, so that no proxy can know it. Name a port, as in"
            " '--bind 127.0.0.1:8000'."
        )
    return bind


def _options(settings: Mapping[str, t.Any]) -> Iterator[str]:
    for name, item in SETTINGS.items():
        value = settings[name]
        if name in _OWN or value == item.default or value is None:
            continue
        option = option_of(name)
        if isinstance(value, bool):
            yield option if value else f"--no-{option.removeprefix('--')}"
            continue
        yield option
        yield check_text(text_of(name, value), f"The value of {option}")


def _has_own_health(app: Application | None) -> bool:
    if app is None:
        return False
    return any(rule.rule in ("/healthz", "/readyz") for rule in app.url_map.iter_rules())


def _max_body(most: int | None, app: Application | None) -> int | None:
    limit = _DEFAULT_BODY if app is None else app.config.get("MAX_CONTENT_LENGTH")
    limits = [number for number in (most, limit) if number is not None]
    return min(limits, default=None)


def _hosts(app: Application | None) -> list[str]:
    if app is None:
        return []
    names = app.config.get("TRUSTED_HOSTS") or [app.config.get("SERVER_NAME") or ""]
    hosts = [re.sub(r":[0-9]+$", "", str(name)) for name in names]
    return [host for host in hosts if re.fullmatch(r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", host)]


def _data_folder(app: Application | None, folder: Path) -> Path | None:
    """Return the application's instance folder, where it is in use and part of the project."""
    if app is None:
        return None
    path = Path(app.instance_path)
    uri = str(app.config.get("SQLALCHEMY_DATABASE_URI") or "")
    is_used = path.is_dir() or (uri.startswith("sqlite") and ":memory:" not in uri)
    if not is_used or not path.is_relative_to(folder):
        return None
    check_text(str(path), "The instance folder")
    return path
