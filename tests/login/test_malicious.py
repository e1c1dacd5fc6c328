"""Nothing that a client sends makes an error, a login, or much work."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer
from tests.login.people import KEY, make_app, who

from erlen import Erlen, Flask
from erlen.login.remember import read_token

if t.TYPE_CHECKING:
    from erlen.testing import FlaskClient

COOKIES = [
    "",
    "|",
    "1|",
    "1|zzz",
    "1|" + "0" * 128,
    "1|é",
    "1|\udcff",
    "\udcff|" + "a" * 128,
    "1" * 60_000 + "|" + "0" * 128,
    "." * 5000,
    "WyIxIl0.aaaa.bbbb",
    "9" * 50_000,
    "é.é.é",
]


@pytest.fixture(scope="module", params=[Flask, Erlen])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    app, _, _ = make_app(tmp_path_factory.mktemp("instance"), request.param)
    return app.test_client(use_cookies=False)


def ask(client: FlaskClient, line: str) -> str:
    """Ask who it is, with a header ``Cookie`` that is sent as it is."""
    raw = line.encode("utf-8", "surrogateescape").decode("latin-1")
    response = client.get("/me", environ_base={"HTTP_COOKIE": raw})
    assert response.status_code == 200
    return response.text


@pytest.mark.parametrize("value", COOKIES)
def test_damaged_cookies(client: FlaskClient, value: str) -> None:
    """A damaged cookie is nobody's."""
    assert ask(client, f"remember_token={value}") == "nobody"
    assert ask(client, f'remember_token="{value}"; session={value}') == "nobody"


@given(st.text(max_size=200), st.text(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_cookies(client: FlaskClient, value: str, digest: str) -> None:
    """Nor does any other text make an error."""
    value = value.encode("utf-8", "replace").decode()
    digest = digest.encode("utf-8", "replace").decode()
    assert ask(client, f"remember_token={value}|{digest}; session={digest}") == "nobody"


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        ["1", None, "x"],
        ["1", None, "x", "soon"],
        ["1", None, "x", 10**400],
        ["1", None, "x", float("nan")],
        ["1", {}, [], 60],
        [["1"], None, "x", 60],
        {"a": 1, "b": 2, "c": 3, "d": 4},
    ],
)
def test_tokens_with_odd_content(tmp_path: Path, data: t.Any) -> None:
    """What another program has signed with the same key is no login of ours, and no error."""
    import hashlib

    options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    serializer = URLSafeTimedSerializer(KEY, salt="erlen.login.remember", signer_kwargs=options)
    app, _, _ = make_app(tmp_path)
    client = app.test_client()
    client.set_cookie("remember_token", serializer.dumps(data))
    assert who(client) == "nobody"
    assert client.post("/out").status_code == 200
    with app.app_context():
        found = read_token(app, serializer.dumps(data))
        assert found is None or isinstance(found.user_id, str)


@pytest.mark.parametrize(
    "entries",
    [
        {"_user_id": ["1"]},
        {"_user_id": None, "_fresh": "x"},
        {"_user_id": "1" * 1000},
        {"_user_id": "3", "_stamp": 5},
        {"_user_id": "3", "_stamp": "é"},
        {"_user_id": "1", "_id": 5, "_remember": "odd"},
        {"_user_id": {"a": 1}},
    ],
)
@pytest.mark.parametrize("mode", ["basic", "strong"])
def test_sessions_with_odd_content(tmp_path: Path, entries: dict[str, t.Any], mode: str) -> None:
    """Sessions whose entries are of another kind make no error."""
    app, login, people = make_app(tmp_path, SESSION_PROTECTION=mode)
    login.user_loader(lambda user_id: people.get(str(user_id)))
    client = app.test_client()
    with client.session_transaction() as session:
        session.update(entries)
    assert client.get("/me").status_code == 200


def test_huge_identifiers(tmp_path: Path) -> None:
    """A long header is hashed, not kept."""
    from erlen.login import identifiers

    app, _, _ = make_app(tmp_path)
    client = app.test_client()
    kept = identifiers._kept.cache_info().currsize
    agent = {"User-Agent": "x" * 50_000}
    client.post("/in/1", headers=agent)
    assert who(client, headers=agent) == "Ada"
    assert identifiers._kept.cache_info().currsize <= kept + 1
