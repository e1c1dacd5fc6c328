"""What ``erlen serve`` does not begin, and what it says instead."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from erlen import Flask
from erlen.server.production.checks import InsecureError, refuse_insecure
from erlen.server.production.settings import Settings
from erlen.server.secret_keys import problem_of

from .process import run

GOOD = "4f1d0e7c92ab63581d3aa0c4b7e2f968"


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "dev",
        b"dev",
        "Secret-Key",
        "SECRET_KEY",
        "change me!",
        "please change me",
        "super secret key",
        "this is a secret key",
        "you-will-never-guess",
        "hard to guess string",
        "secret123",
        "8c0f2a1b9d",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
    ],
)
def test_keys_that_anybody_knows(key: str | bytes | None) -> None:
    """Missing, short and well-known keys are refused, and the way to a good one is said."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = key
    with pytest.raises(InsecureError, match=r"python -c 'import secrets"):
        refuse_insecure(app, Settings())
    refuse_insecure(app, Settings(insecure_secret=True))


@pytest.mark.parametrize("key", [GOOD, bytes.fromhex(GOOD), "correct horse battery staple"])
def test_keys_that_nobody_knows(key: str | bytes) -> None:
    """What is long and in no tutorial is taken."""
    assert problem_of(key) is None


def test_old_keys_count_too() -> None:
    """With a known key among the fallbacks, sessions can be forged as well."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY=GOOD, SECRET_KEY_FALLBACKS=["dev"])
    with pytest.raises(InsecureError, match="SECRET_KEY_FALLBACKS is known to everybody"):
        refuse_insecure(app, Settings())


def _write(folder: Path, lines: str) -> Path:
    (folder / "wrong.py").write_text(f"from erlen import Flask\n{lines}\n")
    return folder


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        ("app = Flask('x')", ("serve",), "SECRET_KEY is not set"),
        ("app = Flask('x')", ("--debug", "serve"), "Debug mode is on"),
        (
            f"app = Flask('x')\napp.secret_key = '{GOOD}'\n"
            "@app.before_serving\ndef connect(): raise RuntimeError('no database')",
            ("serve", "--workers=2"),
            "RuntimeError: no database",
        ),
        ("app = Flask('x'", ("serve",), "SyntaxError"),
        ("import os; os._exit(3)", ("serve",), "ended with exit code 3 before it was ready"),
        ("x = 1", ("serve",), "Failed to find an application or a factory"),
    ],
)
def test_the_application_cannot_be_served(
    tmp_path: Path, lines: str, options: tuple[str, ...], message: str
) -> None:
    """A mistake in the set-up ends the server at once, and says once what it is."""
    ended = run("--app=wrong", *options, "--bind=127.0.0.1:0", cwd=_write(tmp_path, lines))
    assert ended.returncode == 1
    assert ended.stderr.count(message) == 1
    assert "site-packages" not in ended.stderr


def test_a_start_that_hangs(tmp_path: Path) -> None:
    """A worker that is not ready in time ends the server, with what to look at."""
    folder = _write(tmp_path, "import time; time.sleep(1000)")
    ended = run("--app=wrong", "serve", "--bind=127.0.0.1:0", "--start-timeout=1", cwd=folder)
    assert ended.returncode == 1
    assert "was not ready within 1 s. Look at what the application does" in ended.stderr


def test_tls_files_that_do_not_fit(tmp_path: Path) -> None:
    """The certificate and its key are looked into before anything is started."""
    file = tmp_path / "cert.pem"
    file.write_text("no certificate")
    ended = run("--app=application", "serve", f"--tls-cert={file}", f"--tls-key={file}")
    assert ended.returncode == 2
    assert "are no certificate with its key" in ended.stderr and "Starting" not in ended.stderr


def test_without_granian(tmp_path: Path) -> None:
    """Where the extra is missing, one line says how to get it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.metadata as m\nfound = m.version\n"
        "def version(name):\n"
        "    if name == 'granian': raise m.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "m.version = version\n"
    )
    ended = run("--app=application", "serve", PYTHONPATH=str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr == (
        "Error: 'erlen serve' needs Granian. Install it with: pip install 'erlen[server]'\n"
    )


def test_a_pid_file_of_a_running_server(tmp_path: Path) -> None:
    """A server does not take the PID file of one that runs."""
    file = tmp_path / "pid"
    file.write_text("1")
    options: t.Any = ("--bind=127.0.0.1:0", f"--pid-file={file}")
    ended = run("--app=application", "serve", *options)
    assert ended.returncode == 1 and "names the running process 1" in ended.stderr
    assert file.read_text() == "1"
