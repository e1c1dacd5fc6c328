"""The stream of a request's body: counted, limited, and never cut short without an error."""

from __future__ import annotations

import io
import typing as t

from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    HTTPException,
    LengthRequired,
    RequestEntityTooLarge,
)

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_CHUNK = 64 * 1024
# Bodies up to this size, in bytes, are read when their stream is made.
_SMALL = 64 * 1024
# Longer numbers than this are no sizes of anything.
_MAX_LENGTH_DIGITS = 18
# Shorter ones are never too long for anything.
_USUAL_DIGITS = 10


def open_body(environ: WSGIEnvironment, limit: int | None) -> t.IO[bytes]:
    """Return the body of a request as a stream that can be read without harm.

    :param environ: the WSGI environment.
    :param limit: how many bytes the body may have; ``None`` for any number.
    :returns: a stream that ends where the body ends.
    :raises BadRequest: where the headers do not say clearly how long the body is.
    :raises LengthRequired: (411) where a chunked body comes over a server that cannot read one.
    :raises RequestEntityTooLarge: where the announced length is over the limit.
    """
    body = start_body(environ, limit)
    return io.BytesIO(body) if type(body) is bytes else t.cast("t.IO[bytes]", body)


def start_body(environ: WSGIEnvironment, limit: int | None) -> bytes | BodyStream:
    """Return the body of a request: all of it where it is small, else a stream.

    It takes what :func:`open_body` takes, and raises the same.
    """
    text: str | None = environ.get("CONTENT_LENGTH")
    if (
        text is not None
        and len(text) < _USUAL_DIGITS
        and text.isdecimal()
        and text.isascii()
        and "HTTP_TRANSFER_ENCODING" not in environ
    ):
        # PERF: what nearly all bodies have, without a call.
        length: int | None = int(text)
    else:
        length = announced_length(environ)
    if length is None and not environ.get("wsgi.input_terminated"):
        if environ.get("HTTP_TRANSFER_ENCODING"):
            # The body is there, but it would look empty.
            raise LengthRequired()
        # Without a length, only the server knows the end; reading on would wait for ever.
        return b""
    if length is not None and limit is not None and length > limit:
        raise RequestEntityTooLarge()
    source = environ["wsgi.input"]
    if length is not None and length <= _SMALL:
        # PERF: what is small is read at once; bytes in memory are quicker to read from.
        return _read_exactly(source, length)
    return BodyStream(source, length, limit)


def announced_length(environ: WSGIEnvironment) -> int | None:
    """Return how many bytes a request says that its body has; ``None`` where it does not.

    A length that programs may read in several ways is refused, and so are a length and a
    transfer coding in one request: a proxy in front may have seen another end of the request, and
    taken the rest for the next one (RFC 9112, section 6.3).

    :param environ: the WSGI environment.
    :raises BadRequest: where the length is no number, or there is a transfer coding besides.
    :raises RequestEntityTooLarge: where it is a number beyond all measure.
    """
    text: str | None = environ.get("CONTENT_LENGTH")
    if not text:
        return None
    text = text.strip(" \t")
    if not text:
        return None
    if environ.get("HTTP_TRANSFER_ENCODING"):
        raise BadRequest("The request has both 'Content-Length' and 'Transfer-Encoding'.")
    if not (text.isascii() and text.isdecimal()):
        raise BadRequest("The header 'Content-Length' is not a number.")
    if len(text) > _MAX_LENGTH_DIGITS and len(text.lstrip("0")) > _MAX_LENGTH_DIGITS:
        raise RequestEntityTooLarge()
    return int(text.lstrip("0") or "0") if len(text) > _MAX_LENGTH_DIGITS else int(text)


def _read_exactly(source: t.IO[bytes], length: int) -> bytes:
    """Return so many bytes of a server's stream; fewer are an error."""
    data = _read(source, length) if length else b""
    while len(data) < length:
        more = _read(source, length - len(data))
        if not more:
            raise ClientDisconnected()
        data += more
    return data


def _read(source: t.IO[bytes], size: int) -> bytes:
    """Return some bytes of a server's stream; what servers raise becomes a 400."""
    try:
        return source.read(size)
    except HTTPException:
        raise
    except Exception as error:
        # Servers raise what they like for a broken body: OSError, ValueError, their own.
        raise ClientDisconnected() from error


class BodyStream(io.RawIOBase):
    """A body as a stream of bytes.

    With a known length, exactly so many bytes are read, and fewer are an error: a body that was
    cut by a client that went away must not look whole. Without one (a chunked body) the stream
    ends where the server ends it, and one byte over the limit is an error.

    :param source: the server's stream.
    :param length: how many bytes the request announced, or ``None``.
    :param limit: how many bytes may come where none were announced, or ``None`` for any number.
    :raises ClientDisconnected: (400) in reading, where the body ends early or cannot be read.
    :raises RequestEntityTooLarge: (413) in reading, where it goes over the limit.
    """

    def __init__(self, source: t.IO[bytes], length: int | None, limit: int | None) -> None:
        self._source = source
        self._length = length
        self._limit = limit
        self._position = 0
        self._ended = length == 0

    @property
    def is_exhausted(self) -> bool:
        """Whether the end of the body was reached."""
        return self._ended

    def readable(self) -> bool:
        """Return ``True``."""
        return True

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, at most *size*; without a size, the rest of the body."""
        # PERF: what the base class does by way of readinto copies each byte twice more.
        return self.readall() if size is None or size < 0 else self._next(size)

    def readinto(self, buffer: t.Any) -> int:
        """Read into a buffer and return how many bytes were read; 0 at the end."""
        data = self._next(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Return the rest of the body."""
        parts = []
        while part := self._next(_CHUNK if self._length is None else self._length):
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def exhaust(self) -> bytes:
        """Return the rest of the body; the name Werkzeug gives it."""
        return self.readall()

    def _next(self, size: int) -> bytes:
        if self._ended or not size:
            return b""
        try:
            data = _read(self._source, self._allowed(size))
        except HTTPException:
            self._ended = True
            raise
        self._position += len(data)
        if not data:
            self._ended = True
            if self._length is not None:
                raise ClientDisconnected()
        elif self._position == self._length:
            self._ended = True
        elif self._length is None and self._limit is not None and self._position > self._limit:
            self._ended = True
            raise RequestEntityTooLarge()
        return data

    def _allowed(self, size: int) -> int:
        if self._length is not None:
            return min(size, self._length - self._position)
        if self._limit is not None:
            # One more than allowed, so that a body over the limit shows itself.
            return min(size, self._limit - self._position + 1)
        return size
