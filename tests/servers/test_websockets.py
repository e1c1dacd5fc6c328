"""WebSockets on each server that can, and what the others say."""

from __future__ import annotations

import typing as t

import pytest

websockets = pytest.importorskip("websockets")

from websockets.exceptions import InvalidStatus  # noqa: E402
from websockets.sync.client import connect  # noqa: E402
from websockets.typing import Origin  # noqa: E402

from .abilities import Ability, lack  # noqa: E402

if t.TYPE_CHECKING:
    from .process import Server


#: What a client asks for who wants a WebSocket.
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def test_messages(server: Server) -> None:
    """Text and bytes go to and fro, longer than one read of a proxy; or it is a 426."""
    if lack(server, Ability.WEBSOCKETS):
        answer = server.request("GET", "/echo", headers=HANDSHAKE)
        assert str(answer.status) == lack(server, Ability.WEBSOCKETS)
        return
    with connect(f"ws://127.0.0.1:{server.port}/echo") as client:
        for message in ("ä", b"\xff\x00", "x" * 100_000):
            client.send(message)
            assert client.recv(timeout=20) == message


def test_a_foreign_page(server: Server) -> None:
    """A page of another site is refused."""
    if lack(server, Ability.WEBSOCKETS):
        return
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://127.0.0.1:{server.port}/echo", origin=Origin("https://evil.example"))
    assert caught.value.response.status_code == 403
