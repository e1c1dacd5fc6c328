"""Views, blueprints and WebSockets that need permissions."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from functools import wraps

import pytest
from tests.permissions.library import BOOKS, PEOPLE, Book, find_book, get, make_app

from erlen import Blueprint, Flask, abort, redirect, render_template_string, websocket
from erlen.exceptions import ConfigError
from erlen.login import (
    LoginManager,
    authorize,
    can,
    current_user,
    granted,
    login_required,
    policy,
    public,
    requires,
)
from erlen.views import MethodView, View


@pytest.fixture
def app() -> Flask:
    return make_app()


@pytest.mark.parametrize("gateway", ["wsgi", "asgi", "rsgi"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_view(app: Flask, gateway: str, kind: str) -> None:
    """Who has the permission is let in, others get 403, and who is nobody 401."""
    if kind == "sync":

        @app.get("/loans")
        @requires("loan:create")
        def loans() -> str:
            return str(current_user.id)

    else:

        @app.get("/loans")
        @requires("loan:create")
        async def async_loans() -> str:
            return str(current_user.id)

    assert get(app, "/loans", "rita", gateway=gateway) == 200
    assert get(app, "/loans", "nora", gateway=gateway) == 403
    assert get(app, "/loans", "otto", gateway=gateway) == 403
    assert get(app, "/loans", gateway=gateway) == 401
    assert get(app, "/loans", "ivan", gateway=gateway) == 401


def test_login_page(app: Flask) -> None:
    """Who is nobody is sent to the login page, where there is one; others are not."""
    manager: LoginManager[t.Any] = app.login_manager  # type: ignore[attr-defined]
    manager.login_view = "log_in"

    @app.get("/login")
    def log_in() -> str:
        return "Who are you?"

    @app.get("/loans")
    @requires("loan:create")
    def loans() -> str:
        return "yours"

    answer = app.test_client().get("/loans")
    assert answer.status_code == 302
    assert answer.location == "/login?next=%2Floans"
    assert get(app, "/loans", "nora") == 403


def test_handler_for_nobody(app: Flask) -> None:
    """What the application does with those who must log in, is done here too."""
    manager: LoginManager[t.Any] = app.login_manager  # type: ignore[attr-defined]

    @manager.unauthorized_handler
    async def handle() -> tuple[dict[str, str], int]:
        return {"error": "log in"}, 401

    @app.get("/loans")
    @requires("loan:create")
    def loans() -> str:
        return "yours"

    answer = app.test_client().get("/loans")
    assert (answer.status_code, answer.json) == (401, {"error": "log in"})


def test_several_permissions(app: Flask) -> None:
    """Where several are named, all are needed."""

    @app.get("/")
    @requires("book:view", "loan:delete")
    def view() -> str:
        return "in"

    assert [get(app, "/", user) for user in ("rita", "lena", "ada", "")] == [403, 200, 200, 401]


@pytest.mark.parametrize("gateway", ["wsgi", "asgi"])
@pytest.mark.parametrize("kind", ["function", "coroutine", "lambda", "may raise", "takes all"])
def test_object(app: Flask, gateway: str, kind: str) -> None:
    """A policy decides on the object that the URL names."""

    async def find_async(book_id: int) -> Book | None:
        return find_book(book_id)

    def find_or_raise(book_id: int) -> Book:
        return find_book(book_id) or abort(404)

    finders: dict[str, Callable[..., t.Any]] = {
        "function": find_book,
        "coroutine": find_async,
        "lambda": lambda book_id: find_async(book_id),
        "may raise": find_or_raise,
        "takes all": lambda **values: find_book(values["book_id"]),
    }

    @app.get("/books/<int:book_id>")
    @requires("book:edit", obj=finders[kind])
    async def edit(book_id: int) -> str:
        return f"edited {book_id}"

    def status(path: str, user: str = "") -> int:
        return get(app, path, user, gateway=gateway)

    assert status("/books/1", "rita") == 200
    assert status("/books/1", "rob") == 403
    assert status("/books/1", "lena") == 200
    # An atlas, for whose class there is another policy.
    assert status("/books/3", "lena") == 403
    assert status("/books/9", "lena") == 404
    # Who is nobody does not learn which books there are.
    assert status("/books/1") == status("/books/9") == 401


def test_hidden_object(app: Flask) -> None:
    """With `hide` what one must not see is as if it were not there."""

    @app.get("/books/<int:book_id>")
    @requires("book:view", obj=find_book, hide=True)
    def show(book_id: int) -> str:
        return "a book"

    assert get(app, "/books/2", "rob") == 200
    for user in ("rita", ""):
        there = app.test_client().get("/books/2", headers={"X-User": user})
        absent = app.test_client().get("/books/9", headers={"X-User": user})
        assert there.status_code == absent.status_code == 404
        assert there.data == absent.data
    # Everybody may see this one.
    assert get(app, "/books/1") == 200


def test_variable_that_is_the_object(app: Flask) -> None:
    """The object may be a variable of the URL, where a converter makes it."""
    from erlen.routing import BaseConverter

    class BookConverter(BaseConverter):
        def to_python(self, value: str) -> t.Any:
            return BOOKS[int(value)]

    app.url_map.converters["book"] = BookConverter

    @app.get("/books/<book:book>")
    @requires("book:edit", obj="book")
    def edit(book: Book) -> str:
        return "edited"

    assert get(app, "/books/1", "rita") == 200
    assert get(app, "/books/1", "rob") == 403


def test_unknown_variable() -> None:
    """A variable that the view does not get is an error where the decorator stands."""

    def edit(book_id: int) -> str:
        return ""

    for obj in ("book", lambda id: find_book(id)):
        with pytest.raises(ConfigError, match=r"takes none of that name, but book_id\."):
            requires("book:edit", obj=obj)(edit)
    requires("book:edit", obj=lambda book_id, other=None: find_book(book_id))(edit)


def test_no_permission() -> None:
    """The decorator without a permission is an error, and so is one that is not called."""
    with pytest.raises(ConfigError, match="name of a permission"):
        requires()
    with pytest.raises(ConfigError, match="no name of a permission"):

        @requires  # type: ignore[arg-type]
        def view() -> str:
            return ""


def test_in_the_view(app: Flask) -> None:
    """A view may ask in the middle, and go on only if the user may."""

    @app.get("/books/<int:book_id>")
    @login_required
    def edit(book_id: int) -> str:
        authorize("book:edit", find_book(book_id))
        return "edited"

    @app.get("/hidden/<int:book_id>")
    async def show(book_id: int) -> str:
        authorize("book:view", BOOKS[book_id], hide=True)
        return "a book"

    assert get(app, "/books/1", "rita") == 200
    assert get(app, "/books/1", "rob") == 403
    assert get(app, "/books/1") == 401
    # No object is no reason to let somebody in.
    assert get(app, "/books/9", "rob") == 403
    assert get(app, "/hidden/2", "rob", gateway="asgi") == 200
    assert get(app, "/hidden/2", "rita", gateway="asgi") == 404
    assert get(app, "/hidden/2", gateway="asgi") == 404


def test_in_templates(app: Flask) -> None:
    """Templates ask with `can`."""

    @app.get("/books/<int:book_id>")
    def show(book_id: int) -> str:
        text = "{{ 'edit' if can('book:edit', book) }}{{ 'lend' if can('loan:create') }}"
        return render_template_string(text, book=BOOKS[book_id])

    def text(user: str) -> str:
        return app.test_client().get("/books/1", headers={"X-User": user}).text

    assert [text(user) for user in ("rita", "rob", "lena", "")] == [
        "editlend",
        "lend",
        "editlend",
        "",
    ]


def test_policy_without_object(app: Flask) -> None:
    """A policy may decide on a permission that is not for objects; what roles say is not asked."""

    @app.get("/report")
    @requires("report:view")
    def report() -> str:
        return "12 books"

    assert [get(app, "/report", user) for user in ("nora", "ada", "")] == [200, 403, 401]


def test_other_user(app: Flask) -> None:
    """Code can ask for others than the current user, also outside of requests."""
    with app.app_context():
        assert can("book:edit", BOOKS[1], user=PEOPLE["rita"])
        assert not can("book:edit", BOOKS[1], user=PEOPLE["rob"])
        assert granted("loan:delete", user=PEOPLE["lena"])
    with app.test_request_context(headers={"X-User": "ada"}):
        assert can("user:delete")
        # Somebody who was not found is not the current user.
        assert not can("user:delete", user=None)
        assert not granted("user:delete", user=None)
    with app.app_context():
        # Nobody is the user of a script.
        assert not can("loan:delete")
        assert not can("book:edit", BOOKS[1])


def test_classes_that_are_derived(app: Flask) -> None:
    """A policy for a class decides for those derived from it, unless they have their own."""

    class Novel(Book):
        pass

    with app.app_context():
        assert can("book:edit", Novel(4, "rita"), user=PEOPLE["rita"])
        assert not can("book:edit", Novel(4, "rita"), user=PEOPLE["rob"])
        assert not can("book:edit", BOOKS[3], user=PEOPLE["rita"])


def test_two_policies() -> None:
    """Two functions for one question are an error; the same one twice, after a reload, is not."""

    class Page:
        pass

    def decide(user: t.Any, page: Page) -> bool:
        return True

    policy("page:view", Page)(decide)
    policy("page:view", Page)(decide)
    with pytest.raises(ConfigError, match=r"Two policies decide on 'page:view' of Page: .*decide"):

        @policy("page:view", Page)
        def other(user: t.Any, page: Page) -> bool:
            return False


def test_policy_with_other_parameters() -> None:
    """A policy that could not be called, or that nobody would ask, is an error at once."""
    policies: t.Any = policy

    def of_object(user: t.Any, page: str) -> bool:
        return True

    def of_user(user: t.Any, *, strict: bool = True) -> bool:
        return strict

    with pytest.raises(ConfigError, match=r"of_object on 'page:print' .* @policy\('page:print', "):
        policies("page:print")(of_object)
    with pytest.raises(ConfigError, match=r"of_user on 'page:print' .* an object of str\. Give it"):
        policies("page:print", str)(of_user)
    assert policies("page:print")(of_user) is of_user


def test_policy_that_fails(app: Flask) -> None:
    """An exception in a policy lets nobody in."""

    class Trap:
        pass

    @policy("trap:open", Trap)
    def decide(user: t.Any, trap: Trap) -> bool:
        raise LookupError("no trap")

    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/trap")
    @requires("trap:open", obj=lambda: Trap())
    def open_trap() -> str:
        return "open"

    assert get(app, "/trap", "ada") == 500
    assert get(app, "/trap") == 401


def test_class_of_views(app: Flask) -> None:
    """The decorator goes on a class of views, on its methods, and into its `decorators`."""

    @requires("loan:list")
    class Loans(MethodView):
        def get(self) -> str:
            return "loans"

        @requires("loan:create")
        async def post(self) -> str:
            return "lent"

    class Plain(View):
        decorators = [requires("loan:delete")]

        def dispatch_request(self) -> str:
            return "plain"

    app.add_url_rule("/loans", view_func=Loans.as_view("loans"))
    app.add_url_rule("/plain", view_func=Plain.as_view("plain"))
    assert [get(app, "/loans", user) for user in ("nora", "rita", "")] == [200, 200, 401]
    assert [get(app, "/loans", user, "POST") for user in ("nora", "rita", "")] == [403, 200, 401]
    assert [get(app, "/plain", user) for user in ("rita", "lena")] == [403, 200]


def test_blueprint(app: Flask) -> None:
    """A blueprint guards all that is on it, and on those inside of it."""
    desk = requires("loan:delete")(Blueprint("desk", __name__, url_prefix="/desk"))
    inner = Blueprint("inner", __name__, url_prefix="/inner")

    @desk.route("/", methods=["GET", "POST"])
    def index() -> str:
        return "desk"

    @inner.get("/")
    @requires("user:delete")
    def users() -> str:
        return "users"

    desk.register_blueprint(inner)
    app.register_blueprint(desk)
    assert [get(app, "/desk/", user) for user in ("lena", "rita", "")] == [200, 403, 401]
    assert [get(app, "/desk/inner/", user) for user in ("ada", "lena", "rita")] == [200, 403, 403]
    # What browsers ask before they send who is logged in, and what is not there.
    assert get(app, "/desk/", method="OPTIONS") == 200
    assert get(app, "/desk/nothing") == 404


def test_blueprint_of_an_object(app: Flask) -> None:
    """A blueprint below an object of the URL guards it."""
    blueprint = Blueprint("book", __name__, url_prefix="/books/<int:book_id>")
    requires("book:edit", obj=find_book)(blueprint)

    @blueprint.get("/cover")
    def cover(book_id: int) -> str:
        return "a cover"

    app.register_blueprint(blueprint)
    assert [get(app, "/books/1/cover", user) for user in ("rita", "rob")] == [200, 403]
    assert get(app, "/books/9/cover", "rita") == 404


@pytest.mark.parametrize("gateway", ["asgi", "rsgi"])
@pytest.mark.parametrize("where", ["handler", "blueprint"])
def test_websocket(app: Flask, gateway: str, where: str) -> None:
    """The handshake of a WebSocket is refused as a request is."""
    blueprint = Blueprint("live", __name__)

    async def live() -> None:
        await websocket.send(f"hello {current_user.id}")

    if where == "handler":
        app.websocket("/live")(requires("loan:create")(live))
    else:
        requires("loan:create")(blueprint).websocket("/live")(live)
        app.register_blueprint(blueprint)
    client = app.test_client(gateway=gateway)
    with client.websocket("/live", headers={"X-User": "rita"}) as connection:
        assert connection.receive() == "hello rita"
    for user, status in (("nora", 403), ("", 401)):
        with (
            pytest.raises(Exception, match=str(status)),
            client.websocket("/live", headers={"X-User": user}) as connection,
        ):
            connection.receive()


def test_other_decorators(app: Flask) -> None:
    """Decorators above and below do not get in the way."""

    def shout(view: Callable[..., t.Any]) -> Callable[..., t.Any]:
        @wraps(view)
        def shouted(*args: t.Any, **kwargs: t.Any) -> str:
            return str(view(*args, **kwargs)).upper()

        return shouted

    @app.get("/<name>")
    @shout
    @requires("loan:create")
    @login_required
    async def view(name: str) -> str:
        return f"hello {name}"

    answer = app.test_client().get("/you", headers={"X-User": "rita"})
    assert answer.text == "HELLO YOU"
    assert get(app, "/you", "nora") == 403
    assert get(app, "/you") == 401


def test_head(app: Flask) -> None:
    """`HEAD` is refused as `GET` is."""

    @app.get("/loans")
    @requires("loan:create")
    def loans() -> str:
        return "loans"

    assert get(app, "/loans", "nora", "HEAD") == 403
    assert get(app, "/loans", "rita", "HEAD") == 200


def test_login_disabled_is_not_for_permissions(app: Flask) -> None:
    """The switch that tests of views use for logins opens no view that needs a permission."""
    app.config["LOGIN_DISABLED"] = True

    @app.get("/loans")
    @requires("loan:create")
    def loans() -> str:
        return "loans"

    assert get(app, "/loans") == 401


def test_refusals_are_logged(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """Each refusal is in the log, with who wanted what, and nothing that forges a line."""

    @app.get("/<path:rest>")
    @requires("loan:create")
    def loans(rest: str) -> str:
        return "loans"

    with caplog.at_level("INFO", "erlen.login.permissions"):
        get(app, "/a%1Bb", "nora")
    assert caplog.messages == [r"Refused loan:create for user 'nora' at GET '/a\x1bb'"]


def test_changes_hold_at_once(app: Flask) -> None:
    """A role that is taken away is gone with the next request."""

    @app.get("/loans")
    @requires("loan:delete")
    def loans() -> str:
        return "loans"

    assert get(app, "/loans", "lena") == 200
    PEOPLE["lena"].roles.remove("librarian")
    try:
        assert get(app, "/loans", "lena") == 403
    finally:
        PEOPLE["lena"].roles.append("librarian")


def test_without_permissions() -> None:
    """An application without permissions is told what to do; nobody is let in."""
    app = Flask(__name__)
    app.testing = True

    @app.get("/")
    @requires("loan:create")
    def view() -> str:
        return "in"

    with pytest.raises(RuntimeError, match=r"Make them: Permissions\(app"):
        app.test_client().get("/")


def test_public_changes_nothing(app: Flask) -> None:
    """`@public` says what holds already."""

    @app.get("/")
    @public
    async def index() -> t.Any:
        return redirect("/there")

    assert get(app, "/") == 302
