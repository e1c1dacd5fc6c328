"""Run Flask-Login's own test suite on Erlen.

``python -m tests.flask_suite.login`` from the top of the repository. Neither Flask nor Flask-Login
is installed: the tests' ``import flask_login`` is answered by ``erlen.login``.

``known_differences_login.toml`` names the tests that cannot pass, each with the reason.
"""

from __future__ import annotations

import argparse
import sys

from tests.environments import fetch_source, make_environment
from tests.flask_suite.run import HERE, run_pytest

VERSION = "0.6.3"
SHA256 = "5e23d14a607ef12806c699590b89d0f0e0d67baeec599d75947bf9c147330333"

#: What the tests import.
PACKAGES = ("pytest", "semantic-version")


def main() -> int:
    """Run the suite and return pytest's exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pytest", nargs="*", help="arguments for pytest")
    options = parser.parse_args()
    source = fetch_source("Flask-Login", VERSION, SHA256)
    python = make_environment("flask-login-suite", *PACKAGES)
    print(f"\n== The test suite of Flask-Login {VERSION}", flush=True)
    variables = {"PYTHONPATH": str(HERE), "KNOWN_DIFFERENCES": "known_differences_login.toml"}
    return run_pytest(python, source, "-p", "known_differences", *options.pytest, **variables)


if __name__ == "__main__":
    sys.exit(main())
