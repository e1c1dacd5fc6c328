"""The captcha service is asked, and what it answers cannot break a page."""

from __future__ import annotations

import json
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest

from erlen import Erlen, Flask
from erlen.forms import FlaskForm, Recaptcha, RecaptchaField

if t.TYPE_CHECKING:
    from collections.abc import Iterator


class SignUp(FlaskForm):
    captcha = RecaptchaField()


class Service(HTTPServer):
    """A captcha service that answers as a test says."""

    answer: tuple[int, bytes] = (200, b'{"success": true}')
    asked: list[dict[str, list[str]]]


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.asked.append(parse_qs(self.rfile.read(length).decode()))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    """A captcha service on this machine."""
    server = Service(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def app(service: Service) -> Flask:
    app = Erlen("captcha_test")
    app.secret_key = "test key"
    app.config.update(
        WTF_CSRF_ENABLED=False,
        RECAPTCHA_PUBLIC_KEY="public",
        RECAPTCHA_PRIVATE_KEY="private",
        RECAPTCHA_VERIFY_SERVER=f"http://127.0.0.1:{service.server_port}/verify",
        PROPAGATE_EXCEPTIONS=True,
    )

    @app.post("/")
    def view() -> dict[str, t.Any]:
        form = SignUp()
        form.validate_on_submit()
        return form.errors

    return app


def post(app: Flask, **options: t.Any) -> list[str]:
    """Return the errors of the captcha."""
    options = options or {"data": {"g-recaptcha-response": "I am"}}
    answer = app.test_client().post("/", **options)
    assert answer.json is not None
    return list(answer.json.get("captcha", []))


def test_accepted(app: Flask, service: Service) -> None:
    """The service learns the key, the answer and the address of the visitor."""
    assert post(app) == []
    assert service.asked == [
        {"secret": ["private"], "remoteip": ["127.0.0.1"], "response": ["I am"]}
    ]


def test_json(app: Flask, service: Service) -> None:
    """The answer may come as JSON."""
    assert post(app, json={"g-recaptcha-response": "I am"}) == []
    assert service.asked[0]["response"] == ["I am"]


@pytest.mark.parametrize("data", [{}, [], 5, {"g-recaptcha-response": 5}, "x"])
def test_no_answer(app: Flask, service: Service, data: object) -> None:
    """Without an answer nobody is asked."""
    assert post(app, json=data) == ["The response parameter is missing."]
    assert service.asked == []


def test_refused(app: Flask, service: Service) -> None:
    codes = {"success": False, "error-codes": ["strange", "invalid-input-response"]}
    service.answer = (200, json.dumps(codes).encode())
    assert post(app) == ["The response parameter is invalid or malformed."]


@pytest.mark.parametrize(
    "answer",
    [
        (500, b"{}"),
        (404, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"success": false}'),
        (200, b'{"success": false, "error-codes": null}'),
        (200, b"\xff"),
    ],
)
def test_bad_answers(app: Flask, service: Service, answer: tuple[int, bytes]) -> None:
    """A service that is out of order accepts nobody, and breaks no page."""
    service.answer = answer
    assert post(app) == ["The response parameter is missing."]


def test_unreachable(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """A service that cannot be reached is logged."""
    app.config["RECAPTCHA_VERIFY_SERVER"] = "http://127.0.0.1:1/"
    assert post(app) == ["The response parameter is missing."]
    assert "did not answer as it should" in caplog.text


def test_off(app: Flask, service: Service) -> None:
    """In tests, and where it is switched off, nobody is asked."""
    app.testing = True
    assert post(app) == []
    app.testing = False
    app.config["RECAPTCHA_ENABLED"] = False
    assert post(app) == []
    assert service.asked == []
    with app.test_request_context():
        assert SignUp().captcha() == "<!-- recaptcha disabled -->"


def test_without_keys(app: Flask) -> None:
    del app.config["RECAPTCHA_PRIVATE_KEY"]
    with pytest.raises(RuntimeError, match="RECAPTCHA_PRIVATE_KEY"):
        post(app)
    del app.config["RECAPTCHA_PUBLIC_KEY"]
    with app.test_request_context(), pytest.raises(RuntimeError, match="RECAPTCHA_PUBLIC_KEY"):
        SignUp().captcha()


def test_message(app: Flask) -> None:
    class Polite(FlaskForm):
        captcha = RecaptchaField(validators=[Recaptcha("Are you there?")])

    with app.test_request_context(method="POST"):
        form = Polite()
        assert not form.validate() and form.captcha.errors == ["Are you there?"]


class TestHtml:
    def render(self, app: Flask, field: RecaptchaField | None = None, **kwargs: t.Any) -> str:
        class CaptchaForm(FlaskForm):
            captcha = field or RecaptchaField()

        with app.test_request_context():
            return str(CaptchaForm().captcha(**kwargs))

    def test_default(self, app: Flask) -> None:
        html = self.render(app)
        assert "<script src='https://www.google.com/recaptcha/api.js' async defer></script>" in html
        assert '<div class="g-recaptcha" data-sitekey="public" id="captcha"></div>' in html

    def test_configured(self, app: Flask) -> None:
        app.config.update(
            RECAPTCHA_SCRIPT="https://js.hcaptcha.com/1/api.js",
            RECAPTCHA_PARAMETERS={"hl": "de", "x": "'"},
            RECAPTCHA_DATA_ATTRS={"theme": "dark"},
            RECAPTCHA_DIV_CLASS="h-captcha",
        )
        html = self.render(app, data_theme="light", class_="wide")
        assert "src='https://js.hcaptcha.com/1/api.js?hl=de&amp;x=%27'" in html
        assert 'class="wide" data-sitekey="public" data-theme="light"' in html
        assert 'class="h-captcha"' in self.render(app)

    def test_own(self, app: Flask) -> None:
        app.config["RECAPTCHA_HTML"] = "<b>captcha</b>"
        assert self.render(app) == "<b>captcha</b>"

    def test_nonce(self, app: Flask) -> None:
        """The nonce of the page's policy is on the script, and escaped."""
        assert 'nonce="abc"' in self.render(app, RecaptchaField(nonce="abc"))
        assert 'nonce="&#34;&gt;"' in self.render(app, RecaptchaField(nonce=lambda: '">'))
