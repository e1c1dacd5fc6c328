"""The printed files at work: what the unit starts, behind the printed site of a real nginx."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from tests.processes import PATIENCE, wait_for
from tests.servers.nginx import Nginx, require_nginx
from tests.servers.process import free_port

from .conftest import make_project, run_erlen
from .reading import read_command, read_dockerfile, read_path, read_unit, read_words, values_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("granian")
websockets = pytest.importorskip("websockets")

from websockets.sync.client import connect  # noqa: E402

MEBIBYTE = b"x" * 1024 * 1024
SECRET = "a secret that stays at home"


def print_file(project: Path, kind: str, *options: str) -> str:
    """Return what the command prints."""
    done = run_erlen(project, "--app", "shop:app", "serve", "--print", kind, *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@dataclass
class Site:
    """A running site: its port, the server's process and socket, and what the manager heard."""

    port: int
    folder: Path
    server: subprocess.Popen[bytes]
    unix_socket: Path
    manager: socket.socket

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, t.Any, bytes]:
        """Send a request to nginx; return status, headers and body."""
        client = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            client.request(method, path, body, headers or {})
            response = client.getresponse()
            return response.status, response.headers, response.read()
        finally:
            client.close()

    def ask_server(self, path: str) -> bytes:
        """Send a request past nginx; return the answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self.unix_socket))
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
            )
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer

    def wait_for_word(self, word: str) -> None:
        """Wait until the service manager is told something."""
        heard: list[str] = []
        while not any(word in message for message in heard):
            heard.append(self.manager.recv(4096).decode())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """What the unit starts, behind nginx with the printed site."""
    require_nginx()
    folder = tmp_path_factory.mktemp("site")
    project = make_project(folder)
    # The folder that systemd would make below /run.
    run = folder / "run"
    run.mkdir()
    bind = ("--bind", "unix:/run/shop/shop.sock")
    unit = read_unit(print_file(project, "systemd", *bind))
    service = dict(unit["Service"])
    command = read_command(service["ExecStart"])
    command = [word.replace("/run/shop/", f"{run}/") for word in command]
    assert read_path(service["WorkingDirectory"]) == str(project)

    port = free_port()
    text = print_file(project, "nginx", *bind).replace("unix:/run/shop/", f"unix:{run}/")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
    text = re.sub(r"listen \[::\]:80;", "", text)
    (folder / "nginx").mkdir()

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(PATIENCE)
        manager.bind(str(run / "notify"))
        environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environ |= {"NOTIFY_SOCKET": str(run / "notify"), "SHOP_SECRET_KEY": SECRET}
        server = subprocess.Popen(command, cwd=project, env=environ)
        try:
            site = Site(int(port), folder, server, run / "shop.sock", manager)
            site.wait_for_word("READY=1")
            with Nginx(folder / "nginx", text) as nginx:
                wait_for(lambda: is_listening(int(port)), "the start of nginx")
                yield site
                assert nginx.process.poll() is None
        finally:
            server.kill()
            server.wait()


def is_listening(port: int) -> bool:
    """Tell whether somebody accepts connections at a port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def test_pages(site: Site) -> None:
    """Requests come through, and the claims of clients about themselves do not."""
    claims = {
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "for=192.0.2.7",
    }
    status, _, body = site.request("GET", "/where", headers=claims)
    assert status == 200
    assert json.loads(body) == {
        "url": f"http://127.0.0.1:{site.port}/where",
        "address": "127.0.0.1",
        "root": "",
    }


def test_the_length_of_bodies(site: Site) -> None:
    """The application's limit is nginx's."""
    assert site.request("POST", "/upload", MEBIBYTE)[::2] == (200, b'{"size":1048576}\n')
    assert site.request("POST", "/upload", MEBIBYTE * 2)[0] == 200
    assert site.request("POST", "/upload", MEBIBYTE * 2 + b"x")[0] == 413


def test_static_files(site: Site) -> None:
    """nginx serves them from a folder of any name, with the headers of the application."""
    status, headers, body = site.request("GET", "/static/style.css")
    assert (status, body) == (200, b"body { color: black }\n")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-cache"
    # Erlen's has the checksum of the path in it.
    assert re.fullmatch(r'"[0-9a-f]+-[0-9a-f]+"', headers["ETag"])
    tag = headers["ETag"]
    assert site.request("GET", "/static/style.css", headers={"If-None-Match": tag})[0] == 304
    status, headers, body = site.request("GET", "/static/missing")
    assert status == 404
    assert b"<!doctype html>" in body
    assert site.request("GET", "/static/../shop.py")[0] == 404


def test_events(site: Site) -> None:
    """An event arrives before the next one is made."""
    seen = site.folder / "seen"
    client = HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    try:
        client.request("GET", f"/events?seen={seen}")
        response = client.getresponse()
        lines = iter(response.readline, b"")
        assert b"data: first\n" in lines
        seen.touch()
        assert b"data: second\n" in lines
        response.read()
    finally:
        client.close()


def test_websockets(site: Site) -> None:
    """Messages go to and fro."""
    with connect(f"ws://127.0.0.1:{site.port}/echo") as client:
        client.send("hello")
        assert client.recv(timeout=PATIENCE) == "hello"


def test_health(site: Site) -> None:
    """The health of the service is told inside, and not to the world."""
    for path in ("/healthz", "/readyz"):
        assert site.ask_server(path).startswith(b"HTTP/1.1 200 ")
        assert site.request("GET", path)[0] == 404


def test_reload_and_end(site: Site) -> None:
    """ExecReload's signal replaces the workers, and the manager is told; so it is at the end."""
    site.server.send_signal(signal.SIGHUP)
    site.wait_for_word("RELOADING=1")
    assert site.request("GET", "/")[2] == b"shop"
    site.wait_for_word("READY=1")
    assert site.request("GET", "/")[2] == b"shop"
    site.server.send_signal(signal.SIGTERM)
    site.wait_for_word("STOPPING=1")
    assert site.server.wait(PATIENCE) == 0


def test_the_image(tmp_path: Path) -> None:
    """What the Dockerfile installs can be had; its command serves, and its check sees that."""
    project = make_project(tmp_path)
    instructions = read_dockerfile(print_file(project, "dockerfile"))
    install = next(run for run in values_of(instructions, "RUN") if run.startswith("pip install"))
    # Nothing is downloaded: all of it is here.
    dry = install.replace("pip install", "python -m pip install --dry-run --no-index")
    environ = {name: os.environ[name] for name in ("HOME",) if name in os.environ}
    environ["PATH"] = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        dry, shell=True, cwd=project, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

    (port,) = values_of(instructions, "EXPOSE")
    own_port = free_port()
    command, check = (
        [word.replace(port, own_port) for word in read_words(text)]
        for text in (
            values_of(instructions, "CMD")[0],
            values_of(instructions, "HEALTHCHECK")[0].partition(" CMD ")[2],
        )
    )
    environ["SHOP_SECRET_KEY"] = SECRET
    server = subprocess.Popen(command, cwd=project, env=environ)

    def is_healthy() -> bool:
        assert server.poll() is None
        done = subprocess.run(check, env=environ, capture_output=True, check=False)
        return done.returncode == 0

    try:
        wait_for(is_healthy, "health")
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0
        assert subprocess.run(check, env=environ, capture_output=True, check=False).returncode
    finally:
        server.kill()
        server.wait()
