"""How the command finds the application, and how it can be ended early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.processes import PATIENCE, wait_for

from .process import Served, clean_environment

KEY = "4f1d0e7c92ab63581d3aa0c4b7e2f968"


def test_a_script_of_the_project(tmp_path: Path) -> None:
    """Workers import the factory of a group that a project made for itself."""
    (tmp_path / "manage.py").write_text(
        "import click\nfrom erlen import Erlen\nfrom erlen.cli import FlaskGroup\n"
        "def make():\n"
        f"    app = Erlen(__name__)\n    app.config['SECRET_KEY'] = '{KEY}'\n"
        "    app.add_url_rule('/', view_func=lambda: 'made')\n    return app\n"
        "@click.group(cls=FlaskGroup, create_app=make)\ndef main(): pass\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    with Served(tmp_path, program=("manage.py",), cwd=tmp_path) as served:
        assert served.request().body == b"made"


def test_a_drop_in_application(tmp_path: Path) -> None:
    """With ERLEN_COMPAT, 'import flask' is answered in the workers too."""
    (tmp_path / "old.py").write_text(
        f"from flask import Flask\napp = Flask(__name__)\napp.secret_key = '{KEY}'\n"
        "app.add_url_rule('/', view_func=lambda: Flask.__module__)\n"
    )
    with Served(tmp_path, app="old", cwd=tmp_path, ERLEN_COMPAT="1") as served:
        assert served.request().body == b"erlen.app"


def test_modules_of_the_folder_do_not_hide_those_of_python(tmp_path: Path) -> None:
    """A file that is named like a module of the library is not imported in its place."""
    (tmp_path / "json.py").write_text("raise RuntimeError('the wrong one')")
    (tmp_path / "site_.py").write_text(
        f"from erlen import Erlen\napp = Erlen('x')\napp.secret_key = '{KEY}'\n"
        "app.add_url_rule('/', view_func=lambda: 'right')\n"
    )
    program = ("-P", "-m", "erlen", "--app", "site_")
    with Served(tmp_path, program=program, cwd=tmp_path) as served:
        assert served.request().body == b"right"


def test_the_end_before_the_beginning(tmp_path: Path) -> None:
    """A server that is told to end while it starts does so, and leaves no worker behind."""
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(1000)\n")
    command = [sys.executable, "-m", "erlen", "--app", "slow", "serve", "--bind", "127.0.0.1:0"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=clean_environment({}), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "Starting 1 worker" in process.stderr.readline()
    # The handlers of signals are there when the workers are.
    wait_for(lambda: _children(process.pid), "a worker")
    workers = _children(process.pid)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=PATIENCE)[0] or ""
    assert process.returncode == 0 and "Serving" not in said
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def _children(pid: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    """The first finishes requests; the second ends the server at once."""
    with Served(tmp_path) as served, served.connect() as slow:
        slow.sendall(b"GET /slow?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n")
        served.request()
        begun = time.monotonic()
        served.send_signal(signal.SIGINT)
        wait_for(lambda: "Ending" in served.output, "the beginning of the end")
        served.send_signal(signal.SIGINT)
        assert served.process.wait(PATIENCE) == 0
        assert time.monotonic() - begun < 40


def test_a_worker_may_be_ended_by_itself(tmp_path: Path) -> None:
    """SIGTERM to a worker finishes what it has begun; another takes its place."""
    with Served(tmp_path) as served, served.connect() as slow:
        worker = int(served.request().body)
        slow.sendall(b"GET /slow?seconds=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        served.request()
        os.kill(worker, signal.SIGTERM)
        received = b""
        while part := slow.recv(65536):
            received += part
        assert received.endswith(b"slow")
        wait_for(lambda: "Another is started." in served.output, "a notice")
        assert served.request().status == 200
