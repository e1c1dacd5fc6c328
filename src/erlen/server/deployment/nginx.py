"""A site of nginx in front of the server."""

from __future__ import annotations

import re
import typing as t

from .quoting import DeploymentError, refuse
from .rendering import render

if t.TYPE_CHECKING:
    from .facts import Facts
    from .static import StaticFiles


def write_nginx(facts: Facts) -> str:
    """Return a site that hands requests on to the server, on the same machine.

    :param facts: the facts.
    :raises DeploymentError: for what a site cannot say.
    """
    if facts.settings["tls_cert"] is not None:
        raise DeploymentError(
            "Behind nginx, which ends TLS, the server needs none. Leave out 'tls-cert' and"
            " 'tls-key'."
        )
    if facts.settings["http"] == "2":
        raise DeploymentError(
            "nginx speaks HTTP/1.1 to the servers behind it. Leave out 'http 2'; browsers get"
            " HTTP/2 from nginx."
        )
    if facts.socket:
        refuse(facts.socket, ":$ ;{}\"'\\", "The socket's path", "nginx's configuration")
    return render(
        "nginx.conf",
        facts=facts,
        variable=re.sub("[^a-z0-9]", "_", facts.name),
        host_names=facts.hosts or ["_"],
        static=_servable(facts.static),
    )


def _servable(files: StaticFiles | None) -> StaticFiles | None:
    """Return the static files, unless nginx would read something else into their place."""
    if files is None:
        return None
    words = (files.url_path, files.folder, *files.headers.values())
    return None if any("$" in word for word in words) or not files.url_path else files
