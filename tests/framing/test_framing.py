"""Messages that programs may read in several ways: ``erlen serve`` refuses them, and runs nothing
that hides in them."""

from __future__ import annotations

import re
import typing as t
import uuid
from pathlib import Path

import pytest

from .messages import ALLOWED, MESSAGES, Allowed, Message, hidden

if t.TYPE_CHECKING:
    from tests.servers.process import Server

#: What an interface does not show to the application: it reads one host where there are two. None
#: of them says where a request ends.
UNSEEN = {
    "asgi": {
        "a length in the trailer",
        "a target without a slash",
        "a host with bytes beyond ASCII",
        "another host in an absolute target",
        "a user in an absolute target",
    },
    "wsgi": {
        "a target without a slash",
        "another host in an absolute target",
        "a user in an absolute target",
    },
}

SECURITY = Path(__file__).parents[2] / "docs" / "explanation" / "security.md"


class Outcome(t.NamedTuple):
    """What came of a message: the statuses that were answered, and whether the server closed."""

    statuses: list[int]
    is_closed: bool


def send(server: Server, data: bytes, answers: int) -> Outcome:
    """Send a message, and read until the server closes or has answered so many times.

    :param data: the message.
    :param answers: after how many answers to stop; 0 to wait for the end.
    """
    received = b""
    with server.connect() as connection:
        try:
            connection.sendall(data)
            while not answers or len(statuses_in(received)) < answers:
                part = connection.recv(65536)
                if not part:
                    return Outcome(statuses_in(received), True)
                received += part
        except ConnectionError:
            # Closed with something unread, perhaps before all was sent.
            return Outcome(statuses_in(received), True)
    return Outcome(statuses_in(received), False)


def took(server: Server) -> list[str]:
    """Return what the application has noted of bodies that it took."""
    return [note for note in server.notes if note.startswith("took")]


def statuses_in(received: bytes) -> list[int]:
    """Return the statuses of answers; no body here has the like."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", received)]


@pytest.mark.parametrize("name", MESSAGES)
def test_ambiguous_messages(server: Server, name: str) -> None:
    """Each is refused with a 4xx or by closing; what hides behind it is not run."""
    message: Message = MESSAGES[name]
    if name in UNSEEN.get(server.kind, ()):
        pytest.skip(f"by {server.kind} the application cannot see it")
    before, mark = took(server), uuid.uuid4().hex
    outcome = send(server, message.data + hidden(mark), 1 if message.ends else 0)
    assert not outcome.statuses or 400 <= outcome.statuses[0] < 500
    assert outcome.statuses or outcome.is_closed
    assert took(server) == before
    if not message.ends:
        assert len(outcome.statuses) <= 1
        assert f"hidden {mark}" not in server.notes


def test_there_are_enough() -> None:
    """The set has at least 60 messages, and each names what it breaks."""
    assert len(MESSAGES) >= 60
    assert all(message.rule.startswith("RFC 91") for message in MESSAGES.values())


@pytest.mark.parametrize("name", ALLOWED)
def test_what_the_library_reads_in_one_way(server: Server, name: str) -> None:
    """The standard allows the one reading; the next request is another, or the connection ends."""
    allowed: Allowed = ALLOWED[name]
    before, mark = took(server), uuid.uuid4().hex
    is_refused = server.kind == "wsgi" and b"chunked" in allowed.data
    answers = 2 if allowed.ends and not is_refused else 0
    outcome = send(server, allowed.data + hidden(mark), answers)
    if is_refused:
        # A cut body would look whole there, so that all without a length are refused.
        assert outcome == ([411], True)
        assert f"hidden {mark}" not in server.notes
        return
    assert outcome.statuses == ([200, 200] if allowed.ends else [200])
    assert took(server) == [*before, f"took {allowed.size}"]
    assert (f"hidden {mark}" in server.notes) == allowed.ends


def test_the_documentation_lists_them() -> None:
    """Each message that is read in one way stands in the table, with its section."""
    rows = [line for line in SECURITY.read_text().splitlines() if line.startswith("|")]
    for name, allowed in ALLOWED.items():
        assert any(name in row and allowed.rule in row for row in rows), name


@pytest.mark.parametrize(
    "spelling", ["Content_Length", "Transfer_Encoding", "Host_", "X_Forwarded_For"]
)
def test_underscores(server: Server, spelling: str) -> None:
    """A header with an underscore stands for none with a dash."""
    if server.kind == "wsgi":
        pytest.skip("by wsgi the two are one already")
    answer = server.request("GET", "/headers", headers={spelling: "chunked"})
    assert answer.status == 200
    assert b"chunked" not in answer.body


def test_it_serves_on(server: Server) -> None:
    """After all of that the server answers as before."""
    assert server.request("GET", "/").body == b"plain"
