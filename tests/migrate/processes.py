"""A small application in a module, for tests that start processes."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

APP = """
from pathlib import Path
import os
from erlen import Erlen
from erlen.db import SQLAlchemy
from erlen.migrate import Migrate

app = Erlen(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["PROJECT_URL"]
db = SQLAlchemy(app)
Migrate(app, db)
"""


def write_app(folder: Path) -> None:
    """Write the application's module.

    :param folder: the project's folder.
    """
    (folder / "app.py").write_text(APP)


def start(folder: Path, url: str, *args: str) -> subprocess.Popen[str]:
    """Start ``erlen db`` in a process.

    :param folder: the project's folder.
    :param url: the database's URL.
    :param args: the command and its options.
    """
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("ERLEN_", "FLASK_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "erlen", "db", *args],
        cwd=folder,
        env=environ | {"PROJECT_URL": url},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


#: Eight processes that have all imported what they need, and upgrade at the same moment.
EIGHT = """
import os
from app import app
from erlen.migrate import upgrade

children = []
for _ in range(8):
    child = os.fork()
    if not child:
        code = 1
        try:
            with app.app_context():
                upgrade()
            code = 0
        finally:
            os._exit(code)
    children.append(child)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""


def start_eight(folder: Path, url: str) -> subprocess.Popen[str]:
    """Start a process that starts eight, which upgrade at once, and prints their exit codes.

    :param folder: the project's folder.
    :param url: the database's URL.
    """
    return subprocess.Popen(
        [sys.executable, "-c", EIGHT],
        cwd=folder,
        env=os.environ | {"PROJECT_URL": url},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a process, and return its exit code and what it printed.

    :param process: the process.
    """
    try:
        output, _ = process.communicate(timeout=120)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return t.cast(int, process.returncode), output
