"""A directory with a user's files, and two ways to run commands in it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import typing as t
from pathlib import Path

import pytest
from click.testing import CliRunner

from erlen.cli import cli

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from click.testing import Result

APP = """
    import click
    from erlen import Flask, current_app

    app = Flask(__name__)

    @app.get("/")
    def index():
        return "hello"

    @app.cli.command("greet")
    @click.option("--name", default="you")
    def greet(name):
        click.echo(f"Hello {name}, says {current_app.name}, debug {current_app.debug}")

    @app.cli.command("fail")
    def fail():
        raise LookupError("from the command")
"""


class Project:
    """A directory of a user's files, the current one during a test."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, files: Mapping[str, str] | None = None, /, **modules: str) -> None:
        """Write modules, by their names; those of packages by their paths, without ``.py``."""
        for name, source in {**(files or {}), **modules}.items():
            path = self.path / f"{name}.py"
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(textwrap.dedent(source), "utf-8")

    def invoke(self, *args: str, stdin: str = "") -> Result:
        """Run the command in this process."""
        return CliRunner().invoke(cli, args, input=stdin)

    def start(self, *args: str, **variables: str) -> subprocess.Popen[str]:
        """Start ``python -m erlen`` as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "erlen", *args],
            cwd=self.path,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *args: str, stdin: str = "", **variables: str) -> tuple[int, str]:
        """Run ``python -m erlen`` as a process; return its exit status and what it printed."""
        with self.start(*args, **variables) as process:
            output, _ = process.communicate(stdin, timeout=60)
        return process.returncode, output


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An empty project; what a test imports from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield Project(tmp_path)
    for name in sys.modules.keys() - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def app_project(project: Project) -> Project:
    """A project with an application in ``app.py``."""
    project.write(app=APP)
    return project
