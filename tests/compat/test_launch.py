"""``python -m erlen.compat``."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import typing as t
import urllib.request

import pytest

from erlen.compat.launch import main

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Sandbox

HELLO = """
from flask import Flask

app = Flask(__name__)

@app.get("/")
def index():
    return f"hello from {Flask.__module__}"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a Flask application, its tests and a script."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "hello.py").write_text(HELLO)
    (folder / "test_hello.py").write_text(
        "import flask, hello\n"
        "def test_hello():\n"
        "    assert hello.app.test_client().get('/').text == 'hello from erlen.app'\n"
        "def test_client(client):\n"
        "    assert flask.__name__ == 'erlen'\n"
    )
    (folder / "conftest.py").write_text(
        "import flask, hello, pytest\n@pytest.fixture\ndef app():\n    return hello.app\n"
    )
    (folder / "script.py").write_text(
        "import sys, os, flask\n"
        "print(__name__, flask.__name__, sys.argv, os.path.basename(sys.path[0]))\n"
        "import hello\n"
        "sys.exit(7)\n"
    )
    package = folder / "tool"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(
        "import sys, flask\nprint('tool', flask.__name__, sys.argv[1:])\n"
    )
    return folder


@contextlib.contextmanager
def start(sandbox: Sandbox, folder: Path, *args: str) -> Iterator[subprocess.Popen[str]]:
    """Start a server in a process group of its own, and stop all of it at the end."""
    process = subprocess.Popen(
        [str(sandbox.python), *args],
        cwd=folder,
        env=sandbox.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def find_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def fetch(process: subprocess.Popen[str], port: int) -> str:
    """Return the page at ``/`` as soon as the server answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                return t.cast(str, answer.read().decode())
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_script(plain: Sandbox, project: Path) -> None:
    """A script runs as the main program, with its arguments, its folder and its exit code."""
    outcome = plain.run("-m", "erlen.compat", "script.py", "--flag", "x", cwd=project)
    assert outcome.out == "__main__ erlen ['script.py', '--flag', 'x'] project\n"
    assert outcome.code == 7


@pytest.mark.parametrize("how", [["-m", "tool"], ["tool"]])
def test_module(plain: Sandbox, project: Path, how: list[str]) -> None:
    """A module runs as with python -m."""
    outcome = plain.run("-m", "erlen.compat", *how, "--flag", cwd=project)
    assert (outcome.out, outcome.code) == ("tool erlen ['--flag']\n", 0), outcome.err


def test_code(plain: Sandbox) -> None:
    """A piece of code runs as with python -c."""
    code = "import flask, sys; print(flask.__name__, sys.argv)"
    outcome = plain.run("-m", "erlen.compat", "-c", code, "x")
    assert outcome.out == "erlen ['-c', 'x']\n"


def test_flask_command(plain: Sandbox, project: Path) -> None:
    """The command line works, with the options of the group."""
    outcome = plain.run("-m", "erlen.compat", "flask", "--app", "hello", "routes", cwd=project)
    assert "index" in outcome.out and outcome.code == 0, outcome.err


@pytest.mark.parametrize("args", [("run", "--app", "hello"), ("run", "--app=hello", "--debug")])
def test_run(plain: Sandbox, project: Path, args: tuple[str, ...]) -> None:
    """The development server serves a Flask application, also in the reloader's child process."""
    port = find_port()
    with start(plain, project, "-m", "erlen.compat", *args, "--port", str(port)) as process:
        assert fetch(process, port) == "hello from erlen.app"


def test_serve_needs_gunicorn(plain: Sandbox, project: Path) -> None:
    """Without Gunicorn one line says what to install."""
    outcome = plain.run("-m", "erlen.compat", "serve", "hello:app", cwd=project)
    assert outcome.err == (
        "erlen.compat: 'serve' needs Gunicorn; install it with: pip install gunicorn\n"
    )
    assert outcome.code == 1


def test_serve(sandbox: Sandbox, project: Path) -> None:
    """Gunicorn's workers serve a Flask application, after a reload of its code too."""
    pytest.importorskip("gunicorn")
    for name in ("gunicorn", "packaging"):
        sandbox.link(name)
    address = f"127.0.0.1:{(port := find_port())}"
    args = ("serve", "--bind", address, "--workers", "2", "hello:app")
    with start(sandbox, project, "-m", "erlen.compat", *args) as process:
        assert fetch(process, port) == "hello from erlen.app"
        (project / "hello.py").write_text(HELLO.replace("hello from", "now from"))
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while (page := fetch(process, port)) != "now from erlen.app":
            assert page == "hello from erlen.app" and time.monotonic() < deadline
            time.sleep(0.1)


def test_pytest(sandbox: Sandbox, project: Path) -> None:
    """A project's tests run, plugins and fixtures included, with warnings as errors."""
    for name in ("pytest", "pluggy", "iniconfig", "packaging", "pygments"):
        sandbox.link(name)
    outcome = sandbox.run("-m", "erlen.compat", "pytest", "-q", "-W", "error", cwd=project)
    assert "2 passed" in outcome.out and outcome.code == 0, outcome.out
    assert "warning" not in outcome.out, outcome.out
    outcome = sandbox.run("-m", "erlen.compat", "pytest", "-q", "-k", "nothing", cwd=project)
    assert outcome.code == 5


def test_pytest_workers(sandbox: Sandbox, project: Path) -> None:
    """pytest-xdist's worker processes have the alias too."""
    pytest.importorskip("xdist")
    for name in ("pytest", "pluggy", "iniconfig", "packaging", "pygments"):
        sandbox.link(name)
    for name in ("pytest-xdist", "execnet"):
        sandbox.link(name)
    outcome = sandbox.run("-m", "erlen.compat", "pytest", "-q", "-n", "2", cwd=project)
    assert "2 passed" in outcome.out and outcome.code == 0, outcome.out


def test_pytest_missing(plain: Sandbox) -> None:
    """Without pytest one line says what to install."""
    outcome = plain.run("-m", "erlen.compat", "pytest")
    remedy = "install it with: pip install pytest"
    assert outcome.err == f"erlen.compat: 'pytest' needs pytest; {remedy}\n"


def test_legacy(plain: Sandbox) -> None:
    """--legacy serves a removed name, given as one word or two."""
    code = "from flask import Markup, escape; print(Markup.__module__)"
    outcome = plain.run(
        *("-m", "erlen.compat", "--legacy", "Markup", "--legacy=flask.escape", "-c", code)
    )
    assert outcome.out == "markupsafe\n", outcome.err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--legacy",), "--legacy needs a name"),
        (("--legacy", "Makup", "x"), "Did you mean 'Markup'?"),
        (("missing.py",), "there is no file 'missing.py'"),
        (("--nonsense",), "unknown option '--nonsense'"),
        (("-m",), "-m needs the name of a module"),
        (("-c",), "-c needs a piece of code"),
    ],
)
def test_mistakes(plain: Sandbox, args: tuple[str, ...], message: str) -> None:
    """A mistake is one line that says what is wrong, and exit code 1."""
    outcome = plain.run("-m", "erlen.compat", *args)
    assert outcome.code == 1
    assert outcome.err.startswith("erlen.compat: ") and outcome.err.count("\n") == 1
    assert message in outcome.err


def test_help(plain: Sandbox) -> None:
    """--help shows the programs; without arguments the exit code is 2."""
    for args, code in ((["--help"], 0), ([], 2)):
        outcome = plain.run("-m", "erlen.compat", *args)
        assert outcome.out.startswith("Usage: python -m erlen.compat")
        assert outcome.code == code


def test_flask_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher reports in one line that the real Flask is there already."""
    import sys
    import types

    monkeypatch.setitem(sys.modules, "flask", types.ModuleType("flask"))
    assert str(main(["script.py"])).startswith("erlen.compat: 'flask' was already imported")
