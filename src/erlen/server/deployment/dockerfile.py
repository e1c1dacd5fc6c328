"""A Dockerfile."""

from __future__ import annotations

import shlex
import sys
import typing as t

from .packages import find_requirements
from .quoting import DeploymentError
from .rendering import render

if t.TYPE_CHECKING:
    from .facts import Facts


def write_dockerfile(facts: Facts) -> str:
    """Return a Dockerfile that installs the application and serves it as a user without rights.

    :param facts: the facts.
    :raises DeploymentError: for what cannot be in an image.
    """
    check_container(facts)
    files, arguments = find_requirements(facts.folder, facts.extras)
    return render(
        "Dockerfile",
        facts=facts,
        python="{}.{}".format(*sys.version_info[:2]),
        requirements=files,
        install=shlex.join(["pip", "install", "--no-cache-dir", *arguments]),
        is_project=_is_project(facts),
        health=["python", "-c", _health_check(facts)],
        serve=["erlen", *facts.serve(f"0.0.0.0:{facts.port}", "")],
        data=None if facts.data is None else facts.data.relative_to(facts.folder).as_posix(),
    )


def check_container(facts: Facts) -> None:
    """Refuse what is on this machine, and in no image.

    :param facts: the facts.
    :raises DeploymentError: for files of TLS.
    """
    if facts.settings["tls_cert"] is not None:
        raise DeploymentError(
            "A certificate and its key do not belong into an image. Leave out 'tls-cert' and"
            " 'tls-key', and let a proxy such as nginx end TLS."
        )


def _is_project(facts: Facts) -> bool:
    file = facts.folder / "pyproject.toml"
    return file.is_file() and "[project]" in file.read_text()


def _health_check(facts: Facts) -> str:
    if facts.has_health:
        url = f"http://127.0.0.1:{facts.port}/readyz"
        return f"import urllib.request as r; r.urlopen('{url}', timeout=5)"
    # The application has an address of this name for itself, and knows who may ask for it.
    return f"import socket; socket.create_connection(('127.0.0.1', {facts.port}), 5)"
