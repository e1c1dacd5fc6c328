"""The settings of ``erlen serve``: one table, and the three places that values come from."""

from __future__ import annotations

import difflib
import os
import ssl
import tomllib
import typing as t
from dataclasses import dataclass, field, fields
from pathlib import Path

from . import values

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PREFIX = "ERLEN_SERVE_"
TABLE = "tool.erlen.serve"
#: What an origin is called where nobody set the value.
DEFAULT = "default"


class SettingError(ValueError):
    """Raised for a setting that cannot be used; the text names the source and the remedy."""


def _about(read: Callable[[t.Any], t.Any], metavar: str, help: str) -> dict[str, t.Any]:
    """Return what is known of a setting: how it is read, and how the command line shows it."""
    return {"read": read, "metavar": metavar, "help": help}


@dataclass(frozen=True)
class Settings:
    """What ``erlen serve`` goes by; each field is an option, a variable and a key."""

    bind: str = field(
        default="127.0.0.1:8000",
        metadata=_about(
            values.address,
            "ADDRESS",
            "Where to listen: 'host:port', '[::1]:port', or 'unix:' and a path.",
        ),
    )
    socket_mode: int = field(
        default=0o660,
        metadata=_about(values.file_mode, "OCTAL", "Who may use the Unix socket, as for chmod."),
    )
    workers: int = field(
        default=1,
        metadata=_about(
            values.workers, "NUMBER", "How many processes serve; 'auto' for one for each core."
        ),
    )
    threads: int | None = field(
        default=None,
        metadata=_about(
            values.optional(values.whole(1)),
            "NUMBER",
            "How many threads of each worker run synchronous views; without it, the application's"
            " WORKER_THREADS (40).",
        ),
    )
    interface: str = field(
        default="rsgi",
        metadata=_about(
            values.choice("rsgi", "asgi", "wsgi"),
            "NAME",
            "How the server speaks to the application: rsgi, asgi or wsgi.",
        ),
    )
    http: str = field(
        default="auto",
        metadata=_about(
            values.choice("auto", "1", "2"),
            "VERSION",
            "The versions of HTTP to speak: 1, 2, or auto, which is both with TLS and 1 without.",
        ),
    )
    backlog: int = field(
        default=1024,
        metadata=_about(
            values.whole(1, 65535), "NUMBER", "How many connections wait in the system to be taken."
        ),
    )
    max_connections: int = field(
        default=10_000,
        metadata=_about(
            values.whole(1),
            "NUMBER",
            "How many connections each worker has at most; more wait in the backlog.",
        ),
    )
    max_body: int | None = field(
        default=None,
        metadata=_about(
            values.optional(values.size),
            "BYTES",
            "The longest body of a request ('10M'), whatever the application allows.",
        ),
    )
    max_head: int = field(
        default=64 * 1024,
        metadata=_about(
            values.size_from(8192),
            "BYTES",
            "How long the head of a request may be over HTTP/1; at least 8K.",
        ),
    )
    header_timeout: float = field(
        default=15.0,
        metadata=_about(
            values.seconds(0.001, 600),
            "SECONDS",
            "How long a client may take for the head of a request, and leave a connection idle over"
            " HTTP/1; at most 600.",
        ),
    )
    body_timeout: float = field(
        default=30.0,
        metadata=_about(
            values.seconds(0),
            "SECONDS",
            "How long a client may be silent in the middle of a body; 0 for any time.",
        ),
    )
    body_total_timeout: float = field(
        default=600.0,
        metadata=_about(
            values.seconds(0), "SECONDS", "How long a whole body may take; 0 for any time."
        ),
    )
    keep_alive: bool = field(
        default=True,
        metadata=_about(values.switch, "", "Keep connections open for further requests (HTTP/1)."),
    )
    tls_cert: Path | None = field(
        default=None,
        metadata=_about(
            values.optional(values.file), "FILE", "Serve HTTPS with this certificate (PEM)."
        ),
    )
    tls_key: Path | None = field(
        default=None,
        metadata=_about(values.optional(values.file), "FILE", "The key of the certificate (PEM)."),
    )
    tls_min: str = field(
        default="1.2",
        metadata=_about(
            values.choice("1.2", "1.3"), "VERSION", "The oldest TLS to accept: 1.2 or 1.3."
        ),
    )
    tls_client_ca: Path | None = field(
        default=None,
        metadata=_about(
            values.optional(values.file),
            "FILE",
            "Admit only clients with a certificate of this authority.",
        ),
    )
    forwarded_allow_ips: str = field(
        default="",
        metadata=_about(
            values.proxies,
            "LIST",
            "The proxies whose X-Forwarded headers are believed: addresses and networks with"
            " commas, 'unix' for those of a Unix socket, '*' for all.",
        ),
    )
    forwarded_for: int = field(
        default=1,
        metadata=_about(
            values.whole(0), "HOPS", "How many of these proxies add to X-Forwarded-For."
        ),
    )
    forwarded_proto: int = field(
        default=1,
        metadata=_about(values.whole(0), "HOPS", "How many of them add to X-Forwarded-Proto."),
    )
    forwarded_host: int = field(
        default=0,
        metadata=_about(values.whole(0), "HOPS", "How many of them add to X-Forwarded-Host."),
    )
    forwarded_port: int = field(
        default=0,
        metadata=_about(values.whole(0), "HOPS", "How many of them add to X-Forwarded-Port."),
    )
    forwarded_prefix: int = field(
        default=0,
        metadata=_about(values.whole(0), "HOPS", "How many of them add to X-Forwarded-Prefix."),
    )
    access_log: str = field(
        default="off",
        metadata=_about(
            values.choice("off", "text", "json"),
            "FORM",
            "Write a line for each request to standard output: off, text or json.",
        ),
    )
    access_log_health: bool = field(
        default=False,
        metadata=_about(values.switch, "", "Write lines for the health endpoints too."),
    )
    health: bool = field(
        default=False,
        metadata=_about(
            values.switch, "", "Answer /healthz and /readyz for who watches the service."
        ),
    )
    log_level: str = field(
        default="info",
        metadata=_about(
            values.choice("debug", "info", "warning", "error"),
            "LEVEL",
            "What the server says of itself: debug, info, warning or error.",
        ),
    )
    start_timeout: float = field(
        default=60.0,
        metadata=_about(
            values.seconds(1), "SECONDS", "How long a worker may take to load the application."
        ),
    )
    drain_delay: float = field(
        default=0.0,
        metadata=_about(
            values.seconds(0),
            "SECONDS",
            "How long to go on as ever after SIGTERM, with /readyz saying no already.",
        ),
    )
    graceful_timeout: float = field(
        default=9.0,
        metadata=_about(
            values.seconds(0.1),
            "SECONDS",
            "How long a worker that is to end may finish its requests.",
        ),
    )
    worker_max_age: float = field(
        default=0.0,
        metadata=_about(
            values.seconds(0), "SECONDS", "Replace workers that are older; 0 for never."
        ),
    )
    worker_max_memory: int | None = field(
        default=None,
        metadata=_about(
            values.optional(values.size), "BYTES", "Replace workers that hold more memory ('512M')."
        ),
    )
    pid_file: Path | None = field(
        default=None,
        metadata=_about(
            values.optional(values.path), "FILE", "Where to write the process id of the master."
        ),
    )
    insecure_secret: bool = field(
        default=False,
        metadata=_about(
            values.switch,
            "",
            "Serve with a missing, short or well-known SECRET_KEY: for tests only.",
        ),
    )


SETTINGS = {item.name: item for item in fields(Settings)}


class Origins(t.NamedTuple):
    """Settings, and for each where its value came from."""

    settings: Settings
    origins: dict[str, str]


def collect(
    options: Mapping[str, t.Any],
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Origins:
    """Return the settings from all places: command line, then environment, then pyproject.toml.

    :param options: what the command line gave, by names of settings; ``None`` for not given.
    :param environ: the environment; by default that of the process.
    :param directory: where to look for ``pyproject.toml``, and in its parents; by default here.
    :raises SettingError: for a name or a value that cannot be.
    """
    found: dict[str, t.Any] = {}
    origins = dict.fromkeys(SETTINGS, DEFAULT)
    for name, value, origin in _given(
        options, os.environ if environ is None else environ, directory or Path.cwd()
    ):
        try:
            found[name] = SETTINGS[name].metadata["read"](value)
        except ValueError as error:
            raise SettingError(f"{origin}: {error}") from None
        origins[name] = origin
    settings = Settings(**found)
    _check_together(settings, origins)
    return Origins(settings, origins)


def _given(
    options: Mapping[str, t.Any], environ: Mapping[str, str], directory: Path
) -> Iterator[tuple[str, t.Any, str]]:
    """Yield names, values and origins, those that count more later."""
    file = _find_pyproject(directory)
    if file is not None:
        for key, value in _read_table(file).items():
            yield _name_of(key, f"{file} [{TABLE}]"), value, f"{key!r} in {file} [{TABLE}]"
    for variable, text in environ.items():
        if variable.startswith(PREFIX):
            yield _name_of(variable.removeprefix(PREFIX).lower(), variable), text, variable
    for name, value in options.items():
        if value is not None:
            yield name, value, option_of(name)


def option_of(name: str) -> str:
    """Return the option of the command line for a setting."""
    return f"--{name.replace('_', '-')}"


def _find_pyproject(directory: Path) -> Path | None:
    candidates = (parent / "pyproject.toml" for parent in (directory, *directory.parents))
    return next((file for file in candidates if file.is_file()), None)


def _read_table(file: Path) -> dict[str, t.Any]:
    try:
        with file.open("rb") as stream:
            content: t.Any = tomllib.load(stream)
    except (OSError, ValueError) as error:
        raise SettingError(f"{file} cannot be read: {error}. Mend it, or remove it.") from None
    for key in TABLE.split("."):
        content = content.get(key, {}) if isinstance(content, dict) else {}
    if not isinstance(content, dict):
        raise SettingError(f"{file}: [{TABLE}] must be a table with a key for each setting.")
    return content


def _name_of(key: str, origin: str) -> str:
    name = key.replace("-", "_")
    if name in SETTINGS:
        return name
    near = difflib.get_close_matches(name, SETTINGS, 1)
    hint = f" Did you mean {near[0].replace('_', '-')!r}?" if near else ""
    raise SettingError(
        f"{origin}: there is no setting {key!r}.{hint} 'erlen serve --show-settings' lists all."
    )


def _check_together(settings: Settings, origins: Mapping[str, str]) -> None:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        given, missing = ("tls_cert", "tls_key")
        if settings.tls_cert is None:
            given, missing = missing, given
        raise SettingError(
            f"{origins[given]}: TLS needs both files. Give {option_of(missing)} as well."
        )
    if settings.tls_client_ca is not None and settings.tls_cert is None:
        raise SettingError(
            f"{origins['tls_client_ca']}: certificates of clients need TLS. Give --tls-cert and"
            " --tls-key as well."
        )


def check_tls(collected: Origins) -> None:
    """Look into the files of TLS before anything is started.

    :param collected: what :func:`collect` returned.
    :raises SettingError: where they do not fit.
    """
    settings, origins = collected
    if settings.tls_cert is None or settings.tls_key is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without the password, OpenSSL would ask at the terminal.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except (OSError, ValueError) as error:
        raise SettingError(
            f"{origins['tls_cert']}: {settings.tls_cert} and {settings.tls_key} are no certificate"
            f" with its key ({error.args[-1]}). Give the chain and the key in PEM, the key without"
            " a password."
        ) from None
    if settings.tls_client_ca is not None:
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except (OSError, ValueError) as error:
            raise SettingError(
                f"{origins['tls_client_ca']}: {settings.tls_client_ca} holds no certificates"
                f" ({error.args[-1]}). Give those of the authority in PEM."
            ) from None


def show(collected: Origins) -> Iterator[str]:
    """Yield a line for each setting: its name, its value, and where that came from.

    :param collected: what :func:`collect` returned.
    """
    width = max(map(len, SETTINGS))
    for name, origin in collected.origins.items():
        key = name.replace("_", "-")
        text = values.text_of(name, getattr(collected.settings, name))
        yield f"{key:{width}}  {text:<20}  {origin}"
