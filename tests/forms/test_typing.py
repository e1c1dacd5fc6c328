"""Forms are typed: both checkers accept a sample application, and see what is wrong in another."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TYPED = Path(__file__).parent / "typed"
SOURCE = Path(__file__).parents[2] / "src"

#: What the checkers must complain about, in the lines that say so.
MISTAKES = """
from erlen.forms import FlaskForm
from erlen.forms.fields import IntegerField, SelectField, StringField
from erlen.forms.validators import DataRequired, Length


class BookForm(FlaskForm):
    title = StringField([DataRequired()])  # mistake: no label
    pages = IntegerField("Pages", [Length(max="4")])  # mistake: text for a number
    shelf = SelectField("Shelf", coerce=5)  # mistake: no function


def use(form: BookForm) -> None:
    form.title.data.upper()  # mistake: may be None
    count: str = form.pages.data or ""  # mistake: a number
    form.titel  # mistake: no such field
    print(count)
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both files and no configuration of ours: what a user has."""
    folder = tmp_path_factory.mktemp("typed")
    shutil.copy(TYPED / "shop.py", folder)
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
        [*command, f"--cache-dir={project / '.cache'}", "shop.py", "mistakes.py"],
        cwd=project,
        env={"MYPYPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    found = re.findall(r"^(\S+\.pyi?):(\d+): error: ", done.stdout, re.MULTILINE)
    lines: dict[str, set[int]] = {}
    for name, number in found:
        lines.setdefault(Path(name).name, set()).add(int(number))
    return lines


def run_pyright(project: Path) -> dict[str, set[int]]:
    """Return the lines that pyright complains about, for each file."""
    settings = {
        "extraPaths": [str(SOURCE)],
        "typeCheckingMode": "strict",
        # What WTForms leaves untyped is no concern of a user's file.
        "include": ["shop.py", "mistakes.py"],
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
def test_checker(project: Path, check: object) -> None:
    """The application is right in each line, and each mistake is found."""
    found = check(project)  # type: ignore[operator]
    assert found == {"mistakes.py": find_mistakes()}


#: Where the stub is stricter than WTForms: what may only be given by name, or means nothing.
STRICTER = r"""
erlen\.forms\.fields\.\w+Field\.__init__
erlen\.forms\.fields\.FieldList\.__init__
erlen\.forms\.base\.Field\.__new__
erlen\.forms\.base\.Form
erlen\.forms\.validators\.MacAddress\.__call__
"""


def test_stubs(tmp_path: Path) -> None:
    """The stubs say what WTForms has."""
    allowed = tmp_path / "allowed.txt"
    allowed.write_text(STRICTER)
    modules = [f"erlen.forms.{name}" for name in ("base", "fields", "validators", "widgets")]
    command = [sys.executable, "-m", "mypy.stubtest", "--concise", "--ignore-missing-stub"]
    done = subprocess.run(
        [*command, "--ignore-unused-allowlist", "--allowlist", str(allowed), *modules],
        cwd=tmp_path,
        env={"MYPYPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
