"""With PERMISSIONS_DENY_BY_DEFAULT each endpoint says who may use it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from tests.permissions.library import ROLES, get, make_app

from erlen import Blueprint, Erlen, Flask, websocket
from erlen.cli.doctor import find_gaps
from erlen.exceptions import ConfigError
from erlen.login import Permissions, fresh_login_required, login_required, public, requires
from erlen.views import MethodView


@pytest.fixture
def app() -> Flask:
    return make_app(PERMISSIONS_DENY_BY_DEFAULT=True)


def find_unguarded(app: Flask) -> list[str]:
    """Return the endpoints that say nothing."""
    permissions: Permissions[t.Any] = app.extensions["permissions"]
    return permissions.find_unguarded(app)


def test_what_says_something(app: Flask, tmp_path: Path) -> None:
    """The decorators of logins and permissions, and `@public`, are enough, on whatever they are."""
    (tmp_path / "style.css").write_text("a {}")

    @app.get("/public")
    @public
    async def index() -> str:
        return "public"

    @app.get("/account")
    @login_required
    def account() -> str:
        return "account"

    @app.get("/password")
    @fresh_login_required
    async def password() -> str:
        return "password"

    @app.get("/loans")
    @requires("loan:create")
    async def loans() -> str:
        return "loans"

    class Books(MethodView):
        @public
        def get(self) -> str:
            return "books"

        @requires("book:edit")
        def post(self) -> str:
            return "edited"

    @requires("book:edit")
    class Shelves(MethodView):
        def get(self) -> str:
            return "shelves"

    app.add_url_rule("/books", view_func=Books.as_view("books"))
    app.add_url_rule("/shelves", view_func=Shelves.as_view("shelves"))
    pages = public(Blueprint("pages", __name__, static_folder=tmp_path, static_url_path="/files"))
    desk = requires("loan:list")(Blueprint("desk", __name__, url_prefix="/desk"))
    inner = Blueprint("inner", __name__, url_prefix="/inner")

    @pages.get("/about")
    def about() -> str:
        return "about"

    @inner.get("/")
    def files() -> str:
        return "files"

    desk.register_blueprint(inner)
    app.register_blueprint(desk)
    app.register_blueprint(pages)

    for path in ("/public", "/books", "/about", "/files/style.css"):
        assert get(app, path) == 200, path
    for path in ("/account", "/password", "/loans", "/shelves", "/desk/inner/"):
        assert get(app, path) == 401, path
    assert get(app, "/desk/inner/", "nora") == 200
    assert get(app, "/nothing") == 404
    assert get(app, "/public", method="POST") == 405
    assert find_unguarded(app) == []


@pytest.mark.parametrize("gateway", ["wsgi", "asgi", "rsgi"])
def test_start(app: Flask, gateway: str) -> None:
    """An application with an endpoint that says nothing does not start, and names it."""

    @app.get("/open")
    def forgotten() -> str:
        return "secret"

    @requires("book:edit")
    @app.get("/wrong")
    def wrong_order() -> str:
        return "secret"

    with pytest.raises(ConfigError, match="say who may use them: forgotten, wrong_order"):
        app.test_client(gateway=gateway).get("/open")


def test_methods_that_say_nothing(app: Flask) -> None:
    """A class with one method that says nothing says nothing."""

    class Books(MethodView):
        @public
        def get(self) -> str:
            return "books"

        def post(self) -> str:
            return "edited"

    app.add_url_rule("/books", view_func=Books.as_view("books"))
    assert find_unguarded(app) == ["books"]


def test_public_class(app: Flask) -> None:
    """A class of views may be public; what is derived from it is not by that."""

    @public
    class Books(MethodView):
        def get(self) -> str:
            return "books"

    class Drafts(Books):
        def get(self) -> str:
            return "secret"

    app.add_url_rule("/books", view_func=Books.as_view("books"))
    assert get(app, "/books") == 200
    assert get(app, "/books", method="OPTIONS") == 200
    other = make_app(PERMISSIONS_DENY_BY_DEFAULT=True)
    other.add_url_rule("/drafts", view_func=Drafts.as_view("drafts"))
    assert find_unguarded(other) == ["drafts"]


def test_inside_of_a_public_blueprint(app: Flask) -> None:
    """What is public of a blueprint is not so of those inside of it."""
    outer = public(Blueprint("outer", __name__))
    inner = Blueprint("inner", __name__)

    @inner.get("/")
    def index() -> str:
        return "secret"

    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    assert find_unguarded(app) == ["outer.inner.index"]


def test_view_that_comes_later(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """A view that is put in after the start is refused, and the log says why."""

    @app.get("/")
    @public
    def index() -> str:
        return "public"

    assert get(app, "/") == 200
    app.view_functions["index"] = lambda: "secret"
    assert get(app, "/") == 403
    assert get(app, "/", "ada") == 403
    assert "'index' does not say who may use it" in caplog.text


@pytest.mark.parametrize("gateway", ["asgi", "rsgi"])
def test_websockets(app: Flask, gateway: str) -> None:
    """Handlers of WebSockets are refused as views are."""

    @app.websocket("/live")
    @public
    async def live() -> None:
        await websocket.send("hello")

    client = app.test_client(gateway=gateway)
    with client.websocket("/live") as connection:
        assert connection.receive() == "hello"

    async def secret() -> None:
        await websocket.send("secret")

    app.view_functions["live"] = t.cast(t.Any, secret)
    with (
        pytest.raises(Exception, match="403"),
        client.websocket("/live") as connection,
    ):
        connection.receive()


def test_static_is_ours(app: Flask) -> None:
    """A view of the application's own is not let through for being called `static`."""
    blueprint = Blueprint("mine", __name__)

    def view() -> str:
        return "secret"

    blueprint.add_url_rule("/mine", endpoint="static", view_func=view)
    app.register_blueprint(blueprint)
    assert find_unguarded(app) == ["mine.static"]


def test_off() -> None:
    """Without the setting a view that says nothing is for everybody."""
    app = make_app()

    @app.get("/")
    def index() -> str:
        return "open"

    assert get(app, "/") == 200


def test_doctor(app: Flask) -> None:
    """`erlen doctor` names endpoints that say nothing, and permissions that nobody can have."""

    @app.get("/open")
    def forgotten() -> str:
        return "secret"

    @app.get("/slip")
    @requires("bok:edit")
    def slip() -> str:
        return ""

    @app.get("/report")
    @login_required
    @requires("report:view")
    def report() -> str:
        return ""

    app.extensions["permissions"] = permissions = Permissions[t.Any](
        roles={"reader": {"book:edit"}}
    )
    gaps = "\n".join(find_gaps(app))
    assert "The endpoint 'forgotten' does not say who may use it" in gaps
    assert "The endpoint 'slip' needs 'bok:edit', which no role grants" in gaps
    # There is a policy for this one.
    assert "'report'" not in gaps
    assert "PERMISSIONS_DENY_BY_DEFAULT" not in gaps
    permissions.define_role("admin", {"*"})
    assert "'slip'" not in "\n".join(find_gaps(app))


def test_doctor_without_the_setting() -> None:
    """`erlen doctor` says that the setting is off, to applications that have permissions."""
    assert "PERMISSIONS_DENY_BY_DEFAULT is not set" in "\n".join(find_gaps(make_app()))
    assert "PERMISSIONS_DENY_BY_DEFAULT" not in "\n".join(find_gaps(Erlen(__name__)))


def test_check_in_a_test(app: Flask) -> None:
    """The check can be made without starting anything."""
    permissions = Permissions[t.Any](roles=ROLES)
    permissions.check(app)
    app.add_url_rule("/open", endpoint="open", view_func=lambda: "secret")
    with pytest.raises(ConfigError, match="open"):
        permissions.check(app)
