"""Run Flask's own test suite, and those of its examples, on Erlen.

``python -m tests.flask_suite.run`` from the top of the repository. The source distribution of
Flask is downloaded with pip and kept below ``.cache/``; it is never part of this project. Flask is
not installed: the tests' ``import flask`` is answered by ``erlen.compat``.

``known_differences.toml`` names the tests that cannot pass, each with the reason. They are run
as well: one that begins to pass, or that does not exist, fails the run.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from tests.environments import fetch_source, make_environment, run

HERE = Path(__file__).resolve().parent
VERSION = "3.1.3"
SHA256 = "0ef0e52b8a9cd932855379197dd8f94047b359ca0a78695144304cb45f87c9eb"

#: What the tests import. The versions are those of Flask's lock file, where it has one.
PACKAGES = (
    *("asgiref", "blinker", "click", "greenlet", "itsdangerous", "jinja2", "markupsafe"),
    *("pytest", "python-dotenv", "werkzeug"),
)
#: What one of its examples imports.
CELERY = "celery==5.7.0"


def main() -> int:
    """Run the suites and return the first failing exit code, or 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pytest", nargs="*", help="arguments for pytest; only Flask's suite runs")
    options = parser.parse_args()
    source = fetch_source("flask", VERSION, SHA256)
    python = make_environment("flask-suite", *read_pins(source / "uv.lock"), CELERY)
    print(f"\n== The test suite of Flask {VERSION}", flush=True)
    plugin = ("-p", "known_differences")
    codes = [run_pytest(python, source, *plugin, *options.pytest, PYTHONPATH=str(HERE))]
    if not options.pytest:
        for name in ("tutorial", "javascript"):
            print(f"\n== Its example {name!r}", flush=True)
            codes.append(run_pytest(python, source / "examples" / name))
        print("\n== Its example 'celery'", flush=True)
        codes.append(run_celery_example(python, source / "examples" / "celery"))
    return next((code for code in codes if code), 0)


def run_pytest(python: Path, folder: Path, *args: str, **variables: str) -> int:
    """Run a folder's tests with ``flask`` answered by Erlen.

    :param python: the interpreter.
    :param folder: where the tests' ``pyproject.toml`` is.
    :param args: arguments for pytest.
    :param variables: environment variables to add.
    :returns: pytest's exit code.
    """
    common = ("-p", "no:cacheprovider", f"--confcutdir={folder}")
    return run(python, *("-m", "erlen.compat", "pytest"), *common, *args, cwd=folder, **variables)


def run_celery_example(python: Path, folder: Path) -> int:
    """Run our tests of an example that has none.

    :param python: the interpreter.
    :param folder: the example's.
    :returns: pytest's exit code.
    """
    tests = HERE / "check_celery_example.py"
    args = ("-p", "no:cacheprovider", f"--rootdir={HERE}", f"--confcutdir={HERE}")
    path = f"{folder}{os.pathsep}{folder / 'src'}"
    command = ("-m", "erlen.compat", "pytest", *args, tests)
    return run(python, *command, cwd=folder, PYTHONPATH=path)


def read_pins(lock: Path) -> list[str]:
    """Return requirements for :data:`PACKAGES`, pinned to the versions of a lock file.

    :param lock: the path of Flask's ``uv.lock``.
    """
    pattern = re.compile(r'^\[\[package\]\]\nname = "([^"]+)"\nversion = "([^"]+)"', re.MULTILINE)
    # A package with two versions has the newer one, for newer Pythons, last.
    versions = dict(pattern.findall(lock.read_text()))
    return [f"{name}=={versions[name]}" if name in versions else name for name in PACKAGES]


if __name__ == "__main__":
    sys.exit(main())
