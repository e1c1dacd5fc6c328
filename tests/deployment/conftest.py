"""A project, and the command that prints its files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

#: A folder as people have them, with all that has a meaning in one of the files.
FOLDER = 'it\'s my "50%" café'


def make_project(folder: Path) -> Path:
    """Return a project's folder with an application in it."""
    project = folder / FOLDER
    (project / "static").mkdir(parents=True)
    (project / "shop.py").write_text((HERE / "shop.py").read_text())
    (project / "static" / "style.css").write_text("body { color: black }\n")
    return project


def run_erlen(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``erlen`` in a project's folder."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ERLEN_")}
    return subprocess.run(
        [sys.executable, "-m", "erlen", *arguments],
        cwd=project,
        env=environ | {"SHOP_SECRET_KEY": "a secret that stays at home"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, which is the current one."""
    project = make_project(tmp_path)
    monkeypatch.chdir(project)
    return project
