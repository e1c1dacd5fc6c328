"""The command line, run as ``erlen`` and as ``python -m erlen``."""

from __future__ import annotations

import os

from . import cli
from .compat import install


def main() -> None:
    """Run the command line; with ``ERLEN_COMPAT=1``, under the name ``flask`` as well."""
    answer_for_flask()
    cli.main()


def answer_for_flask() -> None:
    """Let ``import flask`` give Erlen where ``ERLEN_COMPAT`` says so."""
    if os.environ.get("ERLEN_COMPAT", "").lower() not in ("", "0", "false", "no"):
        install()


if __name__ == "__main__":
    main()
