"""A server as a process of its own on one core, and wrk on another."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import time
import typing as t
from pathlib import Path

from benchmarks.environs import Answer

if t.TYPE_CHECKING:
    from benchmarks.environs import Request
    from benchmarks.http.contestants import Contestant

_TICKS = os.sysconf("SC_CLK_TCK")
_ROOT = Path(__file__).resolve().parents[2]
#: How many connections wrk holds.
CONNECTIONS = 32


class Load(t.NamedTuple):
    """What a server did under load.

    :param requests: how many requests it answered.
    :param seconds: how much time of the processor it took for that.
    """

    requests: int
    seconds: float

    @property
    def rate(self) -> float:
        """Requests per second of the processor."""
        return self.requests / self.seconds


class Server:
    """A contestant's server, ended with the block.

    :param contestant: who.
    :param workload: the name of the workload.
    :param core: the core that it may use.
    """

    def __init__(self, contestant: Contestant, workload: str, core: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        environ = {key: value for key, value in os.environ.items() if "FLASK" not in key} | {
            "BENCH_CONTESTANT": contestant.name,
            "BENCH_WORKLOAD": workload,
            "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        self._process = subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *contestant.command(self.port)],
            cwd=_ROOT,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._process.kill()
                    raise RuntimeError(self._process.communicate()[1].decode()) from None
                time.sleep(0.05)

    def send(self, app: object, request: Request) -> Answer:
        """Send a request and return the answer; *app* is the server itself."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            client.request(request.method, request.path)
            response = client.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            client.close()

    def load(self, path: str, seconds: float, core: int) -> Load:
        """Send as many requests as wrk can.

        :param path: the path to ask for.
        :param seconds: how long.
        :param core: the core that wrk uses.
        :raises RuntimeError: where an answer is no success.
        """
        url = f"http://127.0.0.1:{self.port}{path}"
        command = ["taskset", "--cpu-list", str(core), "wrk", "-t1", f"-c{CONNECTIONS}"]
        before = self._used()
        # It takes whole seconds only.
        result = subprocess.run(
            [*command, f"-d{max(1, round(seconds))}s", url],
            check=True,
            capture_output=True,
            text=True,
        )
        used = self._used() - before
        found = re.search(r"(\d+) requests in", result.stdout)
        if found is None or "Non-2xx" in result.stdout or "Socket errors" in result.stdout:
            raise RuntimeError(f"wrk at {url} says:\n{result.stdout}")
        return Load(int(found[1]), used)

    def _used(self) -> float:
        """Return the processor's time of the server and its workers, in seconds."""
        return sum(map(_time_of, _tree(self._process.pid)))

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.stop()


def _stat(pid: int) -> list[str]:
    """Return the fields of a process's state after its name, which may have spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _time_of(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _tree(int(child))
    return found
