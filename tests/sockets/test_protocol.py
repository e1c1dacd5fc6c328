"""The cases of the Autobahn test suite, by hand, against real servers.

They are about the servers' part for the most: that a handler sees whole, valid messages and nothing
else, and goes on after what is allowed.
"""

from __future__ import annotations

import struct
import typing as t

import pytest

from .frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawClient, encode

if t.TYPE_CHECKING:
    from tests.servers.process import Server

MAX_SIZE = 1024 * 1024


@pytest.fixture
def client(server: Server) -> t.Iterator[RawClient]:
    """A WebSocket to the handler that sends back what comes."""
    with RawClient(server) as client:
        yield client


def check_failed(client: RawClient, server: Server, *codes: int) -> None:
    """Check that the server has given up the connection, and with the right code if it names one.

    RFC 6455, section 7.1.7: an endpoint may drop the connection without a closing frame.
    """
    silent = {1005, None} if server.kind.startswith("granian") else {None}
    assert client.receive_close() in {*codes, *silent}


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65535, 65536])
@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_sizes(client: RawClient, kind: int, size: int) -> None:
    """Each way to write a length is understood (1.1, 1.2)."""
    client.send(encode(kind, b"*" * size))
    frame = client.receive()
    assert frame is not None and frame.opcode == kind
    assert frame.payload == b"*" * size


def test_octet_by_octet(client: RawClient) -> None:
    """A frame may come in pieces of any size (1.1.7)."""
    for byte in encode(TEXT, b"slowly"):
        client.send(bytes([byte]))
    assert client.receive_message() == b"slowly"


@pytest.mark.parametrize("payload", [b"", b"Hello", b"\x00\xff\xfe", b"x" * 125])
def test_ping(client: RawClient, payload: bytes) -> None:
    """A ping is answered with what it carries (2.1 to 2.4)."""
    client.send(encode(PING, payload))
    frame = client.receive()
    assert frame is not None and (frame.opcode, frame.payload) == (PONG, payload)


def test_ping_too_long(client: RawClient, server: Server) -> None:
    """A ping over 125 bytes fails the connection (2.5)."""
    client.send(encode(PING, b"x" * 126))
    check_failed(client, server, 1002)


def test_unsolicited_pong(client: RawClient) -> None:
    """A pong that nobody asked for is ignored (2.7, 2.8)."""
    client.send(encode(PONG, b"psst") + encode(TEXT, b"on"))
    assert client.receive_message() == b"on"


def test_many_pings(client: RawClient) -> None:
    """Pings are answered in their order (2.10)."""
    client.send(b"".join(encode(PING, b"%d" % number) for number in range(10)))
    frames = [client.receive() for _ in range(10)]
    assert [frame and frame.payload for frame in frames] == [b"%d" % n for n in range(10)]


@pytest.mark.parametrize("reserved", range(1, 8))
def test_reserved_bits(client: RawClient, server: Server, reserved: int) -> None:
    """Reserved bits fail the connection (3)."""
    client.send(encode(TEXT, b"*", reserved=reserved))
    check_failed(client, server, 1002)


@pytest.mark.parametrize("opcode", [3, 7, 11, 15])
def test_reserved_opcodes(client: RawClient, server: Server, opcode: int) -> None:
    """Unknown kinds of frames fail the connection (4)."""
    client.send(encode(opcode, b"*"))
    check_failed(client, server, 1002)


def test_fragments(client: RawClient) -> None:
    """A message in fragments comes whole, with a ping between them answered (5.3 to 5.8)."""
    client.send(encode(TEXT, b"one ", final=False))
    client.send(encode(PING, b"p"))
    client.send(encode(CONTINUATION, b"", final=False))
    client.send(encode(CONTINUATION, b"two"))
    frame = client.receive()
    assert frame is not None and frame.opcode == PONG
    assert client.receive_message() == b"one two"


@pytest.mark.parametrize(
    "frames",
    [
        encode(PING, b"", final=False),
        encode(CONTINUATION, b"of nothing"),
        encode(CONTINUATION, b"of nothing", final=False),
        encode(TEXT, b"one", final=False) + encode(TEXT, b"two"),
    ],
    ids=["ping", "end", "middle", "new-message"],
)
def test_bad_fragments(client: RawClient, server: Server, frames: bytes) -> None:
    """Fragments out of place fail the connection (5.1, 5.9 to 5.18)."""
    client.send(frames)
    check_failed(client, server, 1002)


def test_text_across_fragments(client: RawClient) -> None:
    """A character may be cut in two between fragments (6.2)."""
    text = "Hello-µ@ßöäüàá-UTF-8!!".encode()
    for part in (text[:7], text[7:9]):
        client.send(encode(TEXT if part == text[:7] else CONTINUATION, part, final=False))
    client.send(encode(CONTINUATION, text[9:]))
    assert client.receive_message() == text


@pytest.mark.parametrize(
    "text", [b"\xce\xba\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xff", b"cut \xe2\x82"]
)
def test_invalid_text(client: RawClient, server: Server, text: bytes) -> None:
    """Text that is no UTF-8 fails the connection with 1007 (6.3 to 6.21)."""
    client.send(encode(TEXT, text))
    check_failed(client, server, 1007)


def test_binary_is_no_text(client: RawClient) -> None:
    """Bytes may be anything."""
    client.send(encode(BINARY, b"\xff\x00\xfe"))
    assert client.receive_message() == b"\xff\x00\xfe"


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 3000, 3999, 4000, 4999])
def test_close_codes(client: RawClient, server: Server, code: int) -> None:
    """A close is answered with one (7.1, 7.7)."""
    client.send(encode(CLOSE, struct.pack("!H", code) + b"r" * 123))
    assert client.receive_close() in {code, 1000, 1005}


def test_close_without_code(client: RawClient) -> None:
    """A close need not have a code (7.3.1)."""
    client.send(encode(CLOSE))
    assert client.receive_close() in {1000, 1005}


@pytest.mark.parametrize("code", [0, 999, 1005, 1006, 1016, 2999, 5000, 65535])
def test_bad_close_codes(client: RawClient, server: Server, code: int) -> None:
    """Codes that must not be sent do not bring the server down (7.9, 7.13)."""
    client.send(encode(CLOSE, struct.pack("!H", code)))
    # Some servers answer with the code, instead of 1002.
    client.receive_close()
    assert client.receive() is None


@pytest.mark.parametrize(
    "payload", [b"\x03", struct.pack("!H", 1000) + b"\xce\xba\xed", b"x" * 126], ids=len
)
def test_bad_close(client: RawClient, server: Server, payload: bytes) -> None:
    """A close that is malformed fails the connection (7.3.2, 7.3.6, 7.5.1)."""
    client.send(encode(CLOSE, payload))
    check_failed(client, server, 1002, 1007, 1000, 1005)


def test_nothing_after_close(client: RawClient) -> None:
    """What comes after a close is not handled (7.1.2 to 7.1.5)."""
    client.send(encode(CLOSE, struct.pack("!H", 1000)) + encode(TEXT, b"one more thing"))
    assert client.receive_message() is None


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_largest_message(client: RawClient, kind: int) -> None:
    """A message of exactly the limit is taken (9)."""
    client.send(encode(kind, b"*" * MAX_SIZE))
    assert client.receive_message() == b"*" * MAX_SIZE


@pytest.mark.parametrize("fragment", [MAX_SIZE + 1, 300_000])
def test_oversize(client: RawClient, server: Server, fragment: int) -> None:
    """A larger one closes with 1009, in one frame or in many (RSGI has no place for the code)."""
    data = b"*" * (MAX_SIZE + 1)
    parts = [data[start : start + fragment] for start in range(0, len(data), fragment)]
    for number, part in enumerate(parts):
        kind = CONTINUATION if number else TEXT
        client.send(encode(kind, part, final=number == len(parts) - 1))
    assert client.receive_close() == (1005 if server.kind == "granian-rsgi" else 1009)


def test_size_counts_bytes(client: RawClient, server: Server) -> None:
    """The limit is one of bytes, not of characters."""
    client.send(encode(TEXT, "é".encode() * (MAX_SIZE // 2 + 1)))
    assert client.receive_close() == (1005 if server.kind == "granian-rsgi" else 1009)


def test_unmasked(client: RawClient, server: Server) -> None:
    """A client's frame without a mask fails the connection (RFC 6455, section 5.1)."""
    client.send(encode(TEXT, b"plain", masked=False))
    check_failed(client, server, 1002)


def test_goes_on(server: Server) -> None:
    """After all of that the server handles WebSockets as before."""
    with RawClient(server) as client:
        client.send(encode(TEXT, b"still there"))
        assert client.receive_message() == b"still there"
