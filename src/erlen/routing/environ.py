"""What a URL adapter takes from a WSGI environment, piece by piece."""

from __future__ import annotations

import typing as t

from werkzeug.exceptions import BadHost

if t.TYPE_CHECKING:
    from collections.abc import Mapping

Environ: t.TypeAlias = "Mapping[str, t.Any]"

#: What stands for the subdomain where the host of the request is not below the server's name.
INVALID_SUBDOMAIN = "<invalid>"


def decode(value: str) -> str:
    """Return a string of a WSGI environment as the text that was sent.

    :param value: bytes in the guise of latin-1, as :pep:`3333` has them. Those that are not UTF-8
        become replacement characters.
    """
    return value if value.isascii() else value.encode("latin1", "replace").decode(errors="replace")


def url_scheme(environ: Environ) -> str:
    """Return the scheme of the request, ``ws`` or ``wss`` if it asks for a WebSocket."""
    scheme: str = environ["wsgi.url_scheme"]
    if environ.get("HTTP_UPGRADE", "").lower() != "websocket":
        return scheme
    options = environ.get("HTTP_CONNECTION", "").lower().split(",")
    if not any(option.strip(" \t") == "upgrade" for option in options):
        return scheme
    return "wss" if scheme == "https" else "ws"


def strip_port(server_name: str, scheme: str) -> str:
    """Return a configured server name in lower case, without the usual port of the scheme."""
    server_name = server_name.lower()
    port = ":80" if scheme in {"http", "ws"} else ":443"
    return server_name.removesuffix(port)


def find_subdomain(host: str, server_name: str) -> str | None:
    """Return what the host has in front of the server's name, or ``None`` if it is another.

    :param host: the host of the request.
    :param server_name: the name of the server.
    """
    if host == server_name:
        return ""
    labels = host.split(".")
    count = len(server_name.split("."))
    if labels[-count:] != server_name.split("."):
        return None
    return ".".join(filter(None, labels[:-count]))


def encode_host(server_name: str) -> str:
    """Return a host, with or without a port, as it stands in URLs: lower case and IDNA.

    :param server_name: the host.
    :raises werkzeug.exceptions.BadHost: if a part of it is too long or empty.
    """
    server_name = server_name.lower()
    # PERF: IDNA leaves ASCII alone, and checks only the length of its labels.
    if len(server_name) < 64 and server_name.isascii() and ".." not in f".{server_name}":
        return server_name
    host, colon, port = server_name.partition(":")
    try:
        return f"{host.encode('idna').decode('ascii')}{colon}{port}"
    except UnicodeError as error:
        raise BadHost() from error
