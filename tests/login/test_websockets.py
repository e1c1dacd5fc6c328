"""Logins in WebSockets: users are known there, and visitors are refused at the handshake."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.login.people import make_app, who

from erlen import websocket
from erlen.login import current_user, login_required, login_user, logout_user
from erlen.testing import WebsocketResponseError


def test_refused_at_the_handshake(tmp_path: Path) -> None:
    """Who is not logged in gets 401 in place of the handshake, not a redirect to a page."""
    app, login, _ = make_app(tmp_path)
    login.login_view = "/login"

    @app.websocket("/socket")
    @login_required
    async def socket() -> None:
        await websocket.accept()

    with pytest.raises(WebsocketResponseError) as caught, app.test_client().websocket("/socket"):
        pass
    assert caught.value.response.status_code == 401


def test_remembered_user(tmp_path: Path) -> None:
    """The cookie that remembers a login is good for WebSockets, of plain functions too."""
    app, _, _ = make_app(tmp_path)

    @app.websocket("/socket")
    def socket() -> None:
        websocket.send(current_user.name)  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]

    client = app.test_client()
    client.post("/in/1?remember")
    client.delete_cookie("session")
    with client.websocket("/socket") as opened:
        assert opened.receive() == "Ada"


def test_login_before_the_handshake(tmp_path: Path) -> None:
    """A login before the handshake is answered reaches the browser with the answer."""
    app, _, people = make_app(tmp_path)

    @app.websocket("/in")
    async def enter() -> None:
        login_user(people["2"])
        await websocket.accept()
        await websocket.send(current_user.name)

    @app.websocket("/out")
    async def leave() -> None:
        logout_user()
        await websocket.accept()

    client = app.test_client()
    with client.websocket("/in") as opened:
        assert opened.receive() == "Bob"
    assert who(client) == "Bob"
    with client.websocket("/out") as opened:
        list(opened)
    assert who(client) == "nobody"
