"""``erlen run`` as a process of its own, in a folder with a user's files."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: How long anything may take to happen, in seconds; a busy machine needs more than an idle one.
PATIENCE = 40.0

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Dest": "document"}


class Answer(t.NamedTuple):
    """What was answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def wait_for(condition: Callable[[], t.Any], what: str) -> t.Any:
    """Wait until a condition holds, and return what it returned.

    :param condition: asked again and again.
    :param what: what is waited for, for the message.
    """
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen in {PATIENCE:g} seconds"
        time.sleep(0.05)
    return found


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder, by their paths in it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # As editors do: nobody sees half of a file.
        new = path.with_name(f"{path.name}~")
        new.write_text(text, "utf-8")
        new.replace(path)


class Run:
    """The command while it runs; it is ended with the block.

    :param folder: the user's files.
    :param args: the arguments after ``run``.
    :param variables: variables of the environment.
    """

    def __init__(self, folder: Path, *args: str, **variables: str) -> None:
        self.folder = folder
        self._log = folder / "log.txt"
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ERLEN_", "FLASK_", "WERKZEUG_"))
        }
        environ |= {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **variables}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "erlen", "run", *args],
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # So that a signal can be sent to all of it, as a terminal does.
                start_new_session=True,
            )
        self.host, self.port = "127.0.0.1", 0

    @property
    def log(self) -> str:
        """What was printed."""
        return self._log.read_text("utf-8", errors="replace")

    def started(self) -> t.Self:
        """Wait until it serves."""

        def find() -> re.Match[str] | None:
            assert self.process.poll() is None, self.log
            return re.search(r"Running on https?://127\.0\.0\.1:(\d+)", self.log)

        self.port = int(wait_for(find, "the start")[1])
        return self

    def logged(self, text: str, times: int = 1) -> None:
        """Wait until something was printed, a number of times."""
        wait_for(lambda: self.log.count(text) >= times, f"{text!r} in the output")

    def request(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send a request and return the answer."""
        client = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            client.request(method, path, headers=names)
            response = client.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            client.close()

    def page(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send a request as a browser does that opens a page."""
        return self.request(path, method, **BROWSER, **headers)

    def eventually(self, path: str, expected: str) -> Answer:
        """Wait until an address answers something; return the answer."""

        def ask() -> Answer | None:
            try:
                answer = self.request(path)
            except (OSError, http.client.HTTPException):
                return None
            return answer if expected in answer.text else None

        return t.cast("Answer", wait_for(ask, f"{expected!r} at {path}"))

    def children(self) -> list[int]:
        """Return the processes that the command has started."""
        pid = self.process.pid
        path = Path(f"/proc/{pid}/task/{pid}/children")
        return [int(child) for child in path.read_text().split()]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that has ended and is not yet waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
