"""Servers as processes of their own, and clients for them."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import typing as t
from pathlib import Path
from types import MappingProxyType

from tests.processes import PATIENCE, Answer, wait_for

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

HERE = Path(__file__).parent

# uWSGI says "bound to TCP address".
_ADDRESS = re.compile(r"(?:http://|TCP address )127\.0\.0\.1:([1-9][0-9]*)")


def free_port() -> str:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Server:
    """A server process, ended with the block.

    :param command: its command; it prints its address, with a port that it has chosen. In it,
        ``FOLDER`` stands for *folder*, and ``PORT`` for a free port.
    :param folder: where its output and the application's notes go.
    :param cwd: the folder to run it in.
    :param variables: environment variables to add.
    """

    #: Which of the servers it is.
    kind = ""

    def __init__(
        self,
        command: list[str],
        folder: Path,
        cwd: Path = HERE,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.notes_path = folder / "notes"
        self.notes_path.write_text("")
        self._output_path = folder / "output"
        environ = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("ERLEN_", "FLASK_", "WERKZEUG_", "GUNICORN_"))
        }
        environ["TEST_NOTES"] = str(self.notes_path)
        environ["PYTHONUNBUFFERED"] = "1"
        environ |= variables
        # Granian cannot choose a port, or say which it chose.
        command = [
            part.replace("PORT", free_port()).replace("FOLDER", str(folder)) for part in command
        ]
        with self._output_path.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=cwd, env=environ, stdout=output, stderr=subprocess.STDOUT
            )
        self.port = 0
        try:
            wait_for(self._has_started, "the start of the server")
        except BaseException:
            self.stop()
            raise

    @property
    def output(self) -> str:
        """What the server has printed."""
        return self._output_path.read_text(errors="replace")

    @property
    def notes(self) -> list[str]:
        """What the application has noted."""
        return self.notes_path.read_text().splitlines()

    def _has_started(self) -> bool:
        assert self.process.poll() is None, self.output
        self.port = self.port or self._find_port()
        if not self.port:
            return False
        try:
            return self.request("GET", "/").status < 500
        except OSError:
            return False

    def _find_port(self) -> int:
        match = _ADDRESS.search(self.output)
        return int(match[1]) if match else 0

    def connect(self) -> socket.socket:
        """Return a connection to the server."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def client(self) -> http.client.HTTPConnection:
        """Return a client that is not connected yet."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def request(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        headers: dict[str, str] | None = None,
        *,
        chunked: bool = False,
    ) -> Answer:
        """Send a request on a connection of its own and return the answer."""
        client = self.client()
        try:
            client.request(method, path, body, headers or {}, encode_chunked=chunked)
            response = client.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            client.close()

    def send_raw(self, data: bytes, whole: bool = False) -> bytes:
        """Send bytes, end the sending side, and return all that comes back.

        :param data: what to send.
        :param whole: whether it is a whole request, so that an answer comes or the connection
            ends. Granian does not answer who has ended the sending side before.
        """
        with self.connect() as connection:
            received = b""
            try:
                connection.sendall(data)
                if whole:
                    received = connection.recv(65536)
                connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    received += part
            except OSError:
                # Closed with something unread, perhaps before all was sent.
                pass
            return received

    def stop(self) -> int:
        """End the server as its manager does; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def __enter__(self) -> t.Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()
