"""The WSGI environment of a request that came in by another protocol."""

from __future__ import annotations

import typing as t
from contextvars import ContextVar

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import WSGIEnvironment

# How many bytes of a file are read at once.
_BLOCK = 256 * 1024
# How many names of headers are remembered, which clients choose, and how many servers.
_MAX_KNOWN = 1024
_WITHOUT_PREFIX = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


class FileParts:
    """A file as the parts of a body: the ``wsgi.file_wrapper``.

    :param file: the file, read from where it stands.
    :param size: how many bytes a part has.
    """

    def __init__(self, file: t.IO[bytes], size: int = _BLOCK) -> None:
        self.file = file
        self._size = max(size, _BLOCK)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        part = self.file.read(self._size)
        if part:
            return part
        raise StopIteration

    def close(self) -> None:
        """Close the file."""
        close = getattr(self.file, "close", None)
        if close is not None:
            close()


#: What test clients add to the environments of their requests, such as what asks for contexts to
#: be kept.
added_environ: ContextVar[WSGIEnvironment | None] = ContextVar("erlen.added_environ", default=None)

PROTOCOLS = {"1.1": "HTTP/1.1", "1.0": "HTTP/1.0", "2": "HTTP/2", "2.0": "HTTP/2", "3": "HTTP/3"}


# What environments have in common, by what tells them apart; bounded.
_TEMPLATES: dict[tuple[t.Any, ...], WSGIEnvironment] = {}
# The keys that headers have in an environment, by the names as they come; bounded.
KEYS: dict[bytes | str, str] = {}


def new_environ(http_version: str, scheme: str, server: t.Any) -> WSGIEnvironment:
    """Return an environment of a server, to which the rest of the request is to be added.

    :param http_version: the version of HTTP, as ASGI and RSGI have it.
    :param scheme: the scheme of the URL.
    :param server: the server's address and port, as ASGI has them, or as one text.
    """
    # PERF: to copy a dictionary takes a third of the time that it takes to make one.
    try:
        return _TEMPLATES[http_version, scheme, server].copy()
    except KeyError:
        pass
    except TypeError:
        # Some servers have a list there.
        return new_environ(http_version, scheme, tuple(server))
    name: str
    port: int | str | None
    if isinstance(server, str):
        name, _, port = server.rpartition(":")
        name = name or server
    else:
        name, port = server or ("localhost", None)
    if len(_TEMPLATES) >= _MAX_KNOWN:
        _TEMPLATES.clear()
    template = _TEMPLATES[http_version, scheme, server] = {
        "SCRIPT_NAME": "",
        "SERVER_NAME": name,
        "SERVER_PORT": str(port or ""),
        "SERVER_PROTOCOL": PROTOCOLS.get(http_version, "HTTP/1.1"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileParts,
    }
    return template.copy()


def add_headers(environ: WSGIEnvironment, headers: t.Iterable[tuple[bytes | str, str]]) -> None:
    """Put the headers of a request into its environment, whatever they are.

    Repeated ones are joined (RFC 9110, section 5.3); those whose name has an underscore are left
    out: they would overwrite the header that is spelled with a dash, which a proxy in front may
    have checked or set.

    :param environ: the environment, which may have some of them.
    :param headers: pairs of name, in lower case, and value.
    """
    for key in [*filter(_is_of_header, environ)]:
        del environ[key]
    for name, value in headers:
        key = KEYS.get(name) or _make_key(name)
        if not key:
            continue
        if key in environ:
            value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
        environ[key] = value


def _is_of_header(key: str) -> bool:
    return key.startswith("HTTP_") or key in _WITHOUT_PREFIX


def _make_key(name: bytes | str) -> str:
    """Return the key of a header, and remember it; ``""`` for one to leave out."""
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    if "_" in text:
        return ""
    key = text.upper().replace("-", "_")
    if key not in _WITHOUT_PREFIX:
        key = f"HTTP_{key}"
    if len(KEYS) >= _MAX_KNOWN:
        KEYS.clear()
    KEYS[name] = key
    return key


def encode_path(path: str) -> str:
    """Return a decoded path in the form of ``PATH_INFO``: each byte of UTF-8 a character."""
    return path if path.isascii() else path.encode("utf-8", "surrogatepass").decode("latin-1")


def split_root(environ: WSGIEnvironment, root: str) -> None:
    """Take the prefix that an application is mounted under off an environment's path.

    :param environ: the environment.
    :param root: the prefix, which older servers leave out of the path.
    """
    root = encode_path(root.rstrip("/"))
    path = environ["PATH_INFO"]
    environ["SCRIPT_NAME"] = root
    if path == root or path.startswith(f"{root}/"):
        environ["PATH_INFO"] = path[len(root) :]


def is_ambiguous(environ: WSGIEnvironment) -> bool:
    """Return whether a request with a transfer coding leaves open where it ends, or in what form
    its body is (RFC 9112, sections 6.1 and 6.3).

    Servers take all that ends in ``chunked``, such as ``identity, chunked``, which a proxy in front
    may have read in another way; and none of them undoes another coding.

    :param environ: its environment.
    """
    coding: str = environ["HTTP_TRANSFER_ENCODING"]
    return coding.strip(" \t").lower() != "chunked" or "CONTENT_LENGTH" in environ
