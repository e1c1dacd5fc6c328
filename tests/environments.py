"""Virtual environments that some test jobs make for themselves, kept below ``.cache/``."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"


def make_environment(name: str, *requirements: str, files: tuple[Path, ...] = ()) -> Path:
    """Make an environment with Erlen installed from the source tree, or reuse the one made before.

    :param name: the folder's name; the Python version is added to it.
    :param requirements: what pip shall install beside Erlen, as on its command line.
    :param files: files that *requirements* name; a change in one makes the environment anew.
    :returns: the path of its interpreter.
    """
    version = ".".join(map(str, sys.version_info[:3]))
    folder = CACHE / f"{name}-{version}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "made-from"
    texts = [path.read_text() for path in files]
    parts = [str(ROOT), *requirements, *texts, *read_metadata()]
    wanted = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    stamp.unlink(missing_ok=True)
    print(f"Making {folder} ...", flush=True)
    venv.create(folder, with_pip=True, clear=True, symlinks=os.name != "nt")
    run_quietly(python, "-m", "pip", "install", *requirements, "--editable", str(ROOT))
    stamp.write_text(wanted)
    return python


def read_metadata() -> list[str]:
    """Return what an installation of Erlen depends on, in the project's own file."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [repr(settings["build-system"]), repr(settings["project"])]


def run_quietly(*command: str | Path) -> None:
    """Run a command, showing what it prints only when it fails.

    :param command: the program and its arguments.
    :raises SystemExit: when it fails.
    """
    done = subprocess.run(
        [os.fspath(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stdout.write(done.stdout)
        sys.exit(f"{' '.join(map(str, command))} failed with exit code {done.returncode}")


def run(*command: str | Path, cwd: Path, **variables: str) -> int:
    """Run a command and show what it prints.

    :param command: the program and its arguments.
    :param cwd: the folder to run it in.
    :param variables: environment variables to add.
    :returns: its exit code.
    """
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("FLASK_", "ERLEN_", "PYTHONPATH"))
    }
    sys.stdout.flush()
    program = [os.fspath(part) for part in command]
    return subprocess.run(program, cwd=cwd, env=environ | variables, check=False).returncode
