"""Where hashing is done: beside the event loop, within a limit of memory, and for everybody."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.login_passwords.samples import PASSWORD, make_app, make_login_app

import erlen
from erlen.login import hash_password, verify_password
from erlen.login import passwords as passwords_module
from erlen.login.passwords_work import MAX_THREADS, Room, compute, room


class Meter:
    """Counts how many computations are under way, and of what size."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = self.count = 0
        self.threads: set[str] = set()

    def compute(self, seconds: float = 0.01) -> None:
        with self.lock:
            self.now += 1
            self.count += 1
            self.most = max(self.most, self.now)
            self.threads.add(threading.current_thread().name)
        threading.Event().wait(seconds)
        with self.lock:
            self.now -= 1


@pytest.mark.parametrize("known", [True, False])
def test_unknown_users(monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    """For a user that is not there as much is computed as for one that is."""
    from argon2 import low_level

    asked: list[tuple[str, bytes]] = []
    verify = low_level.verify_secret

    def count(stored: bytes, secret: bytes, type: low_level.Type) -> bool:
        asked.append((stored.decode().rpartition("$")[0].rpartition("$")[0], secret))
        return verify(stored, secret, type)

    monkeypatch.setattr(low_level, "verify_secret", count)
    stored = {"ann": "$argon2id$v=19$m=64,t=1,p=1$" + "A" * 22 + "$" + "A" * 43}
    client = make_login_app(stored).test_client()
    name = "ann" if known else "nobody"
    for password in (PASSWORD, "x" * 5000, "e\u0301"):
        client.post("/login", data={"name": name, "password": password})
    costs = "$argon2id$v=19$m=64,t=1,p=1"
    # The third one may have been hashed in either form.
    assert [cost for cost, _ in asked] == [costs] * 4
    assert asked[0][1] == PASSWORD.encode()


def test_event_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an event loop another thread computes, and other requests are answered meanwhile."""
    release = threading.Event()
    began = threading.Event()
    threads = []
    make = passwords_module._make_argon2

    def wait(*args: t.Any) -> str:
        threads.append(threading.current_thread().name)
        began.set()
        assert release.wait(60)
        return make(*args)

    monkeypatch.setattr(passwords_module, "_make_argon2", wait)
    app = make_login_app({})

    @app.get("/ping")
    async def ping() -> str:
        return "pong"

    async def run() -> tuple[str, str]:
        client = app.test_client(gateway="asgi")
        loop = asyncio.get_running_loop()
        register = loop.run_in_executor(
            None, lambda: client.post("/register", data={"name": "a", "password": PASSWORD}).text
        )
        await loop.run_in_executor(None, began.wait, 60)
        pong = await loop.run_in_executor(None, lambda: app.test_client().get("/ping").text)
        release.set()
        return pong, await register

    assert asyncio.run(run()) == ("pong", "welcome")
    assert threads[0].startswith("erlen-passwords")


def test_threads_are_bounded() -> None:
    """However many requests of an event loop hash at once, as many threads as processors do."""
    meter = Meter()
    app = make_app()

    @app.get("/")
    async def view() -> str:
        compute(meter.compute)
        return "done"

    async def ask(client: t.Any) -> int:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }
        sent: list[dict[str, t.Any]] = []

        async def receive() -> dict[str, t.Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, t.Any]) -> None:
            sent.append(message)

        await client(scope, receive, send)
        return int(sent[0]["status"])

    async def run() -> list[int]:
        return await asyncio.gather(*(ask(app) for _ in range(40)))

    assert asyncio.run(run()) == [200] * 40
    assert meter.count == 40
    assert meter.most <= MAX_THREADS
    assert all(name.startswith("erlen-passwords") for name in meter.threads)


def test_memory_is_bounded() -> None:
    """Hashes wait for each other where together they would take more memory than is set."""
    meter = Meter()
    limited = Room()

    def work(_: int) -> None:
        with limited.take(30, 100):
            meter.compute(0.005)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(60)))
    assert meter.count == 60
    assert 1 <= meter.most <= 3


def test_one_that_needs_all_is_not_starved() -> None:
    """One that needs all the room gets it, though others come all the time."""
    limited = Room()
    stop = threading.Event()

    def keep_busy(_: int) -> None:
        while not stop.is_set():
            with limited.take(40, 100):
                stop.wait(0.001)

    def need_all() -> None:
        with limited.take(500, 100):
            pass

    with ThreadPoolExecutor(5) as pool:
        others = [pool.submit(keep_busy, number) for number in range(4)]
        try:
            pool.submit(need_all).result(60)
        finally:
            stop.set()
        for other in others:
            other.result(60)


def test_room_is_given_back() -> None:
    """The room is free again after hashing, also where that failed."""
    with make_app().app_context():
        stored = hash_password(PASSWORD)
        verify_password(stored, PASSWORD)
        verify_password("broken", PASSWORD)
    assert room._used == 0
    with pytest.raises(RuntimeError), room.take(10, 100):
        raise RuntimeError
    assert room._used == 0


def test_threads_of_a_server() -> None:
    """Requests in many threads at once get the right answers."""
    app = make_login_app({})
    client = app.test_client()
    for number in range(4):
        client.post("/register", data={"name": f"user{number}", "password": f"password {number}"})

    def log_in(number: int) -> int:
        data = {"name": f"user{number % 4}", "password": f"password {number % 8}"}
        return app.test_client().post("/login", data=data).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(log_in, range(64)))
    assert statuses == [200 if number % 8 < 4 else 401 for number in range(64)]


FORKED = """
import os, signal, threading, time
from erlen.login import hash_password, verify_password
from erlen.login.passwords_work import room

stored = hash_password("tea at a quarter past")
holding = threading.Event()

def hold():
    with room.take(10**15, 1):
        holding.set()
        time.sleep(600)

threading.Thread(target=hold, daemon=True).start()
holding.wait()
child = os.fork()
if child == 0:
    signal.alarm(30)
    os._exit(0 if verify_password(stored, "tea at a quarter past") else 1)
_, status = os.waitpid(child, 0)
os._exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_after_fork() -> None:
    """A process that was forked off while others hashed can hash."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], timeout=60, check=False)
    assert done.returncode == 0


MANY_THREADS = """
import resource
from concurrent.futures import ThreadPoolExecutor
from erlen.login import hash_password, verify_password

stored = hash_password("tea at a quarter past")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with ThreadPoolExecutor(40) as pool:
    list(pool.map(lambda _: verify_password(stored, "a guess"), range(60)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of the memory is that of Linux")
def test_memory_of_many_threads() -> None:
    """A server's many threads that hash at once do not each keep the memory of a hash."""
    done = subprocess.run(
        [sys.executable, "-c", MANY_THREADS], capture_output=True, text=True, check=True
    )
    # 40 times 19 MiB would be 760.
    assert int(done.stdout) < 256 * 1024


ENDING = """
import atexit
from erlen.login import hash_password, verify_password

def at_the_end():
    print(verify_password(hash_password("tea at a quarter past"), "tea at a quarter past"))

atexit.register(at_the_end)
"""


def test_while_the_process_ends() -> None:
    """What is answered while the process ends is answered."""
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


def test_outside_of_requests() -> None:
    """A script that has no event loop can hash, too."""
    assert not erlen.in_fiber()
    with make_app().app_context():
        assert verify_password(hash_password(PASSWORD), PASSWORD)
