"""Forged requests are refused, as the table in the documentation says."""

from __future__ import annotations

import itertools
import json
import re
import typing as t

import pytest
from itsdangerous import URLSafeTimedSerializer
from werkzeug.middleware.proxy_fix import ProxyFix

from erlen import Blueprint, Erlen, Flask, g, render_template_string, request, session
from erlen.forms import (
    CSRFError,
    CSRFProtect,
    FlaskForm,
    csrf_meta_tag,
    generate_csrf,
    renew_csrf,
    validate_csrf,
)
from erlen.forms.csrf import same_origin
from erlen.forms.fields import StringField
from erlen.forms.validators import ValidationError

from .csrf_table import ROWS, Sent, is_accepted

if t.TYPE_CHECKING:
    from erlen.testing import FlaskClient

HOST = "shop.example"
TRUSTED = "https://app.example"

SITES = {
    "same-origin": "same-origin",
    "same-site": "same-site",
    "cross-site": "cross-site",
    "none": "none",
    "unknown": "same-planet",
    "not sent": None,
}
ORIGINS = {
    "this origin": f"https://{HOST}",
    "other scheme": f"http://{HOST}",
    "other host": "https://evil.example",
    "trusted": TRUSTED,
    "null": "null",
    "not sent": None,
}
REFERRERS = {
    "this origin": f"https://{HOST}/form",
    "other host": "https://evil.example/",
    "not sent": None,
}
TOKENS = ("right", "wrong", "missing")
#: What a client sends, and in which way it may carry the token.
KINDS = ("form", "fetch", "htmx")


def make_app(cls: type[Flask] = Erlen, **config: t.Any) -> Flask:
    """Return a protected application that counts what it accepted."""
    app = cls("csrf_test")
    app.secret_key = "test key"
    app.config.update(TESTING=True, WTF_CSRF_TRUSTED_ORIGINS=[TRUSTED], **config)
    CSRFProtect(app)

    @app.get("/token")
    def token() -> str:
        return generate_csrf()

    @app.route("/change", methods=["POST", "PUT", "PATCH", "DELETE"])
    def change() -> str:
        return "changed"

    return app


def send(
    client: FlaskClient, sent: Sent, kind: str = "form", base_url: str = f"https://{HOST}"
) -> int:
    """Send a request as a client of a kind would, and return the status."""
    tokens = {"right": fetch_token(client, base_url), "wrong": "wrong.token", "missing": None}
    headers = {
        "Sec-Fetch-Site": SITES[sent.site],
        "Origin": ORIGINS[sent.origin],
        "Referer": REFERRERS[sent.referrer],
    }
    token = tokens[sent.token]
    options: dict[str, t.Any] = {"data": {"text": "tea"}}
    if kind == "form":
        options["data"] = {"text": "tea", "csrf_token": token or ""}
    elif kind == "fetch":
        options = {"json": {"text": "tea"}}
        headers |= {"X-CSRFToken": token}
    else:
        headers |= {"X-CSRF-Token": token, "HX-Request": "true"}
    given = {name: value for name, value in headers.items() if value is not None}
    return client.post("/change", base_url=base_url, headers=given, **options).status_code


def fetch_token(client: FlaskClient, base_url: str = f"https://{HOST}") -> str:
    """Return a token for the visitor that a client is."""
    return client.get("/token", base_url=base_url).text


@pytest.mark.parametrize(
    ("kind", "gateway"), [*((kind, "wsgi") for kind in KINDS), ("form", "asgi"), ("form", "rsgi")]
)
def test_every_combination(kind: str, gateway: str) -> None:
    """Each combination of headers and token is answered as the table says."""
    client = make_app().test_client(gateway=gateway)
    wrong = []
    for combination in itertools.product(SITES, ORIGINS, REFERRERS, TOKENS):
        sent = Sent(*combination)
        status = send(client, sent, kind)
        if status != (200 if is_accepted(sent) else 400):
            wrong.append((sent, status))
    assert wrong == []


def test_every_row_is_needed() -> None:
    """Each row of the table decides about some request, so none is left untested."""
    combinations = [Sent(*each) for each in itertools.product(SITES, ORIGINS, REFERRERS, TOKENS)]
    deciding = {
        next(number for number, row in enumerate(ROWS) if row.covers(sent)) for sent in combinations
    }
    assert deciding == set(range(len(ROWS)))


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("origin", ORIGINS)
def test_form_without_the_extension(site: str, origin: str) -> None:
    """A form decides by the same table where the application is not protected as a whole."""
    app = Erlen("csrf_test")
    app.secret_key = "test key"
    app.config["WTF_CSRF_TRUSTED_ORIGINS"] = [TRUSTED]
    app.add_url_rule("/token", view_func=generate_csrf)

    @app.post("/change")
    def change() -> tuple[str, int]:
        return "", 200 if FlaskForm().validate_on_submit() else 400

    client = app.test_client()
    for token in TOKENS:
        sent = Sent(site, origin, "not sent", token)
        assert (send(client, sent) == 200) == is_accepted(sent), sent


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods(method: str) -> None:
    """The other methods that change something are checked too."""
    client = make_app().test_client()
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert client.open("/change", method=method, headers=headers).status_code == 400
    headers = {"Sec-Fetch-Site": "same-origin"}
    assert client.open("/change", method=method, headers=headers).status_code == 200


def test_reading_is_not_checked() -> None:
    """A GET from elsewhere, a link for instance, is answered."""
    client = make_app().test_client()
    assert client.get("/token", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    assert client.options("/change", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_unknown_address_is_not_found() -> None:
    """Where there is no view the answer is 404, whatever the request says."""
    client = make_app().test_client()
    assert client.post("/nothing", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 404


class TestBehindProxy:
    """TLS ends at a server in front."""

    FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": HOST, "X-Forwarded-For": "::1"}

    def send(self, app: Flask, **headers: str) -> int:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return (
            app.test_client()
            .post("/change", base_url=f"http://{HOST}", headers=self.FORWARDED | names)
            .status_code
        )

    def test_application_that_knows(self) -> None:
        """With ProxyFix the application sees the origin that the browser sees."""
        app = make_app()
        app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)  # type: ignore[method-assign]
        assert self.send(app, Origin=f"https://{HOST}") == 200
        assert self.send(app, Origin=f"http://{HOST}") == 400
        assert self.send(app, Origin="https://evil.example") == 400
        assert self.send(app, Sec_Fetch_Site="same-origin", Origin=f"https://{HOST}") == 200

    def test_application_that_does_not_know(self) -> None:
        """Without it today's browsers work; for older ones the token decides."""
        app = make_app()
        assert self.send(app, Sec_Fetch_Site="same-origin", Origin=f"https://{HOST}") == 200
        assert self.send(app, Sec_Fetch_Site="cross-site", Origin=f"https://{HOST}") == 400
        assert self.send(app, Origin=f"https://{HOST}") == 400
        client = app.test_client()
        token = fetch_token(client, f"http://{HOST}")
        headers = self.FORWARDED | {"Origin": f"https://{HOST}", "X-CSRFToken": token}
        answer = client.post("/change", base_url=f"http://{HOST}", headers=headers)
        assert answer.status_code == 200

    def test_forwarded_headers_of_strangers(self) -> None:
        """Without ProxyFix the headers that a stranger may send are not believed."""
        app = make_app()
        headers = {"X-Forwarded-Host": "evil.example", "Origin": "https://evil.example"}
        answer = app.test_client().post("/change", base_url=f"http://{HOST}", headers=headers)
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "origin",
    [
        "https://[",
        "https://shop.example:port",
        "",
        " ",
        "shop.example",
        "https://shop.example.evil",
    ],
)
def test_malformed_origin(origin: str) -> None:
    """An Origin that is none is refused, or as good as not sent; never an error."""
    answer = (
        make_app()
        .test_client()
        .post("/change", base_url=f"https://{HOST}", headers={"Origin": origin})
    )
    assert answer.status_code == 400


def test_port_belongs_to_the_origin() -> None:
    """Another port is another origin."""
    client = make_app().test_client()
    base_url = f"https://{HOST}:8443"
    for origin, status in ((base_url, 200), (f"https://{HOST}", 400), (f"{base_url}0", 400)):
        answer = client.post("/change", base_url=base_url, headers={"Origin": origin})
        assert answer.status_code == status, origin


class TestBearer:
    """Requests that are authenticated by a header need no token."""

    @pytest.mark.parametrize("site", ["cross-site", "same-site", None])
    def test_bearer_is_exempt(self, site: str | None) -> None:
        headers = {"Authorization": "Bearer 6a7f"}
        if site:
            headers["Sec-Fetch-Site"] = site
        assert make_app().test_client().post("/change", headers=headers).status_code == 200

    @pytest.mark.parametrize(
        "value", ["Bearer", "Bearer ", "Basic YTpi", "bearer", "", "Digest x=y", "Negotiate YIIa"]
    )
    def test_other_schemes_are_not(self, value: str) -> None:
        """A browser adds these by itself, as it does cookies, so they prove nothing."""
        headers = {"Authorization": value, "Sec-Fetch-Site": "cross-site"}
        assert make_app().test_client().post("/change", headers=headers).status_code == 400

    def test_with_the_defaults_of_flask_it_is_not(self) -> None:
        client = make_app(Flask).test_client()
        assert client.post("/change", headers={"Authorization": "Bearer 6a7f"}).status_code == 400


class TestAnswer:
    """Clients are told in their own format."""

    @pytest.mark.parametrize(
        "options",
        [
            {"json": {"a": 1}},
            {"headers": {"Accept": "application/json"}},
            {"headers": {"Accept": "application/json, text/html;q=0.5"}},
        ],
    )
    def test_json(self, options: dict[str, t.Any]) -> None:
        answer = make_app().test_client().post("/change", **options)
        assert answer.status_code == 400
        assert answer.content_type == "application/problem+json"
        assert json.loads(answer.data) == {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": "The CSRF token is missing.",
        }

    @pytest.mark.parametrize("accept", ["text/html", "*/*", "text/html, application/json", ""])
    def test_html(self, accept: str) -> None:
        answer = make_app().test_client().post("/change", headers={"Accept": accept})
        assert answer.mimetype == "text/html"
        assert "The CSRF token is missing." in answer.text

    def test_with_the_defaults_of_flask_it_is_html(self) -> None:
        assert make_app(Flask).test_client().post("/change", json={}).mimetype == "text/html"

    def test_handler(self) -> None:
        """A handler of the application decides about the answer."""
        app = make_app()

        @app.errorhandler(CSRFError)
        def refuse(error: CSRFError) -> tuple[str, int]:
            return str(error.description), 418

        answer = app.test_client().post("/change", json={})
        assert (answer.status_code, answer.text) == (418, "The CSRF token is missing.")


class TestToken:
    """Tokens are signed, bound to the session, and look different each time."""

    def test_masked(self) -> None:
        """No response repeats a part of another one's token."""
        client = make_app().test_client()
        first, second = (fetch_token(client).split(".")[0] for _ in range(2))
        longest = max(
            size
            for size in range(len(first))
            if any(first[at : at + size] in second for at in range(len(first) - size))
        )
        assert longest < 12

    def test_same_during_a_request(self) -> None:
        app = make_app()
        with app.test_request_context():
            assert generate_csrf() == generate_csrf() == g.csrf_token
            validate_csrf(g.csrf_token)

    def test_not_masked_with_the_defaults_of_flask(self) -> None:
        """The format is that of Flask-WTF, so that both can serve one application's visitors."""
        app = make_app(Flask)
        with app.test_request_context():
            payload = generate_csrf().split(".")[0]
            assert re.fullmatch("[0-9a-f]{40}", session["csrf_token"])
            assert json.loads(decode(payload)) == session["csrf_token"]

    @pytest.mark.parametrize("value", ["0" * 40, "ü" * 30, "x", ""])
    def test_same_as_flask_wtf_signs(self, value: str) -> None:
        """Tokens are those that Flask-WTF's serializer makes, and both ways round."""
        app = make_app(Flask)
        plain = URLSafeTimedSerializer("test key", salt="wtf-csrf-token")
        with app.test_request_context():
            session["csrf_token"] = value
            assert plain.loads(generate_csrf()) == value
            validate_csrf(plain.dumps(value))

    def test_other_visitor(self) -> None:
        """A token of somebody else is worthless."""
        app = make_app()
        token = fetch_token(app.test_client())
        other = app.test_client()
        fetch_token(other)
        headers = {"X-CSRFToken": token}
        answer = other.post("/change", base_url=f"https://{HOST}", headers=headers)
        assert "The CSRF tokens do not match." in answer.text

    def test_renewed(self) -> None:
        """A token from before the login is worthless after it."""
        app = make_app()

        @app.get("/login")
        def login() -> str:
            renew_csrf()
            return generate_csrf()

        client = app.test_client()
        before = fetch_token(client)
        after = client.get("/login", base_url=f"https://{HOST}").text
        for token, status in ((before, 400), (after, 200)):
            headers = {"X-CSRFToken": token}
            answer = client.post("/change", base_url=f"https://{HOST}", headers=headers)
            assert answer.status_code == status

    def test_renewed_through_the_extension(self) -> None:
        """Code that does not import the forms finds the same on the extension."""
        app = make_app()
        with app.test_request_context():
            before = generate_csrf()
            app.extensions["csrf"].renew()
            assert "csrf_token" not in session
            assert generate_csrf() != before

    def test_key_that_was_changed(self) -> None:
        """A token signed with the old key is good while that is still accepted."""
        app = make_app()
        with app.test_request_context():
            token = generate_csrf()
            app.secret_key = "new key"
            with pytest.raises(ValidationError, match="invalid"):
                validate_csrf(token)
            app.config["SECRET_KEY_FALLBACKS"] = ["test key"]
            validate_csrf(token)

    @pytest.mark.parametrize(
        "data", [5, 1.5, True, ["a"], {"a": 1}, "\ud800", "a.b.c", "ä.b", b"\xff", "." * 10_000]
    )
    def test_anything_in_its_place(self, data: t.Any) -> None:
        """What is no token is invalid, whatever JSON brings."""
        with make_app().test_request_context():
            generate_csrf()
            with pytest.raises(ValidationError, match="invalid"):
                validate_csrf(data)

    def test_anything_in_the_session(self) -> None:
        """A token that the application's tests put into the session is good."""
        app = make_app()
        with app.test_request_context():
            session["csrf_token"] = "of a test, ü"
            validate_csrf(generate_csrf())
            assert session["csrf_token"] == "of a test, ü"

    def test_without_a_key(self) -> None:
        app = make_app()
        app.secret_key = None
        with app.test_request_context(), pytest.raises(RuntimeError, match="WTF_CSRF_SECRET_KEY"):
            generate_csrf()

    def test_token_of_json_form(self) -> None:
        """A form reads the token from JSON, and refuses what is none."""
        app = Erlen("csrf_test")
        app.secret_key = "test key"
        app.add_url_rule("/token", view_func=generate_csrf)
        app.add_url_rule(
            "/", "form", lambda: str(FlaskForm().validate_on_submit()), methods=["POST"]
        )
        client = app.test_client()
        token = client.get("/token").text
        assert client.post("/", json={"csrf_token": token}).text == "True"
        wrong: t.Any
        for wrong in (5, None, [], {"a": token}, "x"):
            assert client.post("/", json={"csrf_token": wrong}).text == "False"


def decode(text: str) -> str:
    """Return a part of a token decoded."""
    import base64

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


class TestExempt:
    """Views and blueprints can be exempt."""

    FOREIGN = {"Sec-Fetch-Site": "cross-site"}

    def test_view(self) -> None:
        app = make_app()
        csrf: CSRFProtect = app.extensions["csrf"]

        @app.post("/hook")
        @csrf.exempt
        def hook() -> str:
            return ""

        client = app.test_client()
        assert client.post("/hook", headers=self.FOREIGN).status_code == 200
        assert client.post("/change", headers=self.FOREIGN).status_code == 400

    def test_blueprint(self) -> None:
        app = make_app()
        for name in ("open", "closed"):
            blueprint = Blueprint(name, __name__, url_prefix=f"/{name}")
            blueprint.add_url_rule("/", "view", lambda: "", methods=["POST"])
            if name == "open":
                app.extensions["csrf"].exempt(blueprint)
            app.register_blueprint(blueprint)
        client = app.test_client()
        assert client.post("/open/", headers=self.FOREIGN).status_code == 200
        assert client.post("/closed/", headers=self.FOREIGN).status_code == 400

    def test_by_name(self) -> None:
        app = make_app()
        app.extensions["csrf"].exempt(f"{__name__}.change")
        assert app.test_client().post("/change", headers=self.FOREIGN).status_code == 200

    def test_nameless_view(self) -> None:
        """What has no name cannot be told apart, and is refused at once."""
        with pytest.raises(TypeError, match="has no name"):
            CSRFProtect().exempt(object.__new__(type("Nameless", (), {"__module__": None})))

    @pytest.mark.parametrize("key", ["WTF_CSRF_ENABLED", "WTF_CSRF_CHECK_DEFAULT"])
    def test_off(self, key: str) -> None:
        """The check of all requests can be off; calls of protect() check in any case."""
        app = make_app()
        app.config[key] = False

        @app.post("/manual")
        def manual() -> str:
            app.extensions["csrf"].protect()
            return ""

        client = app.test_client()
        assert client.post("/change", headers=self.FOREIGN).status_code == 200
        assert client.post("/manual", headers=self.FOREIGN).status_code == 400
        headers = {"Sec-Fetch-Site": "same-origin"}
        assert client.post("/manual", headers=headers).status_code == 200


def test_accepted_request_does_not_read_the_body() -> None:
    """Where the browser says enough, the view can stream the body itself."""
    app = make_app()

    @app.post("/stream")
    def stream() -> bytes:
        assert "form" not in request.__dict__
        return request.stream.read()

    answer = app.test_client().post(
        "/stream",
        data=b"text=tea",
        content_type="application/x-www-form-urlencoded",
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.data == b"text=tea"


def test_form_in_a_protected_application() -> None:
    """The form of a request that was accepted needs no token of its own."""
    app = make_app()

    class NoteForm(FlaskForm):
        text = StringField()

    @app.post("/form")
    def form() -> str:
        return str(NoteForm().validate_on_submit())

    headers = {"Sec-Fetch-Site": "same-origin"}
    assert app.test_client().post("/form", headers=headers, data={"text": "tea"}).text == "True"


def test_templates() -> None:
    """Templates have the token and the meta element, also where imported without context."""
    app = make_app()
    with app.test_request_context():
        assert render_template_string("{{ csrf_token() }}") == generate_csrf()
        assert render_template_string("{{ csrf_meta_tag() }}") == csrf_meta_tag()
        assert app.jinja_env.globals["csrf_token"] is generate_csrf


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example/x", "https://a.example/y", True),
        ("https://a.example", "https://a.example:8080", False),
        ("https://a.example", "http://a.example", False),
        ("https://[", "https://[", False),
        ("https://a.example:x", "https://a.example", False),
    ],
)
def test_same_origin(one: str, other: str, same: bool) -> None:
    """Origins are compared by scheme, host and port; what is no address is nobody's."""
    assert same_origin(one, other) is same


def test_strict_referrer_with_the_defaults_of_flask() -> None:
    """Over HTTPS the scheme of Flask-WTF demands a referrer of the same origin."""
    client = make_app(Flask).test_client()
    token = fetch_token(client)
    for referrer, reason in (
        (None, "The referrer header is missing."),
        ("https://evil.example/", "The referrer does not match the host."),
        ("https://[", "The referrer does not match the host."),
    ):
        headers = {"X-CSRFToken": token} | ({"Referer": referrer} if referrer else {})
        answer = client.post("/change", base_url=f"https://{HOST}", headers=headers)
        assert answer.status_code == 400 and reason in answer.text
    headers = {"X-CSRFToken": token, "Referer": f"https://{HOST}/"}
    assert client.post("/change", base_url=f"https://{HOST}", headers=headers).status_code == 200
