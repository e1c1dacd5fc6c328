"""An environment of its own, without Flask, for tests that start Python processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import tomllib
import typing as t
import venv
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: What Erlen needs at run time; linked into the environment from the one the tests run in.
NEEDED = ("werkzeug", "jinja2", "markupsafe", "itsdangerous", "click", "blinker", "greenlet")


class Sandbox:
    """A virtual environment with Erlen and what it needs, and nothing else.

    :param folder: where to make it.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.folder = folder
        self.bin = folder / "bin"
        self.python = self.bin / "python"
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        self.site_packages = folder / "lib" / version / "site-packages"
        for name in NEEDED:
            self.link(name)
        (self.site_packages / "erlen").symlink_to(ROOT / "src" / "erlen")
        self.write_metadata()

    def link(self, name: str) -> None:
        """Make a distribution of the tests' own environment available.

        :param name: the distribution's name.
        """
        distribution = metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files or () if ".." not in file.parts}
        for top in tops - {"__pycache__"}:
            target = self.site_packages / top
            if not target.exists():
                target.symlink_to(Path(str(distribution.locate_file(top))))

    def write_metadata(self) -> None:
        """Write what an installation of Erlen from this tree would tell about it."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        groups = {"console_scripts": project["scripts"], **project["entry-points"]}
        lines = [
            line
            for group, entries in groups.items()
            for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
        ]
        info = self.site_packages / f"erlen-{project['version']}.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: erlen\nVersion: {project['version']}\n"
        )
        module, function = project["scripts"]["erlen"].split(":")
        command = self.bin / "erlen"
        command.write_text(f"#!{self.python}\nfrom {module} import {function}\n{function}()\n")
        command.chmod(0o755)

    def install_flask(self, version: str = "3.0.9") -> None:
        """Put something that looks like Flask into the environment.

        :param version: the version it says it has.
        """
        package = self.site_packages / "flask"
        package.mkdir()
        (package / "__init__.py").write_text("class Flask: pass\n")
        (package / "app.py").write_text("from . import Flask\n")
        info = self.site_packages / f"flask-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: Flask\nVersion: {version}\n")

    def run(self, *args: str | Path, cwd: Path | None = None, **variables: str) -> Outcome:
        """Run a program of the environment and wait for it.

        :param args: the interpreter's arguments, or a command's path and its arguments.
        :param cwd: the folder to run it in.
        :param variables: environment variables to add.
        """
        program = [] if isinstance(args[0], Path) else [str(self.python)]
        done = subprocess.run(
            [*program, *map(str, args)],
            cwd=cwd or self.folder,
            env=self.environ | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables of programs in it."""
        kept = {key: os.environ[key] for key in ("LANG", "HOME", "SYSTEMROOT") if key in os.environ}
        return {**kept, "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}

    def run_code(self, code: str) -> str:
        """Run a piece of code, which must succeed without a warning, and return what it prints.

        :param code: the code; common leading white space is removed.
        """
        outcome = self.run("-W", "error", "-c", textwrap.dedent(code))
        assert outcome.code == 0, outcome.err
        return outcome.out


class Outcome(t.NamedTuple):
    """How a program ended.

    :param code: its exit code.
    :param out: its standard output.
    :param err: its standard error.
    """

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """An environment without Flask, shared by tests that do not change it."""
    return Sandbox(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def with_flask(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """An environment in which Flask is installed, shared by tests that do not change it."""
    sandbox = Sandbox(tmp_path_factory.mktemp("with_flask"))
    sandbox.install_flask()
    return sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """An environment without Flask that the test may change."""
    return Sandbox(tmp_path / "sandbox")
