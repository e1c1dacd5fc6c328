"""``erlen serve`` as a process, and clients for it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import typing as t
from pathlib import Path

from tests.processes import PATIENCE, Answer, wait_for

if t.TYPE_CHECKING:
    from types import TracebackType

HERE = Path(__file__).parent

_ADDRESS = re.compile(r"Serving .* at (?:https?://\S+:([0-9]+)|unix:(\S+)) by")


def clean_environment(variables: dict[str, str]) -> dict[str, str]:
    """Return the environment without what configures Erlen, and with some variables."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ERLEN_", "FLASK_", "NOTIFY_", "WATCHDOG_"))
    }
    return kept | variables


class UnixClient(http.client.HTTPConnection):
    """A client of a server on a Unix socket.

    :param path: the path of the socket.
    """

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


class Served:
    """An application served by ``erlen serve``, ended with the block.

    :param folder: where its output goes.
    :param options: the options of the command.
    :param app: the application.
    :param bind: where it listens; by default on a port that it takes.
    :param cwd: the folder to run it in.
    :param program: what is run in place of ``erlen`` with the name of the application.
    :param variables: environment variables to add.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        app: str = "application",
        bind: str = "127.0.0.1:0",
        cwd: Path = HERE,
        program: tuple[str, ...] = (),
        **variables: str,
    ) -> None:
        self._out, self._err = folder / "out", folder / "err"
        program = program or ("-m", "erlen", "--app", app)
        command = [sys.executable, *program, "serve", "--bind", bind]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*command, *options],
                cwd=cwd,
                env=clean_environment(variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self.port = 0
        self.path = ""
        try:
            wait_for(self._has_started, "the start of the server")
        except BaseException:
            self.kill()
            raise

    @property
    def log(self) -> list[str]:
        """The lines of the access log."""
        return self._out.read_text(errors="replace").splitlines()

    @property
    def output(self) -> str:
        """What the server says of itself."""
        return self._err.read_text(errors="replace")

    def _has_started(self) -> bool:
        assert self.process.poll() is None, self.output
        match = _ADDRESS.search(self.output)
        if match is None:
            return False
        self.port, self.path = int(match[1] or 0), match[2] or ""
        return True

    def connect(self) -> socket.socket:
        """Return a connection to the server."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def client(self) -> http.client.HTTPConnection:
        """Return a client that is not connected yet."""
        if self.path:
            return UnixClient(self.path)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def tls_client(self, certificate: Path) -> http.client.HTTPSConnection:
        """Return a client that speaks TLS.

        :param certificate: whom it trusts.
        """
        context = ssl.create_default_context(cafile=certificate)
        return http.client.HTTPSConnection(
            "localhost", self.port, timeout=PATIENCE, context=context
        )

    def request(
        self,
        path: str = "/",
        body: bytes | None = None,
        *,
        method: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request on a connection of its own and return the answer."""
        client = self.client()
        try:
            method = method or ("GET" if body is None else "POST")
            client.request(method, path, body, headers or {})
            response = client.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            client.close()

    def exchange(self, data: bytes) -> bytes:
        """Send bytes, and return all that comes until the server ends the connection."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_all(connection)

    def send_signal(self, number: int) -> None:
        """Send a signal to the master."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """End the server as its manager does; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End the master at once; its workers notice."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()


def read_all(connection: socket.socket) -> bytes:
    """Return all that comes until the other side ends the connection."""
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionError:
        pass
    return received


def run(*arguments: str, cwd: Path = HERE, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end, and return what it printed.

    :param arguments: what follows ``erlen``.
    :param cwd: the folder to run it in.
    :param variables: environment variables to add.
    """
    return subprocess.run(
        [sys.executable, "-m", "erlen", *arguments],
        cwd=cwd,
        env=clean_environment(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )
