"""Virtual environments that some test jobs make for themselves, kept below ``.cache/``."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"


def make_environment(
    name: str,
    *requirements: str,
    files: tuple[Path, ...] = (),
    without_dependencies: tuple[str, ...] = (),
) -> Path:
    """Make an environment with Erlen installed from the source tree, or reuse the one made before.

    :param name: the folder's name; the Python version is added to it.
    :param requirements: what pip shall install beside Erlen, as on its command line.
    :param files: files that *requirements* name; a change in one makes the environment anew.
    :param without_dependencies: what pip shall install without what it requires.
    :returns: the path of its interpreter.
    """
    version = ".".join(map(str, sys.version_info[:3]))
    folder = CACHE / f"{name}-{version}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "made-from"
    texts = [path.read_text() for path in files]
    parts = [str(ROOT), *requirements, *without_dependencies, *texts, *read_metadata()]
    wanted = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    stamp.unlink(missing_ok=True)
    print(f"Making {folder} ...", flush=True)
    venv.create(folder, with_pip=True, clear=True, symlinks=os.name != "nt")
    run_quietly(python, "-m", "pip", "install", *requirements, "--editable", str(ROOT))
    if without_dependencies:
        run_quietly(python, "-m", "pip", "install", "--no-deps", *without_dependencies)
    stamp.write_text(wanted)
    return python


def fetch_source(project: str, version: str, sha256: str) -> Path:
    """Download and unpack a source distribution, unless that was done before.

    :param project: the name of the project, as its files spell it.
    :param version: its version.
    :param sha256: the digest of the file.
    :returns: the folder it was unpacked to.
    :raises SystemExit: when the download is not the file it should be.
    """
    folder = CACHE / f"{project}-{version}"
    if folder.exists():
        return folder
    CACHE.mkdir(exist_ok=True)
    archive = CACHE / f"{project}-{version}.tar.gz"
    if not archive.exists():
        # Without its own dependencies, and as source: wheels have no tests.
        pip = (sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", project)
        run_quietly(*pip, "--dest", CACHE, f"{project}=={version}")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != sha256:
        archive.unlink()
        sys.exit(f"{archive} has the SHA-256 {digest} instead of {sha256}; it was removed")
    with tarfile.open(archive) as tar:
        tar.extractall(CACHE, filter="data")
    return folder


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
