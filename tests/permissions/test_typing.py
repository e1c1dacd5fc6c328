"""Permissions are typed: both checkers accept a sample, and see what is wrong in another."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"

RIGHT = """
from dataclasses import dataclass

from erlen import Blueprint, Erlen
from erlen.login import (
    PasswordCheck, Permissions, UserMixin, can, granted, policy, public, requires, verify_and_update
)
from erlen.views import MethodView


@dataclass
class User(UserMixin):
    id: int
    groups: list[str]


@dataclass
class Book:
    owner: User


app = Erlen(__name__)
permissions = Permissions[User](app, {"reader": {"book:view"}})
desk = requires("desk:use")(Blueprint("desk", __name__))
desk.get("/")


@permissions.role_loader
def roles_of(user: User) -> list[str]:
    return user.groups


@policy("book:edit", Book)
def may_edit(user: User, book: Book) -> bool:
    return book.owner == user or granted("book:edit")


@policy("book:lend", Book, anonymous=True)
async def may_lend(user: User, book: Book) -> bool:
    return True


@policy("desk:use")
def may_use(user: User) -> bool:
    return True


def find_book(book_id: int) -> Book:
    return Book(User(book_id, []))


@app.get("/books/<int:book_id>")
@requires("book:edit", obj=find_book)
def edit(book_id: int) -> str:
    return str(can("book:edit", find_book(book_id)))


@app.get("/books")
@public
async def books() -> list[str]:
    return []


@requires("book:edit")
class Books(MethodView):
    @requires("book:view")
    def get(self, book_id: int) -> str:
        return ""


text: str = edit(5)
same: Book = Book(User(1, []))
allowed: bool = may_edit(User(1, []), same)
shown: str = Books().get(5)
check: PasswordCheck = verify_and_update(None, "password")
stored: str | None = check.new_hash
"""

MISTAKES = """
from erlen.login import Permissions, policy, requires, verify_password


class User: ...
class Book: ...
class Page: ...


@policy("book:edit", Book)  # mistake: decides for pages
def may_edit(user: User, page: Page) -> bool:
    return True


@policy("book:lend", Book)  # mistake: no answer
def may_lend(user: User, book: Book) -> str:
    return "yes"


@requires("book:edit")
def edit(book_id: int) -> str:
    return ""


edit("5")  # mistake: a text
edit(5).real  # mistake: no number
requires(5)  # mistake: no name
verify_password(5, "password")  # mistake: no text
permissions = Permissions[User]()


@permissions.role_loader  # mistake: takes a book
def roles_of(book: Book) -> list[str]:
    return []
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both files and no configuration of ours: what a user has."""
    folder = tmp_path_factory.mktemp("typed")
    (folder / "right.py").write_text(RIGHT)
    (folder / "mistakes.py").write_text(MISTAKES)
    return folder


def find_mistakes() -> set[int]:
    """Return the numbers of the lines that say they are wrong."""
    lines = enumerate(MISTAKES.splitlines(), 1)
    return {number for number, line in lines if "# mistake" in line}


def test_mypy(project: Path) -> None:
    """Mypy, as strict as it gets, finds the mistakes and nothing else."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
    done = subprocess.run(
        [*command, f"--cache-dir={project / '.cache'}", "right.py", "mistakes.py"],
        cwd=project,
        env={"PATH": "/usr/bin", "MYPYPATH": str(SOURCE)},
        capture_output=True,
        text=True,
    )
    found = re.findall(r"^(\w+\.py):(\d+): error", done.stdout, re.MULTILINE)
    assert {int(line) for name, line in found if name == "right.py"} == set(), done.stdout
    assert {int(line) for name, line in found if name == "mistakes.py"} == find_mistakes()


@pytest.mark.skipif(shutil.which("pyright") is None, reason="needs pyright")
def test_pyright(project: Path) -> None:
    """So does pyright."""
    settings = {"extraPaths": [str(SOURCE)], "typeCheckingMode": "standard"}
    (project / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        ["pyright", "--outputjson", "--pythonpath", sys.executable],
        cwd=project,
        capture_output=True,
        text=True,
    )
    errors = [
        (Path(entry["file"]).name, entry["range"]["start"]["line"] + 1, entry["message"])
        for entry in json.loads(done.stdout)["generalDiagnostics"]
        if entry["severity"] == "error"
    ]
    assert [entry for entry in errors if entry[0] == "right.py"] == []
    assert {line for name, line, _ in errors if name == "mistakes.py"} == find_mistakes()
