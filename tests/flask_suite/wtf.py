"""Run Flask-WTF's own test suite on Erlen.

``python -m tests.flask_suite.wtf`` from the top of the repository. Neither Flask nor Flask-WTF is
installed: the tests' ``import flask_wtf`` is answered by ``erlen.forms``. Flask-Babel and an
upload extension are, so that no test is skipped.
"""

from __future__ import annotations

import argparse
import sys

from tests.environments import fetch_source, make_environment
from tests.flask_suite.run import run_pytest

VERSION = "1.3.0"
SHA256 = "61d5dabc50c3df885c297dcbd80810443a5d632106c8a69cab8ce740f0cdd7cc"

#: What the tests import. The extensions come without Flask, which they require.
PACKAGES = ("pytest", "wtforms", "babel", "pytz")
EXTENSIONS = ("flask-babel==4.0.0", "flask-reuploaded==1.6.0")


def main() -> int:
    """Run the suite and return pytest's exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pytest", nargs="*", help="arguments for pytest")
    options = parser.parse_args()
    source = fetch_source("flask_wtf", VERSION, SHA256)
    python = make_environment("flask-wtf-suite", *PACKAGES, without_dependencies=EXTENSIONS)
    print(f"\n== The test suite of Flask-WTF {VERSION}", flush=True)
    return run_pytest(python, source, *options.pytest)


if __name__ == "__main__":
    sys.exit(main())
