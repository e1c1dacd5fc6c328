"""Sending files: what a response says about a file, and how its bytes get there."""

from __future__ import annotations

import io
import mimetypes
import os
import re
import stat
import time
import typing as t
import unicodedata
from functools import lru_cache
from urllib.parse import quote
from zlib import adler32

from werkzeug.exceptions import NotFound, RequestedRangeNotSatisfiable
from werkzeug.http import (
    http_date,
    is_resource_modified,
    parse_etags,
    parse_range_header,
    quote_etag,
    quote_header_value,
)
from werkzeug.security import safe_join
from werkzeug.utils import send_file as _send_with_werkzeug
from werkzeug.wsgi import FileWrapper

from .headers import without_bad_dates
from .wrappers import Response

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from _typeshed.wsgi import WSGIEnvironment

MaxAge: t.TypeAlias = "int | Callable[[str | None], int | None] | None"
Headers: t.TypeAlias = "list[tuple[str, str]]"

# Files up to this size are read at once; of larger ones, this much at a time.
_CHUNK = 64 * 1024
_BINARY = os.O_RDONLY | getattr(os, "O_BINARY", 0)
# Names that joining leaves as they are: no empty, dotted or odd part that could lead elsewhere.
_SIMPLE_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
_WINDOWS = os.name == "nt"


def send_file(
    path_or_file: os.PathLike[t.AnyStr] | str | t.IO[bytes],
    environ: WSGIEnvironment,
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
    conditional: bool = True,
    etag: bool | str = True,
    last_modified: datetime | int | float | None = None,
    max_age: MaxAge = None,
    use_x_sendfile: bool = False,
    response_class: type[Response] = Response,
    _root_path: str | None = None,
) -> Response:
    """Return a response with the contents of a file; the path must be trusted.

    :param path_or_file: a path, or a file opened in binary mode, at the position to start from.
    :param environ: the WSGI environment of the request.
    :param mimetype: the media type; by default guessed from the name.
    :param as_attachment: tell browsers to save the file instead of showing it.
    :param download_name: the name that browsers save it under.
    :param conditional: answer conditional and range requests.
    :param etag: whether to make an ETag, or the ETag itself.
    :param last_modified: when the file was changed; by default its own time.
    :param max_age: for how many seconds clients may keep the file, or a function that tells by
        the path.
    :param use_x_sendfile: let the server send the file, by the header ``X-Sendfile``.
    :param response_class: the class of the response.
    :param _root_path: the directory that a relative path is below.
    :raises TypeError: where neither *mimetype* nor a name to guess it from is known.
    :raises ValueError: for a file opened in text mode.
    :raises werkzeug.exceptions.RequestedRangeNotSatisfiable: (416) for a range outside the file.
    """
    if isinstance(path_or_file, str) or hasattr(path_or_file, "__fspath__"):
        path = t.cast(str, path_or_file)
        path = os.path.abspath(path) if _root_path is None else os.path.join(_root_path, path)
        status = os.stat(path)
        source = Source(path, status.st_size, status.st_mtime)
    else:
        source = Source.of_file(t.cast(t.Any, path_or_file))
    return _send(
        source,
        environ,
        mimetype=mimetype,
        as_attachment=as_attachment,
        download_name=download_name,
        conditional=conditional,
        etag=etag,
        last_modified=last_modified,
        max_age=max_age,
        use_x_sendfile=use_x_sendfile,
        response_class=response_class,
    )


def send_from_directory(
    directory: os.PathLike[str] | str,
    path: os.PathLike[str] | str,
    environ: WSGIEnvironment,
    _root_path: str | None = None,
    **kwargs: t.Any,
) -> Response:
    """Return a response with a file from within a directory.

    :param directory: the directory, which must be trusted.
    :param path: the path of the file below it, as a client may have sent it.
    :param environ: the WSGI environment of the request.
    :param _root_path: the directory that a relative *directory* is below.
    :param kwargs: further arguments of :func:`send_file`.
    :raises werkzeug.exceptions.NotFound: (404) where the path leads out of the directory, or there
        is no such file.
    """
    joined = _join(os.fspath(directory), os.fspath(path))
    if joined is None:
        raise NotFound()
    if _root_path is not None:
        joined = os.path.join(_root_path, joined)
    try:
        status = os.stat(joined)
    except (OSError, ValueError):
        # A ValueError means NUL, or text that no name of this file system can have.
        raise NotFound() from None
    if not stat.S_ISREG(status.st_mode):
        raise NotFound()
    return _send(Source(joined, status.st_size, status.st_mtime), environ, **kwargs)


class Source:
    """What is sent: a file on disk, which is opened when it is needed, or one that is open.

    :param path: the path of a file on disk, or ``None``.
    :param size: how many bytes it has, where that is known.
    :param mtime: when it was changed, in seconds.
    """

    __slots__ = ("file", "mtime", "origin", "path", "size")

    def __init__(self, path: str | None, size: int | None, mtime: float = 0.0) -> None:
        self.path = path
        self.size = size
        self.mtime = mtime
        self.file: t.IO[bytes] | None = None
        self.origin = 0

    @classmethod
    def of_file(cls, file: t.IO[bytes]) -> Source:
        """Return an open file as a source, from its position on."""
        source = cls(None, None)
        source.file = file
        if isinstance(file, io.BytesIO):
            source.origin = file.tell()
            source.size = max(0, file.getbuffer().nbytes - source.origin)
        return source

    def validators(self) -> tuple[str | None, str | None]:
        """Return the ETag and the time of the last change, where they are known."""
        path, size = self.path, self.size
        if path is None or size is None:
            return None, None
        return _validators(path, self.mtime, size)

    def close(self) -> None:
        """Close the file, if one was given."""
        if self.file is not None:
            self.file.close()

    def body(self, environ: WSGIEnvironment, section: tuple[int, int] | None) -> Iterable[bytes]:
        """Return the content, or a section of it, as the body of a response."""
        if self.file is None:
            path: str = self.path  # type: ignore[assignment]
            start, stop = section or (0, self.size or 0)
            if stop - start <= _CHUNK:
                # PERF: as quick as opening a file object alone, and nothing is left to close.
                return [_read(path, start, stop - start)]
            self.file = open(path, "rb")  # noqa: SIM115 -- the response closes it
        elif _is_text(self.file):
            raise ValueError("Files must be opened in binary mode; for text use BytesIO.")
        if section is not None:
            self.file.seek(self.origin + section[0])
            return Section(self.file, section[1] - section[0])
        wrap: Callable[[t.IO[bytes], int], Iterable[bytes]]
        wrap = environ.get("wsgi.file_wrapper", FileWrapper)
        return wrap(self.file, _CHUNK)


class Section:
    """The next bytes of a file as the body of a response.

    :param file: the file, at the position to start from.
    :param length: how many bytes to give.
    """

    def __init__(self, file: t.IO[bytes], length: int) -> None:
        self._file = file
        self._left = length

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data = self._file.read(min(self._left, _CHUNK))
        if not data:
            raise StopIteration
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _send(
    source: Source,
    environ: WSGIEnvironment,
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
    conditional: bool = True,
    etag: bool | str = True,
    last_modified: datetime | int | float | None = None,
    max_age: MaxAge = None,
    use_x_sendfile: bool = False,
    response_class: type[Response] = Response,
) -> Response:
    path = source.path
    kind: t.Any = response_class
    if not _builds_plainly(kind):
        given: t.Any = source.file if path is None else path
        return t.cast(
            Response,
            _send_with_werkzeug(
                given,
                environ,
                mimetype=mimetype,
                as_attachment=as_attachment,
                download_name=download_name,
                conditional=conditional,
                etag=etag,
                last_modified=last_modified,
                max_age=max_age,
                use_x_sendfile=use_x_sendfile,
                response_class=response_class,
            ),
        )

    if download_name is None and path is not None:
        download_name = os.path.basename(path)
    headers: Headers = []
    mimetype = _add_kind(headers, mimetype, download_name, as_attachment)
    tag, modified = source.validators()
    if last_modified is not None:
        modified = http_date(last_modified)
    if modified is not None:
        headers.append(("Last-Modified", modified))
    _add_cache_control(headers, max_age(path) if callable(max_age) else max_age)
    if etag is not True:
        tag = quote_etag(etag) if isinstance(etag, str) else None
    if tag is not None:
        headers.append(("ETag", tag))

    status, section = 200, None
    if conditional and environ["REQUEST_METHOD"] in _READING:
        headers.append(("Date", _date(int(time.time()))))
        headers.append(("Accept-Ranges", "bytes"))
        conditions = without_bad_dates(environ)
        section = _section(source, conditions, tag, modified)
        status = 206 if section is not None else _condition(conditions, tag, modified)

    body: Iterable[bytes] | None = None
    if use_x_sendfile and path is not None:
        # Some servers send the file whatever the status is.
        if status != 304:
            headers.append(("X-Sendfile", path))
    elif status != 304 or path is None:
        body = source.body(environ, section)
    _add_length(headers, source, section, body)
    response = response_class(body, mimetype=mimetype, direct_passthrough=True)
    if status != 200:
        response.status_code = status
    response._header_list += headers
    return response


_READING = frozenset({"GET", "HEAD"})

# What decides how a response about a file looks. Werkzeug's function asks a class that has its
# own; here all is put together at once.
_BUILDING = (
    "__init__",
    "_is_range_request_processable",
    "_process_range_request",
    "_wrap_range_response",
    "accept_ranges",
    "cache_control",
    "content_length",
    "content_range",
    "expires",
    "headers",
    "last_modified",
    "make_conditional",
    "set_etag",
    "status",
    "status_code",
)


@lru_cache(maxsize=32)
def _builds_plainly(response_class: type[t.Any]) -> bool:
    """Return whether a class of responses leaves alone all that concerns files."""
    return issubclass(response_class, Response) and all(
        getattr(response_class, name) is getattr(Response, name) for name in _BUILDING
    )


def _add_kind(headers: Headers, mimetype: str | None, name: str | None, as_attachment: bool) -> str:
    """Add what headers tell by the name of a file, and return its media type."""
    if mimetype is None:
        mimetype, encoding = _guess_type(name)
        # A browser that saves a file would unpack it too, against what its name says.
        if encoding is not None and not as_attachment:
            headers.append(("Content-Encoding", encoding))
    if name is not None:
        headers.append(("Content-Disposition", _disposition(name, as_attachment)))
    elif as_attachment:
        raise TypeError(
            "There is no name for the attachment. Pass 'download_name', or a path instead of a"
            " file."
        )
    return mimetype


def _add_length(
    headers: Headers,
    source: Source,
    section: tuple[int, int] | None,
    body: Iterable[bytes] | None,
) -> None:
    length = source.size
    if section is not None:
        start, stop = section
        length = stop - start
        headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{source.size}"))
    if type(body) is list:
        # What was read counts, should the file have shrunk since it was looked at.
        length = len(body[0])
    if length is not None:
        headers.append(("Content-Length", str(length)))


def _is_text(file: object) -> bool:
    return isinstance(file, io.TextIOBase)


def _join(directory: str, path: str) -> str | None:
    """Return a path below a directory, or ``None`` where it would lead out of it."""
    if directory and not _WINDOWS and _SIMPLE_PATH.fullmatch(path):
        return f"{directory}{path}" if directory.endswith("/") else f"{directory}/{path}"
    return safe_join(directory, path)


def _read(path: str, start: int, length: int) -> bytes:
    """Return a part of a file, or less where the file ends before."""
    descriptor = os.open(path, _BINARY)
    try:
        if start:
            os.lseek(descriptor, start, os.SEEK_SET)
        data = os.read(descriptor, length)
        while len(data) < length:
            more = os.read(descriptor, length - len(data))
            if not more:
                break
            data += more
        return data
    finally:
        os.close(descriptor)


def _guess_type(name: str | None) -> tuple[str, str | None]:
    """Return the media type and the encoding that a file's name tells of."""
    if name is None:
        raise TypeError(
            "Without a file name there is nothing to detect the MIME type from. Pass"
            " 'download_name' or 'mimetype', or a path instead of a file."
        )
    if not mimetypes.inited:
        mimetypes.init()
    # PERF: the standard library's function takes the name apart as a URL first.
    extension = os.path.splitext(name)[1]
    mimetype = mimetypes.types_map.get(extension)
    if (
        mimetype is None
        or ":" in name
        or extension in mimetypes.encodings_map
        or extension in mimetypes.suffix_map
    ):
        mimetype, encoding = mimetypes.guess_type(name)
        return mimetype or "application/octet-stream", encoding
    return mimetype, None


@lru_cache(maxsize=1024)
def _disposition(name: str, as_attachment: bool) -> str:
    """Return the header ``Content-Disposition`` for a name.

    RFC 6266 and RFC 8187: beyond ASCII, the name stands there encoded, next to what ASCII can say
    of it. So do names with control characters, which no header may contain.
    """
    kind = "attachment" if as_attachment else "inline"
    if name.isascii() and name.isprintable():
        return f"{kind}; filename={quote_header_value(name)}"
    simple = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    simple = "".join(filter(str.isprintable, simple))
    full = quote(name, safe="!#$&+-.^_`|~", errors="replace")
    return f"{kind}; filename={quote_header_value(simple)}; filename*=UTF-8''{full}"


@lru_cache(maxsize=1024)
def _date(seconds: int) -> str:
    return http_date(seconds)


@lru_cache(maxsize=1024)
def _validators(path: str, mtime: float, size: int) -> tuple[str, str]:
    """Return ETag and time of change for a file on disk."""
    tag = f'"{mtime}-{size}-{adler32(path.encode(errors="surrogateescape"))}"'
    return tag, _date(int(mtime // 1))


def _add_cache_control(headers: Headers, max_age: int | None) -> None:
    if max_age is None:
        headers.append(("Cache-Control", "no-cache"))
        return
    kind = "public" if max_age > 0 else "no-cache"
    headers.append(("Cache-Control", f"{kind}, max-age={max_age}"))
    headers.append(("Expires", _date(int(time.time() + max_age))))


def _section(
    source: Source, environ: WSGIEnvironment, tag: str | None, modified: str | None
) -> tuple[int, int] | None:
    """Return start and end of the range that was asked for; ``None`` means the whole file."""
    size = source.size
    if "HTTP_RANGE" not in environ or not size:
        return None
    if "HTTP_IF_RANGE" in environ and is_resource_modified(
        environ, tag, last_modified=modified, ignore_if_range=False
    ):
        return None
    ranges = parse_range_header(environ["HTTP_RANGE"])
    section = None if ranges is None else ranges.range_for_length(size)
    if section is None:
        source.close()
        raise RequestedRangeNotSatisfiable(size)
    return section


def _condition(environ: WSGIEnvironment, tag: str | None, modified: str | None) -> int:
    """Return the status by the conditions of the request: 200, 304 or 412."""
    if "HTTP_IF_MATCH" not in environ:
        known = environ.get("HTTP_IF_NONE_MATCH")
        if known is None and "HTTP_IF_MODIFIED_SINCE" not in environ:
            return 200
        if known is not None and known == tag and tag != '""':
            # PERF: what browsers ask with; anything else is taken apart.
            return 304
    if is_resource_modified(environ, tag, last_modified=modified):
        return 200
    return 412 if parse_etags(environ.get("HTTP_IF_MATCH")) else 304
