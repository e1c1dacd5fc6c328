"""Logins are typed: both checkers accept a sample application, and see what is wrong in another."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

TYPED = Path(__file__).parent / "typed"
SOURCE = Path(__file__).parents[2] / "src"

#: What the checkers must complain about, in the lines that say so.
MISTAKES = """
from erlen.login import LoginManager, UserMixin, login_required, login_user


class User(UserMixin):
    name = "Ada"


login = LoginManager[User]()


@login_required
def view(number: int) -> str:
    return login.current_user.nane  # mistake: no such attribute


view("one")  # mistake: not a number
length: int = login.current_user.name  # mistake: text
login.user.name  # mistake: may be None
login.login_view = 5  # mistake: not a name
login_user(User(), duration=60)  # mistake: seconds
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both files and no configuration of ours: what a user has."""
    folder = tmp_path_factory.mktemp("typed")
    shutil.copy(TYPED / "shelf.py", folder)
    (folder / "mistakes.py").write_text(MISTAKES)
    return folder


def find_mistakes() -> set[int]:
    """Return the numbers of the lines that say they are wrong."""
    lines = enumerate(MISTAKES.splitlines(), 1)
    return {number for number, line in lines if "# mistake" in line}


def run_mypy(project: Path) -> dict[str, set[int]]:
    """Return the lines that mypy complains about, for each file."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
    done = subprocess.run(
        [*command, f"--cache-dir={project / '.cache'}", "shelf.py", "mistakes.py"],
        cwd=project,
        env={"MYPYPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    lines: dict[str, set[int]] = {}
    for name, number in re.findall(r"^(\S+\.pyi?):(\d+): error: ", done.stdout, re.MULTILINE):
        lines.setdefault(Path(name).name, set()).add(int(number))
    return lines


def run_pyright(project: Path) -> dict[str, set[int]]:
    """Return the lines that pyright complains about, for each file."""
    settings = {
        "extraPaths": [str(SOURCE)],
        "typeCheckingMode": "strict",
        "include": ["shelf.py", "mistakes.py"],
    }
    (project / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=300, check=False
    )
    lines: dict[str, set[int]] = {}
    for entry in json.loads(done.stdout)["generalDiagnostics"]:
        if entry["severity"] == "error":
            number = entry["range"]["start"]["line"] + 1
            lines.setdefault(Path(entry["file"]).name, set()).add(number)
    return lines


@pytest.mark.parametrize("check", [run_mypy, run_pyright])
def test_checker(project: Path, check: t.Callable[[Path], dict[str, set[int]]]) -> None:
    """The application is right in each line, and each mistake is found."""
    assert check(project) == {"mistakes.py": find_mistakes()}
