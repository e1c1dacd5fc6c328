"""The kinds of servers, and what each of them cannot do."""

from __future__ import annotations

import sys
import typing as t

from .nginx import Nginx, write_site
from .process import HERE, Server, free_port

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: The application's own limit of a body is 2 MiB, a header of 6 kB is what a site's cookies make.
UWSGI = [
    *(sys.executable, "-c", "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])"),
    *("--master", "--need-app", "--enable-threads", "--threads=4"),
    *("--buffer-size=32768", "--module=application:app"),
    # Workers that load the application themselves can be replaced one after the other.
    *("--lazy-apps", "--touch-chain-reload=FOLDER/reload", "--worker-reload-mercy=5"),
    # By itself it starts anew at SIGTERM, and with --die-on-term it drops what has begun.
    "--hook-master-start=unix_signal:15 gracefully_kill_them_all",
]
UVICORN = [
    *(sys.executable, "-m", "uvicorn", "--no-access-log", "--timeout-graceful-shutdown=10"),
    # The other parser, httptools, is used by itself where it is installed.
    "--http=h11",
    # By itself it believes everybody on this machine.
    "--no-proxy-headers",
]
HYPERCORN = [sys.executable, "-m", "hypercorn", "--keep-alive=1", "--graceful-timeout=10"]


def gunicorn(
    *options: str, application: str = "application:app", bind: str = "127.0.0.1:0"
) -> list[str]:
    """Return the command of Gunicorn with one worker."""
    return [
        *(sys.executable, "-m", "gunicorn", f"--bind={bind}", "--workers=1"),
        "--graceful-timeout=10",
        *options,
        application,
    ]


def granian(interface: str, *options: str) -> list[str]:
    """Return the command of Granian with one worker."""
    command = [sys.executable, "-m", "granian", f"--interface={interface}", "--port=PORT"]
    return [*command, "--workers-kill-timeout=10", *options, "application:app"]


def erlen_serve(*options: str) -> list[str]:
    """Return the command of ``erlen serve`` with one worker."""
    command = [sys.executable, "-m", "erlen", "--app", "application:app", "serve"]
    # The key of the application is one for tests.
    return [*command, "--insecure-secret", *options]


#: In the servers that end with ``-loop``, all views run on the event loop, as cooperative ones.
COMMANDS = {
    "erlen-serve": erlen_serve("--bind=127.0.0.1:0"),
    "granian-asgi": granian("asgi"),
    "granian-rsgi": granian("rsgi"),
    "granian-rsgi-loop": granian("rsgi"),
    "granian-wsgi": granian("wsgi", "--blocking-threads=4"),
    "gunicorn-asgi": gunicorn("--worker-class=asgi"),
    "gunicorn-sync": gunicorn("--worker-class=sync"),
    "gunicorn-gthread": gunicorn("--worker-class=gthread", "--threads=4"),
    "hypercorn": [*HYPERCORN, "--bind=127.0.0.1:0", "asgi:application:app"],
    "uvicorn": [*UVICORN, "--port=0", "application:app"],
    "uvicorn-loop": [*UVICORN, "--port=0", "application:app"],
    "uwsgi": [*UWSGI, "--http-socket=127.0.0.1:0", "--add-header=Connection: close"],
    "werkzeug": [sys.executable, "serve_werkzeug.py"],
    "wsgiref": [sys.executable, "serve_wsgiref.py"],
}

# Erlen's server believes its proxies itself.
_TRUST = ("--forwarded-allow-ips=unix", "--forwarded-host=1")

#: Those that listen on the Unix socket ``FOLDER/app.sock`` behind nginx: the protocol between the
#: two, and the command.
PROXIED = {
    "nginx-erlen": ("http", erlen_serve("--bind=unix:FOLDER/app.sock", *_TRUST)),
    "nginx-gunicorn": ("http", gunicorn("--threads=4", bind="unix:FOLDER/app.sock")),
    "nginx-uvicorn": ("http", [*UVICORN, "--uds=FOLDER/app.sock", "application:app"]),
    "nginx-uwsgi": ("uwsgi", [*UWSGI, "--socket=FOLDER/app.sock"]),
}


class Proxied(Server):
    """A server on a Unix socket, with nginx in front of it.

    :param protocol: what nginx speaks to it: ``http`` or ``uwsgi``.
    :param command: its command.
    :param folder: where its socket and its output go.
    """

    def __init__(self, protocol: str, command: list[str], folder: Path) -> None:
        self._protocol = protocol
        self._folder = folder
        self._nginx: Nginx | None = None
        variables = {} if "serve" in command else {"TEST_PROXIES": "1"}
        super().__init__(command, folder, HERE, variables)

    def _find_port(self) -> int:
        socket = self._folder / "app.sock"
        if not socket.is_socket():
            return 0
        folder = self._folder / "nginx"
        folder.mkdir()
        port = free_port()
        self._nginx = Nginx(folder, write_site(folder, self._protocol, socket, port))
        return int(port)

    def stop(self) -> int:
        """End nginx, and the server."""
        if self._nginx is not None:
            self._nginx.stop()
        return super().stop()


def start(kind: str, folder: Path) -> Server:
    """Return a running server.

    :param kind: a key of :data:`COMMANDS` or of :data:`PROXIED`.
    :param folder: an empty folder for it.
    """
    server: Server
    if kind in PROXIED:
        protocol, command = PROXIED[kind]
        server = Proxied(protocol, command, folder)
    else:
        variables: Mapping[str, str] = {"TEST_COOPERATIVE": "1"} if kind.endswith("-loop") else {}
        server = Server(COMMANDS[kind], folder, variables=variables)
    server.kind = kind
    return server
