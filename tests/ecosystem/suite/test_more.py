"""More published extensions: Flask-Security, Flask-Mailman, Flask-Executor, Flask-Assets,
Flask-HTMX, Flask-Argon2, Authlib, prometheus-flask-exporter, pytest-flask."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from authlib.integrations.flask_client import OAuth
from flask import Flask, current_app, g, request
from flask_argon2 import Argon2
from flask_assets import Bundle, Environment
from flask_executor import Executor
from flask_htmx import HTMX
from flask_mailman import EmailMessage, Mail
from flask_security import (
    RoleMixin,
    Security,
    SQLAlchemyUserDatastore,
    UserMixin,
    auth_required,
    hash_password,
    roles_required,
)
from flask_sqlalchemy import SQLAlchemy
from prometheus_client import CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics
from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table


def create_secure_app() -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(
        TESTING=True,
        SECRET_KEY="a key for tests",
        SECURITY_PASSWORD_SALT="1234567890",
        SECURITY_PASSWORD_HASH="plaintext",
        SECURITY_PASSWORD_SCHEMES=["plaintext"],
        SECURITY_DEPRECATED_PASSWORD_SCHEMES=[],
        SECURITY_REGISTERABLE=True,
        SECURITY_SEND_REGISTER_EMAIL=False,
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
        SQLALCHEMY_DATABASE_URI="sqlite://",
        WTF_CSRF_ENABLED=False,
    )
    db = SQLAlchemy(app)
    links = Table(
        "links",
        db.metadata,
        Column("user_id", ForeignKey("user.id")),
        Column("role_id", ForeignKey("role.id")),
    )

    class Role(db.Model, RoleMixin):
        id = Column(Integer, primary_key=True)
        name = Column(String, unique=True)
        description = Column(String)

    class User(db.Model, UserMixin):
        id = Column(Integer, primary_key=True)
        email = Column(String, unique=True)
        password = Column(String)
        active = Column(Boolean)
        fs_uniquifier = Column(String, unique=True)
        roles = db.relationship("Role", secondary=links)

    store = SQLAlchemyUserDatastore(db, User, Role)
    Security(app, store)

    @app.get("/private")
    @auth_required("session")
    def private() -> str:
        return "private"

    @app.get("/admin")
    @roles_required("admin")
    def admin() -> str:
        return "admin"

    with app.app_context():
        db.create_all()
        role = store.create_role(name="admin")
        password = hash_password("correct horse")
        store.create_user(email="ada@example.com", password=password, roles=[role])
        store.create_user(email="bob@example.com", password=password)
        store.commit()
    return app


def test_security() -> None:
    """Login, roles, registration and JSON answers of Flask-Security."""
    app = create_secure_app()
    ada, bob, eve = (app.test_client() for _ in range(3))
    assert ada.get("/private").status_code == 302
    for client, name in ((ada, "ada"), (bob, "bob")):
        form = {"email": f"{name}@example.com", "password": "correct horse"}
        assert client.post("/login", data=form).status_code == 302
        assert client.get("/private").text == "private"
    assert ada.get("/admin").text == "admin"
    assert bob.get("/admin").status_code == 403
    assert "email" in eve.get("/login").text
    wrong = eve.post("/login", json={"email": "ada@example.com", "password": "no"})
    assert wrong.status_code == 400 and wrong.get_json()["response"]["field_errors"]
    form = {"email": "eve@example.com", "password": "battery staple"}
    form["password_confirm"] = form["password"]
    assert eve.post("/register", data=form).status_code == 302
    assert eve.get("/private").text == "private"
    assert ada.post("/logout").status_code == 302
    assert ada.get("/private").status_code == 302


def test_security_commands() -> None:
    """Flask-Security's groups join the command line."""
    app = create_secure_app()
    outcome = app.test_cli_runner().invoke(args=["roles", "create", "editor"])
    assert outcome.exit_code == 0, outcome.output
    assert 'Role "editor" created' in outcome.output


def test_mailman() -> None:
    """A message lands in the outbox of the in-memory backend."""
    app = Flask(__name__)
    app.config.update(TESTING=True, MAIL_DEFAULT_SENDER="shop@example.com")
    Mail(app)

    @app.post("/send")
    def send() -> str:
        EmailMessage("Hello", "Body", to=["ada@example.com"]).send()
        return "sent"

    with app.app_context():
        assert app.test_client().post("/send").text == "sent"
        outbox = app.extensions["mailman"].outbox
        assert [message.subject for message in outbox] == ["Hello"]


def test_executor() -> None:
    """Work in a pool's thread has the application's and the request's context."""
    app = Flask(__name__)
    executor = Executor(app)

    def work() -> str:
        return f"{current_app.name} {request.args['n']} {g.mark}"

    @app.get("/")
    def index() -> str:
        g.mark = request.args["n"] * 2
        return t.cast(str, executor.submit(work).result(5))

    http = app.test_client()
    assert [http.get(f"/?n={n}").text for n in (1, 2)] == ["test_more 1 11", "test_more 2 22"]


def test_assets(tmp_path: Path) -> None:
    """Files of a blueprint and of the application are bundled into one."""
    (tmp_path / "a.css").write_text("a { color: red }")
    (tmp_path / "b.css").write_text("b { color: blue }")
    app = Flask(__name__, static_folder=str(tmp_path), static_url_path="/assets")
    assets = Environment(app)
    assets.register("css", Bundle("a.css", "b.css", output="all.css"))
    with app.test_request_context():
        (url,) = assets["css"].urls()
    assert url.startswith("/assets/all.css?")
    assert app.test_client().get(url).text == "a { color: red }\nb { color: blue }"


def test_htmx() -> None:
    """The request's headers are seen through the extension."""
    app = Flask(__name__)
    htmx = HTMX(app)

    @app.get("/")
    def index() -> str:
        return f"part for {htmx.target}" if htmx else "page"

    http = app.test_client()
    assert http.get("/").text == "page"
    headers = {"HX-Request": "true", "HX-Target": "list"}
    assert http.get("/", headers=headers).text == "part for list"


def test_argon2() -> None:
    """Hashes are made and checked."""
    argon2 = Argon2(Flask(__name__))
    hashed = argon2.generate_password_hash("secret")
    assert argon2.check_password_hash(hashed, "secret")
    assert not argon2.check_password_hash(hashed, "other")


def test_authlib_client() -> None:
    """An OAuth login starts with a redirect whose state is kept in the session."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY="a key for tests", ID_CLIENT_ID="me", ID_CLIENT_SECRET="s")
    oauth = OAuth(app)
    oauth.register("id", authorize_url="https://id.example/authorize")

    @app.get("/login")
    def login() -> t.Any:
        return oauth.id.authorize_redirect("https://shop.example/back")

    http = app.test_client()
    location = http.get("/login").headers["Location"]
    found = re.search(r"state=(\w+)", location)
    assert location.startswith("https://id.example/authorize?") and found
    with http.session_transaction() as session:
        assert any(found[1] in key for key in session)


def test_prometheus() -> None:
    """Requests are counted by path and status and shown on /metrics."""
    app = Flask(__name__)
    metrics = PrometheusMetrics(app, registry=CollectorRegistry())
    metrics.info("app_info", "About", version="1")

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    http = app.test_client()
    for path in ("/hello", "/hello", "/nothing"):
        http.get(path)
    page = http.get("/metrics").text
    assert 'flask_http_request_total{method="GET",status="200"} 2.0' in page
    assert 'flask_http_request_total{method="GET",status="404"} 1.0' in page


class TestPytestFlask:
    """pytest-flask's fixtures, made from an ``app`` fixture."""

    @pytest.fixture
    def app(self) -> Flask:
        app = Flask(__name__)

        @app.get("/ping")
        def ping() -> dict[str, str]:
            return {"ping": "pong"}

        return app

    def test_client(self, client: t.Any, accept_json: t.Any) -> None:
        """Its client is entered, so the request that was made is still the current one."""
        answer = client.get("/ping", headers=accept_json)
        assert answer.json == {"ping": "pong"}
        assert request.path == "/ping"

    @pytest.mark.options(debug=True)
    def test_options(self, app: Flask, config: t.Any) -> None:
        """Its mark changes the configuration."""
        assert app.debug and config["DEBUG"]
