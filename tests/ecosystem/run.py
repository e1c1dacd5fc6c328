"""Run the test applications of published extensions on Erlen.

``python -m tests.ecosystem.run`` from the top of the repository. It installs the extensions of
``requirements.txt``, unchanged, into an environment of its own and runs ``suite/`` in it

- with Flask present, as the extensions' dependency, and shadowed by ``python -m erlen.compat``;
- with Flask uninstalled, in an environment prepared by ``erlen compat enable``.

With ``--reference`` it first runs the same tests on Flask itself, which shows that they are right.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.environments import make_environment, run, run_quietly

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
CONSTRAINTS = HERE / "constraints.txt"


def main() -> int:
    """Run the phases and return the first failing exit code, or 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--reference", action="store_true", help="on Flask itself, too")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest")
    options = parser.parse_args()
    python = make_environment(
        "ecosystem",
        *("-r", str(REQUIREMENTS), "-c", str(CONSTRAINTS)),
        files=(REQUIREMENTS, CONSTRAINTS),
    )
    flask = next(line for line in CONSTRAINTS.read_text().splitlines() if line[:7] == "Flask==")
    run_quietly(python, "-m", "erlen", "compat", "disable")
    run_quietly(python, "-m", "pip", "install", "--no-deps", flask)
    codes = []
    if options.reference:
        print("\n== Reference: on Flask itself", flush=True)
        codes.append(run_suite(python, "flask", "-m", "pytest", *options.pytest))
    print("\n== Flask present, shadowed by python -m erlen.compat", flush=True)
    codes.append(run_suite(python, "present", "-m", "erlen.compat", "pytest", *options.pytest))
    run_quietly(python, "-m", "pip", "uninstall", "--yes", "flask")
    run_quietly(python, "-m", "erlen", "compat", "enable")
    print("\n== Flask absent, erlen compat enable", flush=True)
    codes.append(run_suite(python, "absent", "-m", "pytest", *options.pytest))
    run_quietly(python, "-m", "erlen", "compat", "disable")
    return next((code for code in codes if code), 0)


def run_suite(python: Path, phase: str, *command: str) -> int:
    """Run the tests once.

    :param python: the environment's interpreter.
    :param phase: what the tests shall find: ``"flask"``, ``"present"`` or ``"absent"``.
    :param command: how to start pytest, and its arguments.
    :returns: pytest's exit code.
    """
    ini = ("-c", str(HERE / "pytest.ini"), f"--confcutdir={HERE}")
    return run(python, *command, *ini, cwd=HERE, ERLEN_ECOSYSTEM=phase)


if __name__ == "__main__":
    sys.exit(main())
