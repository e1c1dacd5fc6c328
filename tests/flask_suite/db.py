"""Run Flask-SQLAlchemy's own test suite on Erlen, with SQLAlchemy 2.1 and with 2.0.

``python -m tests.flask_suite.db`` from the top of the repository. Neither Flask nor
Flask-SQLAlchemy is installed: ``erlen.compat`` answers for both.

``known_differences_db.toml`` names the tests that cannot pass, each with the reason.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.environments import fetch_source, make_environment
from tests.flask_suite.run import HERE, run_pytest

VERSION = "3.1.1"
SHA256 = "e4b68bb881802dda1a7d878b2fc84c06d1ee57fb40b874d3dc97dabfa36b8312"

#: The series of SQLAlchemy that Erlen supports: the newer at its newest, the older at its oldest.
SERIES = {"2.1": "sqlalchemy>=2.1,<2.2", "2.0": "sqlalchemy==2.0.40"}


def main() -> int:
    """Run the suite with each series of SQLAlchemy; return the first failing exit code, or 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pytest", nargs="*", help="arguments for pytest")
    options = parser.parse_args()
    source = fetch_source("flask_sqlalchemy", VERSION, SHA256)
    codes = [run_with(series, source, *options.pytest) for series in SERIES]
    return next((code for code in codes if code), 0)


def run_with(series: str, source: Path, *args: str) -> int:
    """Run the suite with one series of SQLAlchemy.

    :param series: its number.
    :param source: where the suite is.
    :param args: arguments for pytest.
    :returns: pytest's exit code.
    """
    packages = ("pytest", "greenlet", SERIES[series])
    python = make_environment(f"flask-sqlalchemy-suite-{series}", *packages)
    print(f"\n== The test suite of Flask-SQLAlchemy {VERSION}, SQLAlchemy {series}", flush=True)
    variables = {"PYTHONPATH": str(HERE), "KNOWN_DIFFERENCES": "known_differences_db.toml"}
    return run_pytest(python, source, "-p", "known_differences", *args, **variables)


if __name__ == "__main__":
    sys.exit(main())
