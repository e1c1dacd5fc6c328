"""A database that goes away and comes back while it is used."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.db.shop import Book, db, open_shop

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from erlen import Erlen

#: Seconds within which a server must have started, on a machine that is busy.
PATIENCE = 60
#: Seconds after which no request may fail any more once the server is back.
RECOVERY = 2


class Server:
    """A server of a database of its own, which may be stopped and started.

    :param folder: where its data goes.
    """

    user: str
    programs: tuple[str, ...]

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self.log = (folder / "log").open("wb")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def find(self, name: str) -> str:
        """Return the path of a program of the server."""
        places = [*Path("/usr/lib/postgresql").glob("*/bin"), Path("/usr/sbin"), Path("/usr/bin")]
        found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(map(str, places)))
        if found is None:
            message = f"{name} is not installed"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        return found

    def as_user(self, *command: str) -> list[str]:
        """Return a command that runs as a user without rights: the servers refuse root."""
        if os.geteuid() != 0:
            return list(command)
        return [
            "setpriv",
            f"--reuid={self.user}",
            f"--regid={self.user}",
            "--clear-groups",
            *command,
        ]

    def prepare(self) -> None:
        """Make the data folder."""
        self.folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user, self.user)

    def start(self) -> None:
        """Start the server, and return once it answers."""
        self.process = subprocess.Popen(
            self.command(), stdout=self.log, stderr=self.log, start_new_session=True
        )
        engine = sa.create_engine(self.url, poolclass=sa.pool.NullPool)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                engine.connect().close()
                return
            except sa.exc.DBAPIError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def kill(self) -> None:
        """End the server as a crash does."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait(PATIENCE)

    def stop(self) -> None:
        """End the server for good."""
        self.kill()
        self.log.close()

    @property
    def url(self) -> str:
        """The URL of a database on it."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """Return the command of the server."""
        raise NotImplementedError


class PostgreSQL(Server):
    """A server of PostgreSQL."""

    user = "postgres"

    def prepare(self) -> None:
        """Make the data folder and what PostgreSQL needs in it."""
        super().prepare()
        command = (self.find("initdb"), "-D", str(self.folder), "-U", "postgres", "-A", "trust")
        subprocess.run(self.as_user(*command, "--no-sync"), check=True, cwd="/", stdout=self.log)

    @property
    def url(self) -> str:
        """The URL of the database that is always there."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def command(self) -> list[str]:
        """Return the command of the server, which has no time for fsync."""
        options = ("-c", "fsync=off", "-c", "unix_socket_directories=", "-h", "127.0.0.1")
        return self.as_user(
            self.find("postgres"), "-D", str(self.folder), "-p", str(self.port), *options
        )


class MariaDB(Server):
    """A server of MariaDB."""

    user = "mysql"

    def prepare(self) -> None:
        """Make the data folder and what MariaDB needs in it."""
        super().prepare()
        command = [
            self.find("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.folder}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]
        if os.geteuid() == 0:
            command.append(f"--user={self.user}")
        subprocess.run(command, check=True, cwd="/", stdout=self.log, stderr=self.log)

    @property
    def url(self) -> str:
        """The URL of a database that is always there."""
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/mysql?charset=utf8mb4"

    def command(self) -> list[str]:
        """Return the command of the server."""
        return self.as_user(
            self.find("mariadbd"),
            "--no-defaults",
            f"--datadir={self.folder}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            "--innodb-buffer-pool-size=16M",
            "--innodb-log-file-size=8M",
        )


@pytest.fixture(params=[PostgreSQL, MariaDB], ids=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of this test's own."""
    # Not pytest's folder: that is closed to all but one user.
    with tempfile.TemporaryDirectory(prefix="erlen-") as folder:
        Path(folder).chmod(0o711)
        server: Server = request.param(Path(folder))
        try:
            server.prepare()
            server.start()
            yield server
        finally:
            server.stop()


def add_views(app: Erlen) -> None:
    """Add a view that writes and one that reads."""

    @app.post("/books")
    def add() -> t.Any:
        db.session.add(Book(title="Emma"))
        db.session.commit()
        return "", 201

    @app.get("/books")
    def count() -> t.Any:
        return {"count": db.session.scalar(sa.select(sa.func.count(Book.id)))}


class Reader(threading.Thread):
    """Sends requests until it is told to stop, and notes when each ended and how."""

    def __init__(self, app: Erlen) -> None:
        super().__init__()
        self.client = app.test_client()
        self.stopping = threading.Event()
        self.answers: list[tuple[float, str, int]] = []

    def run(self) -> None:
        """Write and read in turn."""
        while not self.stopping.is_set():
            for method in ("POST", "GET"):
                status = self.client.open("/books", method=method).status_code
                self.answers.append((time.monotonic(), method, status))


def wait_for(readers: list[Reader], statuses: set[int], since: float, count: int = 1) -> None:
    """Wait until each reader has had so many answers with one of some statuses since a moment."""
    deadline = time.monotonic() + PATIENCE
    while not all(
        sum(at > since and status in statuses for at, _, status in reader.answers) >= count
        for reader in readers
    ):
        assert time.monotonic() < deadline, [reader.answers[-3:] for reader in readers]
        time.sleep(0.02)


@pytest.mark.slow
def test_a_crash_under_load_is_got_over(server: Server) -> None:
    """Answers are 503 while the server is away, and right again once it is back."""
    with open_shop(server.url) as app:
        add_views(app)
        readers = [Reader(app) for _ in range(4)]
        for reader in readers:
            reader.start()
        try:
            wait_for(readers, {200}, 0, 3)
            server.kill()
            wait_for(readers, {503}, time.monotonic(), 2)
            server.start()
            back = time.monotonic()
            wait_for(readers, {200, 201}, back + RECOVERY, 4)
        finally:
            for reader in readers:
                reader.stopping.set()
            for reader in readers:
                reader.join(PATIENCE)
        answers = [answer for reader in readers for answer in reader.answers]
        assert {status for _, _, status in answers} == {200, 201, 503}
        assert [
            at - back for at, _, status in answers if status == 503 and at > back + RECOVERY
        ] == []
        written = sum(status == 201 for _, _, status in answers)
        unclear = sum(status == 503 and method == "POST" for _, method, status in answers)
        stored = app.test_client().get("/books").get_json()["count"]
        assert written <= stored <= written + unclear


@pytest.mark.slow
def test_a_restart_between_requests_costs_none(server: Server) -> None:
    """Connections that died while they were idle are replaced before they are used."""
    with open_shop(server.url) as app:
        add_views(app)
        client = app.test_client()
        assert client.post("/books").status_code == 201
        server.kill()
        response = client.get("/books")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
        server.start()
        assert client.get("/books").json == {"count": 1}
        server.kill()
        server.start()
        assert [client.post("/books").status_code for _ in range(3)] == [201] * 3
