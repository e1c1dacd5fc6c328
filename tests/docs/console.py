"""Run the console examples of the documentation."""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import typing as t
from http.client import HTTPConnection, HTTPException
from pathlib import Path

#: Commands that a test leaves out: they install something, or only change the reader's shell.
LEFT_OUT = re.compile(
    r"pip install|python -m venv|\. \.venv|cd |mkdir |make |erlen compat (enable|disable)"
)

#: Commands that go on until they are stopped.
SERVES = re.compile(
    r"(erlen|flask)( --app \w+)? (run\b|serve\b(?!.* --(show|print)))"
    r"|(gunicorn|granian|hypercorn|uvicorn|uwsgi) "
    r"|.* erlen.compat (run|serve) "
)

#: The ports of the pages. Each stands for a free one, so that tests can run side by side.
PAGE_PORTS = re.compile(r"(?<=127\.0\.0\.1:)(5000|8000)")

SECONDS_TO_START = 60
SECONDS_TO_RUN = 60


class Console:
    """A shell session in a folder.

    :param folder: the working directory of the commands.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = _make_environ(folder)
        self.port = 0
        self._server: subprocess.Popen[str] | None = None

    def run(self, page: Path, text: str, line: int) -> None:
        """Run the commands of a block and compare their output.

        :param page: the page that the block is from, for messages.
        :param text: the block: commands after ``$``, each followed by its output.
        :param line: the line of the page on which the block starts.
        """
        for command, output in split_commands(text):
            if LEFT_OUT.match(command):
                continue
            if command.startswith("export "):
                self._export(command)
            elif SERVES.match(command):
                self._serve(command, output)
            elif not command.startswith("curl") or shutil.which("curl"):
                self._check(command, output, f"{page.name}:{line}")

    def _export(self, command: str) -> None:
        name = command.removeprefix("export ").partition("=")[0]
        done = subprocess.run(
            f'{command}; printf %s "${name}"',
            shell=True,
            env=self.environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=SECONDS_TO_RUN,
        )
        self.environ[name] = done.stdout

    def _check(self, command: str, expected: str, place: str) -> None:
        done = subprocess.run(
            self._with_port(re.sub(r"^curl ", "curl -sS ", command)),
            shell=True,
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS_TO_RUN,
        )
        got = done.stdout.replace("\r\n", "\n")
        if not got.endswith("\n"):
            got += "\n"
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        checker = doctest.OutputChecker()
        if expected and not checker.check_output(self._with_port(expected), got, flags):
            raise AssertionError(f"{place}: $ {command}\nexpected:\n{expected}\ngot:\n{got}")
        if not expected and done.returncode != 0:
            raise AssertionError(f"{place}: $ {command}\nfailed: {got}")

    def _serve(self, command: str, expected: str) -> None:
        self._stop()
        self.port = find_free_port()
        self.environ["FLASK_RUN_PORT"] = str(self.port)
        self.environ["ERLEN_SERVE_BIND"] = f"127.0.0.1:{self.port}"
        if command.startswith(("gunicorn", "hypercorn")) and "127.0.0.1" not in command:
            command += f" --bind 127.0.0.1:{self.port}"
        if command.startswith(("granian", "uvicorn")):
            command += f" --port {self.port}"
        with (self.folder / "server.log").open("w") as log:
            self._server = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {self._with_port(command)}"],
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self._wait_for_server(command)
        for shown in self._with_port(expected).splitlines():
            self._wait_for_line(command, shown)

    def _wait_for_line(self, command: str, shown: str) -> None:
        # One worker may answer before all have said that they are ready.
        end = time.monotonic() + SECONDS_TO_START
        while shown not in (printed := (self.folder / "server.log").read_text()):
            assert time.monotonic() < end, f"$ {command}\nexpected: {shown}\ngot:\n{printed}"
            time.sleep(0.05)

    def _wait_for_server(self, command: str) -> None:
        assert self._server is not None
        end = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < end and self._server.poll() is None:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
            with contextlib.suppress(OSError, HTTPException), contextlib.closing(connection):
                connection.request("GET", "/")
                connection.getresponse()
                return
            time.sleep(0.05)
        raise AssertionError(f"$ {command}\n{(self.folder / 'server.log').read_text()}")

    def _with_port(self, text: str) -> str:
        return PAGE_PORTS.sub(str(self.port), text) if self.port else text

    def close(self) -> None:
        """Stop the server that is left from the last command."""
        self._stop()

    def _stop(self) -> None:
        if self._server is None:
            return
        # The group: a server with a reloader or with workers is more than one process.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._server.pid, 15)
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._server.pid, 9)
            self._server.wait(10)
        self._server = None


def split_commands(text: str) -> list[tuple[str, str]]:
    """Split a console block into commands and the output that follows each.

    >>> split_commands("$ echo a\\na\\n$ true\\n")
    [('echo a', 'a\\n'), ('true', '')]
    """
    commands: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append([line[2:], ""])
        elif commands and line.startswith("> ") and commands[-1][0].endswith("\\"):
            commands[-1][0] = commands[-1][0][:-1] + line[2:]
        elif commands:
            commands[-1][1] += f"{line}\n"
    return [(command, output) for command, output in commands]


def find_free_port() -> int:
    """Return a TCP port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return t.cast("int", listener.getsockname()[1])


def _make_environ(folder: Path) -> dict[str, str]:
    names = ("FLASK_", "ERLEN_", "PYTEST_", "COV_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    environ |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ.get('PATH', '')}",
        # Gunicorn keeps a socket there.
        "HOME": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(folder),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }
    return environ
