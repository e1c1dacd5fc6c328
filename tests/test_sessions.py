"""Sessions: the signed cookie, when it is set, and what an interface of one's own may do."""

from __future__ import annotations

import hashlib
import json
import time
import typing as t
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import BadSignature, SignatureExpired, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import base64_encode
from markupsafe import Markup
from werkzeug.http import parse_cookie

from erlen import Erlen, Flask, session
from erlen.exceptions import CookieTooLarge
from erlen.globals import request_ctx
from erlen.sessions import (
    NullSession,
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionInterface,
    SessionMixin,
    must_be_saved_unused,
    opens_lazily,
)
from erlen.testing import FlaskClient
from erlen.wrappers import Request, Response

A_KEY = "a key that both know"

# Written by Flask 3.1.3 with A_KEY, on 29 February 2024.
FLASK_COOKIE = (
    "eyJhdCI6eyIgZCI6IlRodSwgMjkgRmViIDIwMjQgMTI6MDA6MDAgR01UIn0sInBhaXIiOnsiIHQiOlsxLDJdfSwidXNl"
    "cl9pZCI6NDJ9.Zd_JAA.ZOZsTzWNtYM_mTEkCaaPPGd98Lo"
)
FLASK_COMPRESSED_COOKIE = (
    ".eJyrVkpOLCpRsopWSiwoyElV0hmlyaJjawE0sWf9.Zd_JAA.5QyFjQ5pCZc8NRDua12Wt_SjjuU"
)
# The same, with "an older key".
FLASK_OLDER_COOKIE = "eyJuIjoxfQ.Zd_JAA.cUL1U45ozoV8K17skBaRU7PNq-I"
WRITTEN_AT = 1709164800

EVERYTHING: dict[str, t.Any] = {
    "text": "Zoë",
    "number": 1,
    "pair": (1, (2, 3)),
    "raw": b"\x00\xff",
    "html": Markup("<b>hi</b>"),
    "id": uuid.UUID(int=5),
    "at": datetime(2024, 2, 29, 12, tzinfo=UTC),
    "tagged": {" t": "no tuple"},
    "nested": [1, None, True, 2.5, {"a": ("b",)}],
}


@pytest.fixture
def app(app: Flask) -> Flask:
    """An application with views that use the session in each way."""
    app.secret_key = A_KEY

    @app.get("/")
    def untouched() -> str:
        return "untouched"

    @app.get("/read")
    def read() -> dict[str, t.Any]:
        return dict(session)

    @app.get("/set/<key>/<value>")
    def write(key: str, value: str) -> str:
        session[key] = value
        return "set"

    @app.get("/keep")
    def keep() -> str:
        session.permanent = True
        return "permanent"

    @app.get("/clear")
    def clear() -> str:
        session.clear()
        return "cleared"

    return app


@pytest.fixture
def at_flasks_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock to a minute after Flask wrote its cookies."""
    monkeypatch.setattr(time, "time", lambda: WRITTEN_AT + 60.0)


def session_cookie(response: t.Any) -> str | None:
    """Return the header that sets the session's cookie, if there is one."""
    for header in response.headers.getlist("Set-Cookie"):
        if header.startswith("session="):
            return str(header)
    return None


def request_with(app: Flask, cookie: str, path: str = "/read") -> t.Any:
    """Return the response to a request that carries a cookie."""
    client = app.test_client(use_cookies=False)
    return client.get(path, headers={"Cookie": f"session={cookie}"})


def read_with(app: Flask, cookie: str) -> t.Any:
    """Return the session that a cookie gives."""
    response = request_with(app, cookie)
    assert response.status_code == 200
    return response.json


def signer_of(app: Flask) -> URLSafeTimedSerializer:
    """Return what signs an application's cookies."""
    interface = t.cast(SecureCookieSessionInterface, app.session_interface)
    serializer = interface.get_signing_serializer(app)
    assert serializer is not None
    return serializer


def plain_serializer(app: Flask, key: str = A_KEY, **signer: t.Any) -> URLSafeTimedSerializer:
    """Return a serializer of itsdangerous with Flask's settings, all of it the library's own."""
    interface = t.cast(SecureCookieSessionInterface, app.session_interface)
    return URLSafeTimedSerializer(
        key,
        salt="cookie-session",
        serializer=interface.serializer,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha1, **signer},
    )


# From request to request


def test_a_value_is_remembered(gateway_client: FlaskClient) -> None:
    """What one request puts into the session, the next finds there."""
    assert gateway_client.get("/read").json == {}
    gateway_client.get("/set/user/Ada")
    assert gateway_client.get("/read").json == {"user": "Ada"}


def test_all_types_are_remembered(client: FlaskClient) -> None:
    """Types that JSON does not have come back as they were."""
    with client.session_transaction() as stored:
        stored.update(EVERYTHING)
    with client.session_transaction() as stored:
        assert dict(stored) == EVERYTHING
        assert type(stored["html"]) is Markup


def test_untouched_session_is_not_opened(client: FlaskClient) -> None:
    """A request that does not look at the session does not open it."""
    client.get("/set/user/Ada")
    with client:
        response = client.get("/")
        assert request_ctx._open_session is None
    assert "Vary" not in response.headers
    assert session_cookie(response) is None


def test_reading_varies_on_the_cookie(gateway_client: FlaskClient) -> None:
    """A response made after a look at the session depends on the cookie, and says so."""
    response = gateway_client.get("/read")
    assert response.headers["Vary"] == "Cookie"
    assert session_cookie(response) is None


def test_vary_is_added_to_what_is_there(app: Flask, client: FlaskClient) -> None:
    """A header ``Vary`` of the view is kept."""

    @app.get("/language")
    def language() -> tuple[str, dict[str, str]]:
        session.get("language")
        return "", {"Vary": "Accept-Language"}

    @app.get("/cookie")
    def cookie() -> tuple[str, dict[str, str]]:
        session["a"] = 1
        return "", {"Vary": "Cookie"}

    assert client.get("/language").headers["Vary"] == "Accept-Language, Cookie"
    assert client.get("/cookie").headers.getlist("Vary") == ["Cookie"]


def test_changes_inside_values_are_told(app: Flask, client: FlaskClient) -> None:
    """A change inside a value is saved if ``modified`` is set."""

    @app.get("/add/<int:told>")
    def add(told: int) -> str:
        session["items"].append(told)
        session.modified = bool(told)
        return ""

    with client.session_transaction() as stored:
        stored["items"] = []
    assert session_cookie(client.get("/add/0")) is None
    assert session_cookie(client.get("/add/1")) is not None
    assert client.get("/read").json == {"items": [1]}


def test_clearing_deletes_the_cookie(gateway_client: FlaskClient) -> None:
    """A session that was emptied takes its cookie away."""
    gateway_client.get("/set/user/Ada")
    response = gateway_client.get("/clear")
    header = session_cookie(response)
    assert header is not None
    assert header.startswith("session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0;")
    assert response.headers["Vary"] == "Cookie"
    assert gateway_client.get_cookie("session") is None


def test_an_empty_session_sets_nothing(client: FlaskClient) -> None:
    """A session that is empty and was not changed has no cookie."""
    assert session_cookie(client.get("/read")) is None


# Attributes of the cookie


def test_the_cookie_as_flask_sets_it(client: FlaskClient) -> None:
    """By default the cookie is for the host and for HTTP alone, and ends with the browser."""
    header = session_cookie(client.get("/set/user/Ada"))
    assert header is not None
    assert header.partition("; ")[2] == "HttpOnly; Path=/"


def test_all_attributes(app: Flask, client: FlaskClient) -> None:
    """Each attribute has its key in the configuration."""
    app.config.update(
        SESSION_COOKIE_NAME="own",
        SESSION_COOKIE_DOMAIN=".example.com",
        SESSION_COOKIE_PATH="/shop",
        SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="lax",
        SESSION_COOKIE_PARTITIONED=True,
    )
    header = client.get("/set/user/Ada").headers["Set-Cookie"]
    assert header.startswith("own=")
    assert header.partition("; ")[2] == (
        "Domain=example.com; Secure; Path=/shop; SameSite=Lax; Partitioned"
    )


def test_deleting_uses_the_same_attributes(app: Flask, client: FlaskClient) -> None:
    """Browsers delete a cookie only under the attributes that it was set with."""
    app.config.update(SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_SECURE=True)
    client.get("/set/user/Ada", base_url="https://localhost")
    header = session_cookie(client.get("/clear", base_url="https://localhost"))
    assert header is not None
    assert header.endswith("Secure; HttpOnly; Path=/; SameSite=Strict")


def test_path_of_the_mounted_application(app: Flask, client: FlaskClient) -> None:
    """Without a path of its own the cookie is for the application's root."""
    app.config["APPLICATION_ROOT"] = "/shop"
    header = session_cookie(client.get("/set/user/Ada"))
    assert header is not None
    assert header.endswith("; Path=/shop")


def test_settings_may_change_between_requests(app: Flask, client: FlaskClient) -> None:
    """Nothing of a cookie's attributes is remembered longer than they hold."""
    headers = []
    for value in (True, 1, False):
        app.config["SESSION_COOKIE_SECURE"] = value
        headers.append(session_cookie(client.get("/set/user/Ada")))
    marks = [(header or "").partition("; ")[2] for header in headers]
    assert marks == ["Secure; HttpOnly; Path=/", "Secure=1; HttpOnly; Path=/", "HttpOnly; Path=/"]


def test_a_bad_attribute_is_an_error(app: Flask, client: FlaskClient) -> None:
    """A value that no browser knows is refused."""
    app.config["SESSION_COOKIE_SAMESITE"] = "Sometimes"
    with pytest.raises(ValueError, match="SameSite must be"):
        client.get("/set/user/Ada")


@pytest.mark.parametrize(
    ("scheme", "preferred", "secure"),
    [("http", "http", False), ("https", "http", True), ("http", "https", True)],
)
def test_secure_by_the_request(
    app: Flask, client: FlaskClient, scheme: str, preferred: str, secure: bool
) -> None:
    """With "auto" the cookie is secure where the request, or the configuration, says HTTPS."""
    app.config.update(SESSION_COOKIE_SECURE="auto", PREFERRED_URL_SCHEME=preferred)
    header = session_cookie(client.get("/set/user/Ada", base_url=f"{scheme}://localhost"))
    assert ("; Secure" in (header or "")) is secure


def test_secure_outside_a_request(app: Flask) -> None:
    """Without a request, "auto" goes by the configuration."""
    app.config["SESSION_COOKIE_SECURE"] = "auto"
    assert app.session_interface.get_cookie_secure(app) is False
    app.config["PREFERRED_URL_SCHEME"] = "https"
    assert app.session_interface.get_cookie_secure(app) is True


def test_a_new_applications_cookie(client: FlaskClient) -> None:
    """Erlen's own defaults: not from foreign sites, secure over HTTPS, in no shared cache."""
    app = Erlen("new")
    app.secret_key = A_KEY

    @app.get("/")
    def index() -> str:
        session["user"] = "Ada"
        return ""

    @app.get("/public")
    def public() -> tuple[str, dict[str, str]]:
        session["user"] = "Ada"
        return "", {"Cache-Control": "public, max-age=60"}

    @app.get("/personal")
    def personal() -> tuple[str, dict[str, str]]:
        session["user"] = "Ada"
        return "", {"Cache-Control": "no-store"}

    @app.get("/untouched")
    def untouched() -> str:
        return ""

    client = app.test_client()
    header = session_cookie(client.get("/"))
    assert header is not None
    assert header.endswith("; HttpOnly; Path=/; SameSite=Lax")
    secure = client.get("/", base_url="https://localhost")
    assert "; Secure; " in (session_cookie(secure) or "")
    assert secure.headers["Cache-Control"] == "private"
    cached = client.get("/public").cache_control
    assert (cached.public, cached.private, cached.max_age) == (False, True, 60)
    assert client.get("/personal").headers["Cache-Control"] == "no-store"
    assert "Cache-Control" not in client.get("/untouched").headers


# Permanent sessions


def test_a_permanent_session_ends_later(app: Flask, client: FlaskClient) -> None:
    """A permanent session's cookie has an end, counted from now."""
    app.permanent_session_lifetime = timedelta(minutes=10)
    start = datetime.now(UTC).replace(microsecond=0)
    header = session_cookie(client.get("/keep"))
    assert header is not None
    ends = datetime.strptime(header.split("; ")[1], "Expires=%a, %d %b %Y %H:%M:%S GMT")
    elapsed = ends.replace(tzinfo=UTC) - start - timedelta(minutes=10)
    assert timedelta(0) <= elapsed < timedelta(minutes=1)


@pytest.mark.parametrize("path", ["/", "/read"])
def test_each_request_moves_the_end(app: Flask, client: FlaskClient, path: str) -> None:
    """A permanent session is set anew with each request, whether that used it or not."""
    client.get("/keep")
    response = client.get(path)
    assert "Expires=" in (session_cookie(response) or "")
    assert response.headers["Vary"] == "Cookie"

    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    assert session_cookie(client.get(path)) is None


def test_a_large_permanent_session_is_moved_too(client: FlaskClient) -> None:
    """A compressed cookie is as good as another."""
    with client.session_transaction() as stored:
        stored.permanent = True
        stored["text"] = "many words " * 100
    assert session_cookie(client.get("/")) is not None


def test_static_files_move_no_end(app: Flask, client: FlaskClient) -> None:
    """Static files, which caches keep, set no cookie."""

    @app.before_request
    def look() -> None:
        if touched:
            session.get("user")

    touched = False
    client.get("/keep")
    assert session_cookie(client.get("/static/missing.css")) is None
    touched = True
    assert session_cookie(client.get("/static/missing.css")) is None


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=80) | st.integers(), max_size=5))
def test_permanent_cookies_are_recognized(values: dict[str, t.Any]) -> None:
    """Whatever else a permanent session holds, its cookie shows it without being opened."""
    app = Flask("app")
    app.secret_key = A_KEY
    for serializer in (signer_of(app), plain_serializer(app)):
        cookie = serializer.dumps({**values, "_permanent": True})
        with app.test_request_context(headers={"Cookie": f"a=b; session={cookie}"}) as ctx:
            assert must_be_saved_unused(app.session_interface, app, ctx.request)


def test_a_session_that_is_not_permanent_stays_closed(client: FlaskClient) -> None:
    """A cookie that does not say it is permanent is not even checked."""
    client.get("/set/user/Ada")
    with client:
        client.get("/")
        assert request_ctx._open_session is None


@pytest.mark.parametrize("cookie", ["_", "eyJfcGVybWFuZW50Ijp0cnVlfQ.x.y", ".x", "\xff", "a" * 5])
def test_a_forged_permanent_cookie(app: Flask, cookie: str) -> None:
    """A cookie that only claims to be permanent gets nothing."""
    response = request_with(app, cookie, "/")
    assert response.status_code == 200
    assert session_cookie(response) is None


def test_a_session_too_old(app: Flask, client: FlaskClient, monkeypatch: t.Any) -> None:
    """After its lifetime a cookie is worth nothing, and neither is one from the future."""
    client.get("/set/user/Ada")
    lifetime = app.permanent_session_lifetime.total_seconds()
    now = time.time()
    for passed, remembered in ((lifetime - 60, True), (lifetime + 60, False), (-100, False)):
        monkeypatch.setattr(time, "time", lambda passed=passed: now + passed)
        cookie = client.get_cookie("session")
        assert cookie is not None
        assert (read_with(app, cookie.value) == {"user": "Ada"}) is remembered


# Keys and signatures


@pytest.mark.usefixtures("at_flasks_time")
def test_flasks_cookies_are_read(app: Flask) -> None:
    """Cookies that Flask wrote, compressed or not, hold their sessions."""
    serializer = signer_of(app)
    assert serializer.loads(FLASK_COOKIE, max_age=3600) == {
        "user_id": 42,
        "pair": (1, 2),
        "at": datetime(2024, 2, 29, 12, tzinfo=UTC),
    }
    assert read_with(app, FLASK_COMPRESSED_COOKIE) == {"cart": ["apple"] * 40}


@pytest.mark.usefixtures("at_flasks_time")
def test_the_same_cookie_is_written(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same session at the same time gives Flask's cookie, letter by letter."""
    serializer = signer_of(app)
    data, when = serializer.loads(FLASK_COOKIE, return_timestamp=True)
    assert when == datetime.fromtimestamp(WRITTEN_AT, UTC)
    monkeypatch.setattr(time, "time", lambda: float(WRITTEN_AT))
    assert serializer.dumps(data) == FLASK_COOKIE


def test_compression_is_as_good_as_flasks(app: Flask) -> None:
    """A session that compresses well takes as little room as in Flask."""
    written = signer_of(app).dumps({"cart": ["apple"] * 40})
    assert written.startswith(".")
    assert len(written) == len(FLASK_COMPRESSED_COOKIE)


@pytest.mark.parametrize("data", [{}, {"a": 1}, EVERYTHING, {"text": "word " * 300}])
def test_itsdangerous_and_we_agree(app: Flask, data: dict[str, t.Any]) -> None:
    """What our serializer writes the library reads, and the other way round."""
    ours, plain = signer_of(app), plain_serializer(app)
    assert plain.loads(ours.dumps(data), max_age=10) == data
    assert ours.loads(plain.dumps(data), max_age=10) == data
    assert ours.loads(plain.dumps(data, salt="other"), salt="other") == data
    assert plain.loads(ours.dumps(data, salt="other"), salt="other") == data


@pytest.mark.usefixtures("at_flasks_time")
def test_key_rotation(app: Flask) -> None:
    """Cookies of older keys are read; new ones are signed with the current key."""
    assert read_with(app, FLASK_OLDER_COOKIE) == {}
    app.config["SECRET_KEY_FALLBACKS"] = ["the oldest key", "an older key"]
    assert read_with(app, FLASK_OLDER_COOKIE) == {"n": 1}
    assert read_with(app, plain_serializer(app, "the oldest key").dumps({"n": 2})) == {"n": 2}
    written = signer_of(app).dumps({"n": 3})
    assert plain_serializer(app).loads(written) == {"n": 3}
    app.config["SECRET_KEY_FALLBACKS"].remove("an older key")
    assert read_with(app, FLASK_OLDER_COOKIE) == {}


def test_a_new_key_holds_at_once(app: Flask, client: FlaskClient) -> None:
    """Setting another key makes the cookies of the first one worthless."""
    client.get("/set/user/Ada")
    app.secret_key = b"another key"
    assert client.get("/read").json == {}
    client.get("/set/user/Bob")
    assert client.get("/read").json == {"user": "Bob"}


def test_the_serializer_is_kept(app: Flask) -> None:
    """What signs is made once for the same settings, for all applications that share them."""
    twin = Flask("twin")
    twin.secret_key = A_KEY
    assert signer_of(app) is signer_of(app) is signer_of(twin)


def test_settings_of_a_subclass(app: Flask) -> None:
    """Salt, hash, derivation, serializer and class of the session can be chosen."""

    class Own(SecureCookieSession):
        pass

    class Interface(SecureCookieSessionInterface):
        salt = "own"
        digest_method = staticmethod(hashlib.sha256)
        key_derivation = "django-concat"
        serializer = json
        session_class = Own

    app.session_interface = Interface()
    serializer = signer_of(app)
    plain = URLSafeTimedSerializer(
        A_KEY,
        salt="own",
        serializer=json,
        signer_kwargs={"key_derivation": "django-concat", "digest_method": hashlib.sha256},
    )
    assert plain.loads(serializer.dumps({"a": [1]})) == {"a": [1]}
    with app.test_request_context(headers={"Cookie": f"session={plain.dumps({'a': 1})}"}):
        assert session == {"a": 1}
        assert type(t.cast(t.Any, session)._get_current_object()) is Own


def test_a_serializer_without_a_hash(app: Flask, client: FlaskClient) -> None:
    """Settings that cannot be looked up in a table serve as well."""

    class Serializer:
        __hash__ = None  # type: ignore[assignment]

        def dumps(self, value: t.Any) -> str:
            return json.dumps(value)

        def loads(self, value: str) -> t.Any:
            return json.loads(value)

    interface = SecureCookieSessionInterface()
    interface.serializer = Serializer()
    app.session_interface = interface
    client.get("/set/user/Ada")
    assert client.get("/read").json == {"user": "Ada"}


def test_a_signing_serializer_of_ones_own(app: Flask, client: FlaskClient) -> None:
    """What another serializer writes is quoted, for it may hold anything."""

    class Open:
        def dumps(self, value: t.Any) -> str:
            return json.dumps(value)

        def loads(self, value: str, max_age: int) -> t.Any:
            return json.loads(value)

    class Interface(SecureCookieSessionInterface):
        def get_signing_serializer(self, app: Flask) -> t.Any:
            return Open()

    app.session_interface = Interface()
    header = session_cookie(client.get("/set/user/A;da"))
    assert header == r'session="{\"user\": \"A\073da\"}"; HttpOnly; Path=/'
    assert client.get("/read").json == {"user": "A;da"}


def changed(cookie: str, place: int) -> str:
    """Return a cookie with the letter at a place replaced."""
    other = "A" if cookie[place] != "A" else "B"
    return cookie[:place] + other + cookie[place + 1 :]


@pytest.mark.usefixtures("at_flasks_time")
@pytest.mark.parametrize(
    "cookie",
    [
        "",
        ".",
        "..",
        "...",
        "nonsense",
        "é",
        '"',
        "a" * 5000,
        FLASK_COOKIE.rpartition(".")[0],
        FLASK_COOKIE + "x",
        changed(FLASK_COOKIE, 0),
        changed(FLASK_COOKIE, -2),
        changed(FLASK_COOKIE, FLASK_COOKIE.index(".") + 3),
        FLASK_OLDER_COOKIE,
    ],
)
def test_bad_cookies_are_empty_sessions(app: Flask, cookie: str) -> None:
    """A cookie that was not signed here counts as none."""
    assert read_with(app, cookie) == {}
    with pytest.raises(BadSignature):
        signer_of(app).loads(cookie, max_age=3600)


@pytest.mark.parametrize(
    "payload",
    [
        b"[1,2]",
        b"5",
        b"null",
        b'"text"',
        b"not json",
        b"\xff",
        b'{" u":"nonsense"}',
        b'{" d":5}',
        b'{" di":{}}',
        b'{" t":5}',
        b"[" * 100_000,
    ],
)
def test_odd_data_under_a_good_signature(app: Flask, payload: bytes) -> None:
    """Data that another program signed with the same key is no session, and no error."""
    signer = plain_serializer(app).make_signer("cookie-session")
    assert read_with(app, signer.sign(base64_encode(payload)).decode()) == {}


@pytest.mark.parametrize("stamp", [b"!!!", b"", b"A" * 40, b"=", b"AAAAA"])
def test_odd_times_under_a_good_signature(app: Flask, stamp: bytes) -> None:
    """A time that is none makes no session either."""
    signer = t.cast(TimestampSigner, plain_serializer(app).make_signer("cookie-session"))
    signed = b"eyJuIjoxfQ." + stamp
    cookie = signed + b"." + signer.get_signature(signed)
    assert read_with(app, cookie.decode()) == {}


def test_the_serializer_says_what_is_wrong(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """For those who use it themselves, an expired text is told from a forged one."""
    serializer = signer_of(app)
    text = serializer.dumps([1])
    assert serializer.loads(text) == [1]
    with pytest.raises(BadSignature, match="does not match"):
        serializer.loads(changed(text, 0), max_age=10)
    later = time.time() + 100
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(SignatureExpired, match="> 10 seconds"):
        serializer.loads(text, max_age=10)


# Size


def random_text(length: int) -> str:
    """Return text that does not compress well."""
    return "".join(hashlib.sha512(str(n).encode()).hexdigest() for n in range(length // 128 + 1))[
        :length
    ]


def test_a_cookie_too_large_is_an_error(app: Flask, client: FlaskClient) -> None:
    """A cookie that browsers would drop is an error that names what is large."""

    @app.get("/fill/<int:size>")
    def fill(size: int) -> str:
        session["user"] = "Ada"
        session["cart"] = random_text(size)
        return ""

    assert session_cookie(client.get("/fill/4000")) is not None
    with pytest.raises(CookieTooLarge) as caught:
        client.get("/fill/9000")
    error = caught.value
    assert (error.name, error.limit, sorted(error.entries)) == ("session", 4093, ["cart", "user"])
    assert error.size > 4093
    assert "largest entries, before compression: 'cart' (90" in str(error)
    assert "session_interface" in str(error)

    app.testing = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    response = client.get("/fill/9000")
    assert response.status_code == 500
    assert session_cookie(response) is None


def test_the_limit_of_a_cookie(app: Flask, client: FlaskClient) -> None:
    """``MAX_COOKIE_SIZE`` is the size of the whole header; 0 turns the check off."""

    @app.get("/fill")
    def fill() -> str:
        session["cart"] = "x"
        session["more"] = (1, 2)
        return ""

    size = len(client.get("/fill").headers["Set-Cookie"])
    app.config["MAX_COOKIE_SIZE"] = size
    assert client.get("/fill").status_code == 200
    app.config["MAX_COOKIE_SIZE"] = size - 1
    with pytest.raises(CookieTooLarge, match=f"would take {size} bytes"):
        client.get("/fill")
    app.config["MAX_COOKIE_SIZE"] = 0
    assert client.get("/fill").status_code == 200


def test_the_error_without_entries() -> None:
    """The error can be raised for other cookies too."""
    error = CookieTooLarge("own", 5000, 4093, {})
    assert "entries" not in str(error)
    assert str(error).startswith("The cookie 'own' would take 5000 bytes")


def test_a_response_class_may_set_cookies_its_way(app: Flask, client: FlaskClient) -> None:
    """An override of ``set_cookie`` is called."""

    class Marked(Response):
        def set_cookie(self, key: str, value: str = "", **options: t.Any) -> None:  # type: ignore[override]
            self.headers["X-Cookie"] = key
            super().set_cookie(key, value, **options)

    app.response_class = Marked
    response = client.get("/set/user/Ada")
    assert response.headers["X-Cookie"] == "session"
    cookie = parse_cookie(response.headers["Set-Cookie"])["session"]
    assert signer_of(app).loads(cookie) == {"user": "Ada"}


# Without a key


def test_without_a_key_the_session_is_empty(app: Flask, client: FlaskClient) -> None:
    """Without a secret key the session can be read, and changing it says what is missing."""
    app.secret_key = None
    response = client.get("/read")
    assert response.json == {}
    assert "Vary" not in response.headers
    with pytest.raises(RuntimeError, match="session is unavailable because no secret key was set"):
        client.get("/set/user/Ada")


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.__setitem__("a", 1),
        lambda s: s.__delitem__("a"),
        lambda s: s.__ior__({"a": 1}),
        lambda s: s.clear(),
        lambda s: s.pop("a", None),
        lambda s: s.popitem(),
        lambda s: s.setdefault("a", 1),
        lambda s: s.update(a=1),
        lambda s: setattr(s, "permanent", True),
    ],
)
def test_each_change_of_a_null_session_fails(change: t.Callable[[NullSession], object]) -> None:
    """There is no way to put something into a session that will not be kept."""
    stand_in = NullSession()
    with pytest.raises(RuntimeError, match="SECRET_KEY"):
        change(stand_in)
    assert stand_in.get("a") is None
    assert not stand_in.permanent


# The session object


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.__setitem__("b", 1),
        lambda s: s.__delitem__("a"),
        lambda s: s.__ior__({"b": 1}),
        lambda s: s.clear(),
        lambda s: s.pop("a"),
        lambda s: s.popitem(),
        lambda s: s.setdefault("b", 1),
        lambda s: s.update(b=1),
        lambda s: setattr(s, "permanent", False),
    ],
)
def test_changes_are_noted(change: t.Callable[[SecureCookieSession], object]) -> None:
    """Each way to change a session marks it."""
    opened = SecureCookieSession({"a": 1})
    assert not opened.modified
    change(opened)
    assert opened.modified


def test_attributes_of_a_session() -> None:
    """What a session knows about itself before anything happens."""
    opened = SecureCookieSession()
    assert (opened.new, opened.modified, opened.accessed) == (False, False, False)
    assert (SessionMixin.new, SessionMixin.modified, SessionMixin.accessed) == (False, True, False)
    assert opened.permanent is False
    opened.permanent = True
    assert opened == {"_permanent": True}
    assert opened.permanent is True


# Interfaces of one's own


class MemorySession(dict[str, t.Any], SessionMixin):
    """The simplest session."""


class MemoryInterface(SessionInterface):
    """Keeps one session on the server."""

    def __init__(self) -> None:
        self.stored: dict[str, t.Any] = {}
        self.opened = 0

    def open_session(self, app: Flask, request: Request) -> MemorySession:
        self.opened += 1
        return MemorySession(self.stored)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        self.stored = dict(session)


def test_an_interface_of_ones_own(app: Flask, gateway_client: FlaskClient) -> None:
    """It is opened at the start of each request and saved at the end, used or not."""
    interface = app.session_interface = MemoryInterface()
    gateway_client.get("/set/user/Ada")
    assert gateway_client.get("/read").json == {"user": "Ada"}
    gateway_client.get("/")
    assert interface.opened == 3


def test_an_interface_without_a_session(app: Flask, client: FlaskClient) -> None:
    """Where no session can be opened there is a stand-in, which is not saved."""

    class Closed(MemoryInterface):
        def open_session(self, app: Flask, request: Request) -> t.Any:
            return None

        def save_session(self, *args: object) -> None:
            raise AssertionError("saved")

    app.session_interface = Closed()
    assert client.get("/read").json == {}


def test_the_interface_leaves_the_work_to_subclasses(app: Flask) -> None:
    """The base class neither opens nor saves."""
    interface = SessionInterface()
    with app.test_request_context() as ctx:
        with pytest.raises(NotImplementedError):
            interface.open_session(app, ctx.request)
        with pytest.raises(NotImplementedError):
            interface.save_session(app, SecureCookieSession(), Response())
    assert interface.pickle_based is False
    assert interface.is_null_session(interface.make_null_session(app))
    assert not interface.is_null_session(SecureCookieSession())


def test_which_interfaces_open_lazily() -> None:
    """Only the class that defines ``open_session`` can say that it may wait."""

    class Inherits(SecureCookieSessionInterface):
        salt = "own"

    class Overrides(SecureCookieSessionInterface):
        def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
            return super().open_session(app, request)

    class Declares(Overrides):
        opens_lazily = True

        def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
            return super().open_session(app, request)

    class InheritsOverride(Overrides):
        opens_lazily = True

    patched: t.Any = SecureCookieSessionInterface()
    patched.open_session = lambda app, request: None

    assert opens_lazily(SecureCookieSessionInterface())
    assert opens_lazily(Inherits())
    assert opens_lazily(Declares())
    for interface in (Overrides(), InheritsOverride(), patched, SessionInterface(), object()):
        assert not opens_lazily(interface)


def test_an_override_is_opened_for_each_request(app: Flask, client: FlaskClient) -> None:
    """An ``open_session`` that may do anything is called even where the session is not used."""
    opened = []

    class Counting(SecureCookieSessionInterface):
        def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
            opened.append(request.path)
            return super().open_session(app, request)

    app.session_interface = Counting()
    client.get("/")
    client.get("/read")
    assert opened == ["/", "/read"]


def test_an_override_of_saving_is_called_for_each_request(app: Flask, client: FlaskClient) -> None:
    """A ``save_session`` that may do anything is called even where the session is not used."""

    class Marking(SecureCookieSessionInterface):
        def save_session(self, app: Flask, session: t.Any, response: t.Any) -> None:
            response.headers["X-Saved"] = "yes"
            super().save_session(app, session, response)

    app.session_interface = Marking()
    assert client.get("/").headers["X-Saved"] == "yes"


def test_an_override_of_should_set_cookie(app: Flask, client: FlaskClient) -> None:
    """A ``should_set_cookie`` of one's own decides, for unused sessions too."""

    class Always(SecureCookieSessionInterface):
        def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
            return True

    client.get("/set/user/Ada")
    app.session_interface = Always()
    assert session_cookie(client.get("/")) is not None


def test_a_session_class_that_is_always_permanent(app: Flask, client: FlaskClient) -> None:
    """A class that decides by itself what is permanent is asked."""

    class Lasting(SecureCookieSession):
        permanent = True

    class Interface(SecureCookieSessionInterface):
        session_class = Lasting

    app.session_interface = Interface()
    client.get("/set/user/Ada")
    assert "Expires=" in (session_cookie(client.get("/")) or "")


def test_unused_sessions_without_a_cookie(app: Flask) -> None:
    """A request without a cookie has nothing to save."""
    with app.test_request_context() as ctx:
        assert not must_be_saved_unused(app.session_interface, app, ctx.request)
    with app.test_request_context(headers={"Cookie": "other=1"}) as ctx:
        assert not must_be_saved_unused(app.session_interface, app, ctx.request)


@pytest.mark.parametrize("digest", [hashlib.sha256, hashlib.sha512, "sha384", hashlib.blake2b])
@pytest.mark.parametrize("key", ["k", "long" * 60], ids=["short", "longer than a block"])
@pytest.mark.parametrize("derivation", ["hmac", "none"])
def test_other_hashes(app: Flask, digest: t.Any, key: str, derivation: str) -> None:
    """With any hash and key, signatures are those of itsdangerous, both ways."""

    class Interface(SecureCookieSessionInterface):
        digest_method = digest if isinstance(digest, str) else staticmethod(digest)
        key_derivation = derivation

    app.secret_key = key
    app.session_interface = Interface()
    own = signer_of(app)
    plain = plain_serializer(app, key, digest_method=digest, key_derivation=derivation)
    assert plain.loads(own.dumps({"a": 1})) == {"a": 1}
    assert own.loads(plain.dumps({"a": 1}), max_age=60) == {"a": 1}
    with pytest.raises(BadSignature):
        own.loads(plain.dumps({"a": 1})[:-3] + "abc", max_age=60)
