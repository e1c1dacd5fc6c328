"""A file for Docker Compose."""

from __future__ import annotations

import typing as t
import zlib

from .dockerfile import check_container
from .rendering import render

if t.TYPE_CHECKING:
    from .facts import Facts


def write_compose(facts: Facts) -> str:
    """Return a Compose file that builds the image and runs it, with migrations before it.

    :param facts: the facts.
    :raises DeploymentError: for what cannot be in an image.
    """
    check_container(facts)
    return render(
        "compose.yaml",
        facts=facts,
        network=_network(facts.name),
        names_proxies=bool(facts.settings["forwarded_allow_ips"]),
        upgrade=["erlen", *facts.command("db", "upgrade")],
        data=None if facts.data is None else facts.data.relative_to(facts.folder).as_posix(),
    )


def _network(name: str) -> str:
    """Return the first three numbers of a private network for an application of some name.

    It has one of its own, so that the proxy on this machine has an address that can be named.
    Docker takes the first networks of 172.16.0.0/12 for itself.
    """
    number = zlib.crc32(name.encode())
    return f"172.{24 + number % 8}.{number // 8 % 256}"
