"""Messages that programs may read in several ways, and what the standard says of each."""

from __future__ import annotations

import typing as t


def hidden(mark: str) -> bytes:
    """Return what hides behind a message; the application notes the mark where it runs."""
    return f"GET /hidden/{mark} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


class Message(t.NamedTuple):
    """A message.

    :param data: what is sent, before the hidden request.
    :param rule: the section of the standard that it breaks.
    :param ends: whether where it ends is certain, so that what follows is another request.
    """

    data: bytes
    rule: str
    ends: bool = False


class Allowed(t.NamedTuple):
    """A message that the HTTP library of Granian reads in one way, and does not show as it came.

    :param data: what is sent, before the hidden request.
    :param rule: the section of the standard that allows that reading.
    :param size: how many bytes of a body the application sees.
    :param ends: whether the hidden request is another one; if not, the connection ends.
    """

    data: bytes
    rule: str
    size: int = 0
    ends: bool = True


def _head(*lines: bytes, start: bytes = b"POST /take HTTP/1.1", host: bool = True) -> bytes:
    first = [start, b"Host: localhost"] if host else [start]
    return b"\r\n".join([*first, *lines, b"", b""])


def _length(value: bytes, body: bytes = b"abcde") -> Message:
    return Message(_head(b"Content-Length: " + value) + body, "RFC 9112, 6.3 (5)")


def _coding(*lines: bytes, body: bytes = b"0\r\n\r\n") -> Message:
    return Message(_head(*lines) + body, "RFC 9112, 6.1")


def _chunks(body: bytes, rule: str = "RFC 9112, 7.1") -> Message:
    return Message(_head(b"Transfer-Encoding: chunked") + body, rule)


def _field(line: bytes, rule: str = "RFC 9112, 5") -> Message:
    return Message(_head(line, start=b"GET /take HTTP/1.1"), rule)


def _host(*lines: bytes, start: bytes = b"GET /take HTTP/1.1") -> Message:
    return Message(_head(*lines, start=start, host=False), "RFC 9112, 3.2", ends=True)


def _line(start: bytes, *lines: bytes, rule: str = "RFC 9112, 3") -> Message:
    return Message(_head(*lines, start=start), rule)


LENGTHS = {
    "a length with a plus": _length(b"+5"),
    "a length with a minus": _length(b"-5"),
    "a length of minus nothing": _length(b"-0"),
    "a length in hexadecimal": _length(b"0x5"),
    "a length with an underscore": _length(b"0_5"),
    "a length with a fraction": _length(b"5.0"),
    "a length with an exponent": _length(b"5e0"),
    "a length of words": _length(b"five"),
    "a length with a space inside": _length(b"5 5"),
    "a length with a semicolon": _length(b"5;"),
    "a length of Arabic digits": _length(b"\xd9\xa5"),
    "a length in quotes": _length(b'"5"'),
    "an empty length": _length(b""),
    "two lengths in a list": _length(b"5, 6"),
    "a length and an empty one in a list": _length(b"5,"),
    "a length beyond 64 bits": _length(b"18446744073709551621"),
    "a length of 64 bits": _length(b"18446744073709551615"),
    "a length of 5,000 digits": _length(b"9" * 5000),
    "two lengths": Message(
        _head(b"Content-Length: 5", b"Content-Length: 6") + b"abcde", "RFC 9112, 6.3 (5)"
    ),
    "two lengths, the second of which is none": Message(
        _head(b"Content-Length: 0", b"Content-Length: a"), "RFC 9112, 6.3 (5)"
    ),
    "two lengths, of which one has a sign": Message(
        _head(b"Content-Length: 5", b"Content-Length: +5") + b"abcde", "RFC 9112, 6.3 (5)"
    ),
    "a length with a space before the colon": Message(
        _head(b"Content-Length : 5") + b"abcde", "RFC 9112, 5.1"
    ),
    "a length on a folded line": Message(
        _head(b"Content-Length:", b" 5") + b"abcde", "RFC 9112, 5.2"
    ),
    "a length after a NUL": Message(_head(b"Content-Length: \x005") + b"abcde", "RFC 9110, 5.5"),
    "a length with a vertical tab": _length(b"\x0b5"),
}

CODINGS = {
    "a length and an unknown coding": _coding(b"Content-Length: 5", b"Transfer-Encoding: gzip"),
    "a coding that is not chunked": _coding(b"Transfer-Encoding: gzip"),
    "an unknown coding": _coding(b"Transfer-Encoding: xchunked"),
    "chunked with a suffix": _coding(b"Transfer-Encoding: chunkedx"),
    "chunked before another": _coding(b"Transfer-Encoding: chunked, gzip"),
    "chunked before identity": _coding(b"Transfer-Encoding: chunked, identity"),
    "identity": _coding(b"Transfer-Encoding: identity"),
    "chunked twice in a list": _coding(b"Transfer-Encoding: chunked, chunked"),
    "chunked twice": _coding(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "chunked, then identity": _coding(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"
    ),
    "identity, then chunked": _coding(
        b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"
    ),
    "an empty coding": _coding(b"Transfer-Encoding:"),
    "a folded coding": _coding(b"Transfer-Encoding:", b" chunked"),
    "a coding with a space before the colon": _coding(b"Transfer-Encoding : chunked"),
    "a coding with a NUL": _coding(b"Transfer-Encoding: chunked\x00"),
    "a coding after a vertical tab": _coding(b"Transfer-Encoding: \x0bchunked"),
    "a coding in quotes": _coding(b'Transfer-Encoding: "chunked"'),
    "a coding with a parameter": _coding(b"Transfer-Encoding: chunked;a=b"),
    "a coding with a carriage return": _coding(b"Transfer-Encoding:\rchunked"),
    "chunks in HTTP/1.0": Message(
        _head(b"Transfer-Encoding: chunked", start=b"POST /take HTTP/1.0") + b"0\r\n\r\n",
        "RFC 9112, 6.1",
    ),
    "chunks and a length in HTTP/1.0": Message(
        _head(b"Content-Length: 5", b"Transfer-Encoding: chunked", start=b"POST /take HTTP/1.0")
        + b"0\r\n\r\n",
        "RFC 9112, 6.1",
    ),
}

CHUNKS = {
    "a chunk size with a sign": _chunks(b"+5\r\nabcde\r\n0\r\n\r\n"),
    "a negative chunk size": _chunks(b"-5\r\nabcde\r\n0\r\n\r\n"),
    "a chunk size with 0x": _chunks(b"0x5\r\nabcde\r\n0\r\n\r\n"),
    "a chunk size with an underscore": _chunks(b"0_5\r\nabcde\r\n0\r\n\r\n"),
    "a chunk size of words": _chunks(b"five\r\nabcde\r\n0\r\n\r\n"),
    "an empty chunk size": _chunks(b"\r\nabcde\r\n0\r\n\r\n"),
    "a chunk size after a space": _chunks(b" 5\r\nabcde\r\n0\r\n\r\n"),
    "a chunk size beyond 64 bits": _chunks(b"10000000000000005\r\nabcde\r\n0\r\n\r\n"),
    "a chunk size of 64 bits": _chunks(b"ffffffffffffffff\r\n" + b"abcde" * 500_000),
    "a chunk that is longer than its size": _chunks(b"5\r\nabcdeX\r\n0\r\n\r\n"),
    "a chunk that is shorter than its size": _chunks(b"6\r\nabcde\r\n0\r\n\r\n"),
    "a chunk without an end of line": _chunks(b"5\r\nabcde0\r\n\r\n"),
    "a chunk size with a bare CR": _chunks(b"5\rabcde\r\n0\r\n\r\n"),
    "a chunk size with a CR and something": _chunks(b"5\rX\nabcde\r\n0\r\n\r\n"),
    "a chunk extension with a line feed": _chunks(b"5;a\nabcde\r\n0\r\n\r\n"),
    "a chunk extension of 32 KiB": _chunks(b"5;" + b"a" * 32768 + b"\r\nabcde\r\n0\r\n\r\n"),
    "a last chunk with a sign": _chunks(b"5\r\nabcde\r\n-0\r\n\r\n"),
    "a trailer section without end": _chunks(b"0\r\n" + b"X-A: b\r\n" * 8192, "RFC 9112, 7.1.2"),
    "a trailer that is no field": _chunks(b"0\r\nGET /a HTTP/1.1\r\n\r\n", "RFC 9112, 7.1.2"),
    "a length in the trailer": _chunks(
        b"0\r\nContent-Length: 5\r\n\r\n", "RFC 9110, 6.5.1"
    )._replace(ends=True),
}

LINES = {
    "a bare CR at the end of the first line": Message(
        b"GET /take HTTP/1.1\rHost: localhost\r\n\r\n", "RFC 9112, 2.2"
    ),
    "a bare CR in the target": _line(b"GET /ta\rke HTTP/1.1"),
    "a NUL in the target": _line(b"GET /ta\x00ke HTTP/1.1"),
    "a space in the target": _line(b"GET /take me HTTP/1.1"),
    "a tab in place of a space": _line(b"GET\t/take\tHTTP/1.1"),
    "a control character in the target": _line(b"GET /ta\x01ke HTTP/1.1"),
    "no target": _line(b"GET HTTP/1.1"),
    "a target without a slash": _line(b"GET take HTTP/1.1")._replace(ends=True),
    "a NUL in the method": _line(b"G\x00T /take HTTP/1.1"),
    "a CR in the method": _line(b"G\rT /take HTTP/1.1"),
    "a method with brackets": _line(b"G(E)T /take HTTP/1.1", rule="RFC 9110, 9.1"),
    "an empty method": _line(b" /take HTTP/1.1"),
    "HTTP/0.9": Message(b"GET /take\r\n\r\n", "RFC 9112, 2.3"),
    "HTTP/1.2": _line(b"GET /take HTTP/1.2", rule="RFC 9112, 2.3"),
    "HTTP/2 in words": _line(b"GET /take HTTP/2.0", rule="RFC 9112, 2.3"),
    "HTTP/9.9": _line(b"GET /take HTTP/9.9", rule="RFC 9112, 2.3"),
    "HTTP/1.10": _line(b"GET /take HTTP/1.10", rule="RFC 9112, 2.3"),
    "HTTP/01.1": _line(b"GET /take HTTP/01.1", rule="RFC 9112, 2.3"),
    "a version in lower case": _line(b"GET /take http/1.1", rule="RFC 9112, 2.3"),
    "another protocol": _line(b"GET /take ICAP/1.1", rule="RFC 9112, 2.3"),
    "a target of 100,000 bytes": _line(b"GET /" + b"a" * 100_000 + b" HTTP/1.1"),
    "a method of 100,000 bytes": _line(b"G" * 100_000 + b" /take HTTP/1.1")._replace(ends=True),
    "a line of 200,000 bytes without an end": Message(b"A" * 200_000, "RFC 9112, 3"),
}

FIELDS = {
    "a space before the first field": Message(
        b"GET /take HTTP/1.1\r\n Host: localhost\r\n\r\n", "RFC 9112, 2.2"
    ),
    "a folded field": _field(b"X-A: a\r\n b", "RFC 9112, 5.2"),
    "a space before a colon": _field(b"X-A : a", "RFC 9112, 5.1"),
    "a field without a colon": _field(b"X-A"),
    "a field without a name": _field(b": a"),
    "a NUL in a name": _field(b"X-\x00A: a", "RFC 9110, 5.1"),
    "a NUL in a value": _field(b"X-A: a\x00b", "RFC 9110, 5.5"),
    "a bare CR in a name": _field(b"X-\rA: a", "RFC 9112, 2.2"),
    "a bare CR in a value": _field(b"X-A: a\rb", "RFC 9112, 2.2"),
    "a bare CR before a field": _field(b"\rX-A: a", "RFC 9112, 2.2"),
    "a CR too many": _field(b"X-A: a\r", "RFC 9112, 2.2"),
    "a control character in a value": _field(b"X-A: a\x01b", "RFC 9110, 5.5"),
    "a DEL in a value": _field(b"X-A: a\x7fb", "RFC 9110, 5.5"),
    "brackets in a name": _field(b"X(A): a", "RFC 9110, 5.1"),
    "a byte beyond ASCII in a name": _field(b"X-\xe9: a", "RFC 9110, 5.1"),
    "a field of 1 MB": _field(b"X-A: " + b"a" * 1_000_000, "RFC 9110, 5.4"),
    "20,000 fields": _field(b"\r\n".join(b"X-%d: a" % n for n in range(20_000)), "RFC 9110, 5.4"),
}

HOSTS = {
    "no host": _host(),
    "an empty host": _host(b"Host:"),
    "two hosts": _host(b"Host: localhost", b"Host: evil.example"),
    "the same host twice": _host(b"Host: localhost", b"Host: localhost"),
    "two hosts in a list": _host(b"Host: localhost, evil.example"),
    "a host with a path": _host(b"Host: localhost/evil"),
    "a host with a user": _host(b"Host: evil@localhost"),
    "a host with a space": _host(b"Host: local host"),
    "a host with a query": _host(b"Host: localhost?evil"),
    "a host with a port of words": _host(b"Host: localhost:eighty"),
    "a host with a port beyond": _host(b"Host: localhost:99999"),
    "a host with two ports": _host(b"Host: localhost:80:80"),
    "a host with a broken IPv6 address": _host(b"Host: [::1"),
    "a host with bytes beyond ASCII": _host(b"Host: local\xe9"),
    "another host in an absolute target": _host(
        b"Host: localhost", start=b"GET http://evil.example/take HTTP/1.1"
    ),
    "a user in an absolute target": _host(
        b"Host: localhost", start=b"GET http://a@localhost/take HTTP/1.1"
    ),
}

MESSAGES = LENGTHS | CODINGS | CHUNKS | LINES | FIELDS | HOSTS


#: These stand in the table of docs/explanation/security.md too, by their names.
ALLOWED = {
    "LF alone at the end of a line": Allowed(
        b"GET /take HTTP/1.1\nHost: localhost\n\n", "RFC 9112, 2.2"
    ),
    "an empty line before the request": Allowed(
        b"\r\n" + _head(start=b"GET /take HTTP/1.1"), "RFC 9112, 2.2"
    ),
    "the same length twice": Allowed(
        _head(b"Content-Length: 5", b"Content-Length: 5") + b"abcde", "RFC 9112, 6.3", 5
    ),
    "a length beside chunks": Allowed(
        _head(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
        "RFC 9112, 6.3",
        ends=False,
    ),
    "zeros before a chunk's size": Allowed(
        _head(b"Transfer-Encoding: chunked") + b"0" * 4096 + b"5\r\nabcde\r\n0\r\n\r\n",
        "RFC 9112, 7.1",
        5,
    ),
    "an extension of a chunk": Allowed(
        _head(b"Transfer-Encoding: chunked") + b"5;a=b\r\nabcde\r\n0\r\n\r\n",
        "RFC 9112, 7.1.1",
        5,
    ),
    "spaces after a chunk's size": Allowed(
        _head(b"Transfer-Encoding: chunked") + b"5 \r\nabcde\r\n0\r\n\r\n",
        "RFC 9112, 7.1.1",
        5,
    ),
    "a fragment in the target": Allowed(_head(start=b"GET /take#part HTTP/1.1"), "RFC 9110, 4.2.5"),
}
