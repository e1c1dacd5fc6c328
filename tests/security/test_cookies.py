"""Cookies and sessions: read as they were set, shared with nobody, forged by nobody."""

from __future__ import annotations

import base64
import json
import typing as t
import zlib

import pytest
from itsdangerous import URLSafeTimedSerializer

from erlen import Erlen, Flask, Response, flash, get_flashed_messages, request, session

from .raw import cpu_limit, send


@pytest.fixture(autouse=True)
def production(app: Flask) -> None:
    app.testing = False


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("=__Host-a=b", {}),
        ("==__Host-a=b", {}),
        ("=", {}),
        ("; =b; a=c", {"a": "c"}),
        ("__Host-a=b", {"__Host-a": "b"}),
        (" __Host-a =b", {"__Host-a": "b"}),
        ("\u2005__Host-a=evil", {"\u2005__Host-a".encode().decode("latin1"): "evil"}),
        ("\xa0__Host-a=evil", {"\xa0__Host-a".encode().decode("latin1"): "evil"}),
        ("a=b; a=evil", {"a": "b"}),
        ('a="b; c=d"', {"a": None, "c": None}),
        ("a=b,__Host-c=d", {"a": "b,__Host-c=d"}),
        ("a", {"a": ""}),
    ],
)
def test_reading(app: Flask, header: str, expected: dict[str, str | None]) -> None:
    """No cookie turns into another, such as one with a trusted prefix (CVE-2023-23934)."""
    seen: dict[str, str] = {}

    @app.get("/")
    def index() -> str:
        seen.update(request.cookies)
        return ""

    send(app, HTTP_COOKIE=header.encode().decode("latin1"))
    assert "__Host-a" not in seen or "__Host-a" in expected
    assert "__Host-c" not in seen
    for name, value in expected.items():
        assert value is None or seen[name] == value
    assert set(seen) <= set(expected)


READ: dict[str, t.Callable[[], object]] = {
    "item": lambda: session["name"],
    "get": lambda: session.get("name"),
    "in": lambda: "name" in session,
    "not in": lambda: "other" not in session,
    "len": lambda: len(session),
    "iter": lambda: list(session),
    "keys": lambda: sorted(session.keys()),
    "values": lambda: list(session.values()),
    "items": lambda: dict(session.items()),
    "copy": lambda: dict(session),
    "bool": lambda: bool(session),
    "equal": lambda: session == {},
    "repr": lambda: repr(session),
    "permanent": lambda: session.permanent,
    "new": lambda: session.new,
    "flashes": lambda: get_flashed_messages(),
}


@pytest.mark.parametrize("how", READ)
def test_reading_the_session_in_any_way_varies(app: Flask, how: str) -> None:
    """The answer depends on the cookie, and says so (CVE-2026-27205, GHSA-68rp-wp8r-4726)."""

    @app.get("/set")
    def set_name() -> str:
        session["name"] = "Ada"
        return ""

    app.add_url_rule("/", "index", lambda: str(READ[how]()))
    client = app.test_client()
    client.get("/set")
    assert client.get("/").vary.as_set() == {"cookie"}


@pytest.mark.parametrize("where", ["before", "after", "teardown", "error", "template"])
def test_reading_the_session_anywhere_varies(app: Flask, where: str) -> None:
    """Hooks, handlers and templates count as the view does (CVE-2026-27205)."""
    from erlen import render_template_string

    @app.get("/")
    def index() -> str:
        if where == "template":
            return render_template_string("{% if 'name' in session %}a{% endif %}")
        if where == "error":
            raise LookupError
        return ""

    @app.errorhandler(LookupError)
    def handle(error: LookupError) -> str:
        return str("name" in session)

    @app.before_request
    def before() -> None:
        if where == "before":
            len(session)

    @app.after_request
    def after(response: Response) -> Response:
        if where == "after":
            session.get("name")
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        if where == "teardown":
            session.get("name")

    assert send(app).headers.get("Vary") == (None if where == "teardown" else "Cookie")


def test_setting_the_session_varies_and_is_private() -> None:
    """A cache keeps nobody's session (CVE-2023-30861); Erlen's default says so to all caches."""
    for application_class, cache_control in ((Erlen, "private"), (Flask, None)):
        app = application_class(__name__)
        app.secret_key = "key"

        @app.get("/")
        def index() -> str:
            session["a"] = "b"
            return ""

        headers = app.test_client().get("/").headers
        assert headers["Vary"] == "Cookie"
        assert headers.get("Cache-Control") == cache_control


def test_refreshing_a_permanent_session_varies(app: Flask) -> None:
    """A session refreshed without being looked at still sets a cookie (CVE-2023-30861)."""

    @app.get("/set")
    def set_permanent() -> str:
        session.permanent = True
        return ""

    app.add_url_rule("/", "index", lambda: "")
    client = app.test_client()
    client.get("/set")
    response = client.get("/")
    assert "Set-Cookie" in response.headers
    assert "cookie" in response.vary


def test_a_public_answer_with_a_session_is_not_public() -> None:
    """What a view calls public is private when it sets the session."""
    app = Erlen(__name__)
    app.secret_key = "key"

    @app.get("/")
    def index() -> tuple[str, dict[str, str]]:
        session["a"] = "b"
        return "", {"Cache-Control": "public, max-age=60"}

    assert "public" not in app.test_client().get("/").headers["Cache-Control"]


def test_static_files_set_no_cookie(app: Flask, tmp_path: t.Any) -> None:
    """Caches keep static files, and must not keep a session with them (CVE-2023-30861)."""
    (tmp_path / "a.css").write_text("a {}")
    app.static_folder = tmp_path

    @app.get("/set")
    def set_permanent() -> str:
        session.permanent = True
        return ""

    client = app.test_client()
    client.get("/set")
    for path in ("/static/a.css", "/static/missing.css"):
        headers = client.get(path).headers
        assert "Set-Cookie" not in headers
        assert "Vary" not in headers


def make_cookie(key: str, data: object, salt: str = "cookie-session") -> str:
    """Return a session cookie as somebody with that key makes it."""
    import hashlib

    options = {"key_derivation": "hmac", "digest_method": hashlib.sha1}
    return str(URLSafeTimedSerializer(key, salt=salt, signer_kwargs=options).dumps(data))


def user_of(app: Flask, cookie: str) -> str:
    """Return whom the application sees for a session cookie."""
    return send(app, "/user", HTTP_COOKIE=f"session={cookie}").text


@pytest.fixture
def users(app: Flask) -> Flask:
    """An application that tells the user in its session."""
    app.add_url_rule("/user", "user", lambda: str(session.get("user")))
    return app


def test_forged_sessions(users: Flask) -> None:
    """A session needs our key and our salt; no signature, or another's, is none."""
    good = make_cookie("test key", {"user": "ada"})
    assert user_of(users, good) == "ada"
    payload, stamp, signature = good.split(".")
    forged = base64.urlsafe_b64encode(b'{"user":"root"}').decode().rstrip("=")
    for cookie in (
        make_cookie("other key", {"user": "root"}),
        make_cookie("test key", {"user": "root"}, salt="password-reset"),
        f"{forged}.{stamp}.{signature}",
        f"{forged}.{stamp}.",
        f"{forged}..",
        forged,
        f"{payload}.{stamp}.{signature[:-1]}",
        f"{payload}.{stamp}.{signature}.{signature}",
        good[1:],
        good.swapcase(),
    ):
        assert user_of(users, cookie) == "None"


def test_rotated_keys(users: Flask) -> None:
    """Old keys are read, only the newest one signs, and removed keys are dead (CVE-2025-47278)."""
    users.config.update(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["older", "old"])

    @users.get("/login")
    def login() -> str:
        session["user"] = "ada"
        return ""

    for key in ("new", "older", "old"):
        assert user_of(users, make_cookie(key, {"user": "ada"})) == "ada"
    signed = send(users, "/login").headers["Set-Cookie"].split(";")[0].removeprefix("session=")
    users.config["SECRET_KEY_FALLBACKS"] = None
    assert user_of(users, signed) == "ada"
    for key in ("older", "old"):
        assert user_of(users, make_cookie(key, {"user": "ada"})) == "None"


def test_the_signature_comes_before_unpacking(users: Flask) -> None:
    """A compressed bomb without our signature is not unpacked (CVE-2025-69223)."""
    bomb = zlib.compress(json.dumps("x" * 50_000_000).encode(), 9)
    cookie = "." + base64.urlsafe_b64encode(bomb).decode().rstrip("=")
    with cpu_limit(0.2):
        assert user_of(users, f"{cookie}.aaaaaa.{'a' * 27}") == "None"


@pytest.mark.parametrize(
    "data", [{" p": "x"}, {" py": {" b": "Y2FsYw=="}}, {"__class__": "x"}, {" t": 1}, [{" d": "x"}]]
)
def test_sessions_make_no_objects(users: Flask, data: t.Any) -> None:
    """Tags of the session name a few plain types, and nothing runs (Bottle's pickled cookies)."""
    assert users.session_interface.pickle_based is False
    cookie = make_cookie("test key", {"user": "ada", "data": data})
    assert send(users, "/user", HTTP_COOKIE=f"session={cookie}").status in {200, 500}


def test_cookie_flags() -> None:
    """HttpOnly always; Erlen's class adds SameSite, and Secure for what came over HTTPS."""
    for application_class, base, secure in (
        (Erlen, {"HttpOnly", "Path=/", "SameSite=Lax"}, {"Secure"}),
        (Flask, {"HttpOnly", "Path=/"}, set()),
    ):
        app = application_class(__name__)
        app.secret_key = "key"

        @app.get("/")
        def index() -> str:
            session["a"] = "b"
            return ""

        for scheme, extra in (("http", set()), ("https", secure)):
            response = app.test_client().get("/", base_url=f"{scheme}://localhost")
            attributes = response.headers["Set-Cookie"].split("; ")[1:]
            assert set(attributes) == base | extra


def test_a_cookie_with_the_host_prefix(app: Flask) -> None:
    """__Host- needs Secure, Path=/ and no Domain; with these settings browsers keep it."""
    app.config.update(SESSION_COOKIE_NAME="__Host-session", SESSION_COOKIE_SECURE=True)

    @app.get("/")
    def index() -> str:
        session["a"] = "b"
        return ""

    cookie = send(app, **{"wsgi.url_scheme": "https"}).headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert set(cookie.split("; ")[1:]) == {"Secure", "HttpOnly", "Path=/"}


def test_clearing_ends_what_was_there(app: Flask) -> None:
    """After clear() nothing of the session before is in the new one (session fixation)."""

    @app.get("/before")
    def before() -> str:
        session["cart"] = "planted"
        flash("planted")
        return ""

    @app.get("/login")
    def login() -> str:
        session.clear()
        session["user"] = "ada"
        return ""

    app.add_url_rule("/", "index", lambda: dict(session))
    client = app.test_client()
    client.get("/before")
    client.get("/login")
    assert client.get("/").get_json() == {"user": "ada"}


def test_signatures_are_compared_in_constant_time(
    users: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every comparison of a signature goes through hmac.compare_digest."""
    import hmac

    compared: list[object] = []
    original = hmac.compare_digest

    def compare(a: t.Any, b: t.Any) -> bool:
        compared.append(b)
        return original(a, b)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert user_of(users, make_cookie("test key", {"user": "ada"})) == "ada"
    assert compared
