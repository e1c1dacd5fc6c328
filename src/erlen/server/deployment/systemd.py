"""A unit for systemd."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

from .quoting import DeploymentError, check_text, refuse, systemd_line
from .rendering import render

if t.TYPE_CHECKING:
    from .facts import Facts

_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")
_PRIVILEGED_PORTS = 1024


def write_systemd(facts: Facts) -> str:
    """Return a unit that serves the application where it lies, as a user made for the occasion.

    :param facts: the facts.
    :raises DeploymentError: for what a unit cannot say.
    """
    program = _program()
    # What has to be readable: the project, its environment, and the Python under that.
    places = (facts.folder, Path(program[0]), Path(sys.base_prefix))
    if facts.data is not None:
        refuse(str(facts.data), ":", "The instance folder", "a unit")
    return render(
        "systemd.service",
        facts=facts,
        serve=[*program, *facts.serve(facts.bind, facts.local_proxy)],
        upgrade=[*program, *facts.command("db", "upgrade")],
        runtime_folder=_runtime_folder(facts),
        credentials=_credentials(facts),
        home="read-only" if any(_is_below(path, _HOMES) for path in places) else "yes",
        private_tmp=not any(_is_below(path, _TEMPORARY) for path in places),
        may_bind=facts.socket is None and facts.port < _PRIVILEGED_PORTS,
    )


def _program() -> list[str]:
    script = Path(sys.prefix) / "bin" / "erlen"
    words = [str(script)] if script.is_file() else [sys.executable, "-m", "erlen"]
    check_text(words[0], "The path of the virtual environment")
    return words


def _is_below(path: Path, folders: tuple[str, ...]) -> bool:
    return any(str(path).startswith(f"{folder}/") for folder in folders)


def _runtime_folder(facts: Facts) -> str | None:
    """Return the folder of the socket below ``/run``, the one place for it to be made anew."""
    if facts.socket is None:
        return None
    folder = os.path.dirname(facts.socket)
    if not folder.startswith("/run/"):
        raise DeploymentError(
            f"The unit's user can make a socket below /run only, not at {facts.socket!a}. Give"
            f" '--bind unix:/run/{facts.name}/{facts.name}.sock'."
        )
    return refuse(folder.removeprefix("/run/"), " \t\"'\\%:$", "The socket's folder", "a unit")


def _credentials(facts: Facts) -> dict[str, str]:
    """Return the files for TLS, by the names of their settings.

    systemd reads them as root, so that the user of the service need not be able to.
    """
    paths = {name: facts.settings[name] for name in ("tls_cert", "tls_key", "tls_client_ca")}
    what = "A file for TLS"
    return {
        name: systemd_line(refuse(check_text(str(path), what), ":", what, "a unit"))
        for name, path in paths.items()
        if path is not None
    }
