"""The WSGI environment of a request that came in by another protocol."""

from __future__ import annotations

import sys
import typing as t
from contextvars import ContextVar

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import WSGIEnvironment

# How many bytes of a file are read at once.
_BLOCK = 256 * 1024
# How many names of headers are remembered; clients choose them.
_MAX_KNOWN = 1024


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


# The keys that headers have in an environment, by the names as they come; bounded.
_KEYS: dict[bytes | str, str] = {}
_key_of = _KEYS.__getitem__


def add_headers(environ: WSGIEnvironment, names: t.Sequence[t.Any], values: str) -> None:
    """Put headers into an environment.

    Repeated ones are joined (RFC 9110, section 5.3); those whose name has an underscore are left
    out: they would overwrite the header that is spelled with a dash, which a proxy in front may
    have checked or set.

    :param environ: the environment.
    :param names: the names, in lower case.
    :param values: the values, with line feeds between them, which no value can have.
    """
    texts = values.split("\n")
    if len(texts) != len(names):
        raise ValueError("A header of the request has a line feed in its value.")
    # PERF: as a rule no name is new or comes twice; then all headers can go in at once, and none
    # takes a step in Python.
    try:
        found = dict(zip(map(_key_of, names), texts, strict=True))
    except KeyError:
        found = {}
    if len(found) == len(names) and "" not in found:
        environ.update(found)
        return
    for name, value in zip(names, texts, strict=True):
        key = _make_key(name)
        if key in environ:
            value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
        if key:
            environ[key] = value


def _make_key(name: bytes | str) -> str:
    """Return the key of a header, ``""`` for one to leave out, and remember it."""
    key = _KEYS.get(name)
    if key is None:
        if len(_KEYS) >= _MAX_KNOWN:
            _KEYS.clear()
        text = name.decode("latin-1") if isinstance(name, bytes) else name
        key = text.upper().replace("-", "_")
        if "_" in text:
            key = ""
        elif key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        _KEYS[name] = key
    return key


def base_environ(
    method: str, path: str, query: str, http_version: str, scheme: str
) -> WSGIEnvironment:
    """Return an environment without headers and addresses.

    :param method: the method.
    :param path: the decoded path.
    :param query: the query string.
    :param http_version: the version of HTTP, as ASGI and RSGI have it.
    :param scheme: the scheme of the URL.
    """
    # PERF: one dictionary with known keys is made at once.
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path if path.isascii() else encode_path(path),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": PROTOCOLS.get(http_version, "HTTP/1.1"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileParts,
    }


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
