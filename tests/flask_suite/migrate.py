"""Run Flask-Migrate's own test suite on Erlen.

``python -m tests.flask_suite.migrate`` from the top of the repository. The tests start the
``flask`` command in processes of their own; in the environment made for them that command is
Erlen's, ``flask_migrate`` is ``erlen.migrate`` and ``flask_sqlalchemy`` is ``erlen.db``.
"""

from __future__ import annotations

import argparse
import os
import sys

from tests.environments import fetch_source, make_environment, run_quietly
from tests.flask_suite.run import run_pytest

VERSION = "4.1.0"
SHA256 = "1a336b06eb2c3ace005f5f2ded8641d534c18798d64061f6ff11f79e1434126d"

#: What the tests import.
PACKAGES = ("pytest", "sqlalchemy", "alembic")


def main() -> int:
    """Run the suite and return pytest's exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pytest", nargs="*", help="arguments for pytest")
    options = parser.parse_args()
    source = fetch_source("flask_migrate", VERSION, SHA256)
    python = make_environment("flask-migrate-suite", *PACKAGES)
    run_quietly(python, "-m", "erlen", "compat", "enable")
    print(f"\n== The test suite of Flask-Migrate {VERSION}", flush=True)
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return run_pytest(python, source, "tests", *options.pytest, PATH=path)


if __name__ == "__main__":
    sys.exit(main())
