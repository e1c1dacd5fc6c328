"""Multipart forms (RFC 7578), taken apart while they are read."""

from __future__ import annotations

import re
import typing as t
from io import BytesIO
from tempfile import SpooledTemporaryFile

from werkzeug.datastructures import FileStorage, Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header

if t.TYPE_CHECKING:
    from collections.abc import Callable

    StreamFactory: t.TypeAlias = Callable[..., t.IO[bytes]]
    FileOpener: t.TypeAlias = Callable[[str, str, str | None], t.IO[bytes] | None]

# PERF: twice as much gains nothing; half as much costs 4% of an upload of 1 MiB.
_CHUNK = 256 * 1024
_MAX_HEADERS = 16 * 1024
# How much white space may follow a boundary in its line. None is sent; RFC 2046 allows it.
_MAX_PADDING = 128

# Lines end with CRLF; a lone CR or LF is taken for one too, since some clients send them.
_BREAK = rb"(?:\r\n|\n|\r)"
_AFTER_MARK = re.compile(rb"--|[ \t\v\f]{0,%d}%s" % (_MAX_PADDING, _BREAK))
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r\n?")
_CONTINUATION = re.compile(_BREAK + rb"[ \t]")
# PERF: what browsers send, without escapes; all else is left to the parser for all headers.
_PLAIN_FIELD = re.compile(rb'Content-Disposition: form-data; name="([^"\\%\r\n]*)"')
_DISPOSITION = re.compile(r'form-data; name="([^"\\%]*)"(?:; filename="([^"\\%]*)")?')
_LENGTH = re.compile(r"[0-9]{1,18}")
# PERF: streams that take a part of a chunk without its being copied first.
_TAKES_VIEWS = frozenset({SpooledTemporaryFile, BytesIO})
# Whatever bytes come, these can decode them.
_CHARSETS = frozenset({"ascii", "us-ascii", "utf-8", "iso-8859-1"})


class Multipart:
    """A multipart form that is being read.

    Reading takes time in proportion to the form's length, whatever is in it. In memory are at
    most a chunk, the fields within their limits, and what the streams for files keep there.

    :param stream: the body of the request.
    :param boundary: what stands between the parts.
    :param stream_factory: opens what a file is written to; called with ``total_content_length``,
        ``filename``, ``content_type`` and ``content_length``.
    :param content_length: the length of the body, if it is known.
    :param max_field_size: how many bytes a field that is no file may have.
    :param max_parts: how many fields and files there may be.
    :param file_opener: asked first what a file is written to, with the names of its field and of
        the file and its content type; where it returns ``None``, *stream_factory* decides.
    """

    def __init__(
        self,
        stream: t.IO[bytes],
        boundary: bytes,
        stream_factory: StreamFactory,
        content_length: int | None = None,
        max_field_size: int | None = None,
        max_parts: int | None = None,
        file_opener: FileOpener | None = None,
    ) -> None:
        self.fields: list[tuple[str, str]] = []
        self.files: list[tuple[str, FileStorage]] = []
        self._stream = stream
        self._stream_factory = stream_factory
        self._content_length = content_length
        self._max_field_size = max_field_size
        self._max_parts = max_parts
        self._file_opener = file_opener

        self._mark = b"--" + boundary
        # A delimiter that begins before the last so many bytes has its end among them.
        self._longest = len(self._mark) + _MAX_PADDING + 4
        # What was read and not yet used is the buffer from this position on.
        self._buffer = b""
        self._position = 0

    def read(self) -> None:
        """Read the form to its end, into :attr:`fields` and :attr:`files`.

        :raises ValueError: where it is malformed, or ends early.
        :raises werkzeug.exceptions.RequestEntityTooLarge: (413) where it is over a limit.
        """
        try:
            is_last = self._copy_part(0, None)
            while not is_last:
                is_last = self._read_part()
            while self._stream.read(_CHUNK):
                # What follows the last boundary means nothing.
                pass
        except BaseException:
            for _, file in self.files:
                file.close()
            raise

    def _read_part(self) -> bool:
        """Read one part and the delimiter after it; return whether it was the last."""
        block, break_length = self._read_headers()
        if self._max_parts is not None and len(self.fields) + len(self.files) >= self._max_parts:
            raise RequestEntityTooLarge()
        plain = _PLAIN_FIELD.fullmatch(block)
        if plain is not None:
            return self._read_field(plain[1].decode(), "utf-8", break_length)
        headers = _parse_headers(block)
        disposition = _find(headers, "content-disposition")
        if disposition is None:
            raise ValueError("A part of the form has no header Content-Disposition.")
        match = _DISPOSITION.fullmatch(disposition)
        if match is not None:
            name, filename = match.groups()
        else:
            options = parse_options_header(disposition)[1]
            # Without a name it is still there for those who look at all fields.
            name, filename = t.cast(str, options.get("name")), options.get("filename")
        if filename is None:
            return self._read_field(name, _charset(headers), break_length)
        return self._read_file(name, filename, headers, break_length)

    def _read_field(self, name: str, charset: str, break_length: int) -> bool:
        pieces: list[bytes] = []
        left = self._max_field_size

        def keep(piece: memoryview) -> None:
            nonlocal left
            if left is not None:
                left -= len(piece)
                if left < 0:
                    raise RequestEntityTooLarge()
            pieces.append(bytes(piece))

        is_last = self._copy_part(break_length, keep)
        value = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.fields.append((name, value.decode(charset, "replace")))
        return is_last

    def _read_file(
        self, name: str, filename: str, headers: list[tuple[str, str]], break_length: int
    ) -> bool:
        container = self._open_file(name, filename, headers)
        self.files.append((name, FileStorage(container, filename, name, headers=Headers(headers))))
        write: Callable[[t.Any], t.Any] = container.write
        if type(container) not in _TAKES_VIEWS:
            # It may be anything that has the method, and expect bytes.
            write = _bytes_for(write)
        is_last = self._copy_part(break_length, write)
        container.seek(0)
        return is_last

    def _open_file(self, name: str, filename: str, headers: list[tuple[str, str]]) -> t.IO[bytes]:
        """Return what a file is written to."""
        content_type = _find(headers, "content-type")
        if self._file_opener is not None:
            opened = self._file_opener(name, filename, content_type)
            if opened is not None:
                return opened
        length = _find(headers, "content-length") or ""
        return self._stream_factory(
            total_content_length=self._content_length,
            filename=filename,
            content_type=content_type,
            content_length=int(length) if _LENGTH.fullmatch(length) else 0,
        )

    def _read_headers(self) -> tuple[bytes, int]:
        """Return the headers of a part, up to the break that ends the blank line after them.

        That break stays unread, since a boundary may follow it at once; its length is returned.
        """
        searched = self._position
        while True:
            match = _BLANK_LINE.search(self._buffer, searched)
            # The second of two CRs may be half of a CRLF, of which the rest is to come.
            if match is not None and (match.end() < len(self._buffer) or match[0] != b"\r\r"):
                break
            length = len(self._buffer) - self._position
            if length > _MAX_HEADERS:
                raise RequestEntityTooLarge()
            self._read_more()
            searched = max(0, length - 3)
        block = self._buffer[self._position : match.start()]
        if len(block) > _MAX_HEADERS:
            raise RequestEntityTooLarge()
        self._position = match.start() + (2 if match[0] == b"\r\n\r\n" else 1)
        return block, match.end() - self._position

    def _copy_part(self, break_length: int, write: Callable[[memoryview], t.Any] | None) -> bool:
        """Write what stands before the next delimiter; return whether that was the last.

        :param break_length: how many bytes to leave out, since they end the headers.
        :param write: takes the pieces; ``None`` for what stands before the first delimiter.
        """
        skipped = break_length
        while True:
            buffer = self._buffer
            found = self._find_delimiter(is_first=write is None)
            # The line break after a delimiter may have been cut in two.
            if found is not None and (found[1] < len(buffer) or buffer[-1:] != b"\r"):
                start, end, is_last = found
                if write is not None:
                    write(memoryview(buffer)[self._position + skipped : start])
                self._position = end
                return is_last
            kept = len(buffer) - self._longest
            if kept > self._position + skipped:
                if write is not None:
                    write(memoryview(buffer)[self._position + skipped : kept])
                self._position = kept
                skipped = 0
            self._read_more()

    def _find_delimiter(self, is_first: bool) -> tuple[int, int, bool] | None:
        """Return where the next delimiter in the buffer starts and ends, and if it is the last.

        It starts with the line break before it, which the first one need not have.
        """
        buffer, position = self._buffer, self._position
        hit = buffer.find(self._mark, position)
        if hit < 0:
            return None
        start = hit if is_first else _start_of_break(buffer, position, hit)
        match = _AFTER_MARK.match(buffer, hit + len(self._mark))
        if match is not None and start is not None:
            return start, match.end(), match[0] == b"--"
        # PERF: it only looks like one. From here on, a regular expression tells; it costs the same
        # for each byte, whatever they are, but is made anew for each form.
        before = b"" if is_first else _BREAK
        pattern = before + re.escape(self._mark) + b"(?:" + _AFTER_MARK.pattern + b")"
        match = re.compile(pattern).search(buffer, max(position, hit - 2))
        return None if match is None else (match.start(), match.end(), match[0].endswith(b"--"))

    def _read_more(self) -> None:
        """Drop what was used of the buffer and add a chunk to it."""
        chunk = self._stream.read(_CHUNK)
        if not chunk:
            raise ValueError("The form ends before its last boundary.")
        self._buffer = self._buffer[self._position :] + chunk
        self._position = 0


def _start_of_break(buffer: bytes, position: int, end: int) -> int | None:
    """Return where the line break starts that ends at *end*, but not before *position*."""
    if buffer.startswith(b"\r\n", max(position, end - 2), end):
        return end - 2
    is_break = end > position and buffer[end - 1] in b"\r\n"
    return end - 1 if is_break else None


def _parse_headers(block: bytes) -> list[tuple[str, str]]:
    headers = []
    for line in _CONTINUATION.sub(b" ", block).splitlines():
        name, _, value = line.strip(b" \t").decode().partition(":")
        if name or value:
            headers.append((name.strip(" \t"), value.strip(" \t")))
    return headers


def _bytes_for(write: Callable[[bytes], t.Any]) -> Callable[[memoryview], t.Any]:
    return lambda piece: write(bytes(piece))


def _find(headers: list[tuple[str, str]], wanted: str) -> str | None:
    """Return the first header of a name, which is given in lower case."""
    for name, value in headers:
        if name.lower() == wanted:
            return value
    return None


def _charset(headers: list[tuple[str, str]]) -> str:
    """Return the encoding of a field."""
    options = parse_options_header(_find(headers, "content-type"))[1]
    charset = options.get("charset", "").lower()
    return charset if charset in _CHARSETS else "utf-8"
