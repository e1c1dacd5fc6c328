"""Who is logged in: logging in and out, views that need it, and what those get who may not."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.login.people import Person, make_app, make_people, who

from erlen import Blueprint, Erlen, Flask, copy_current_request_context, render_template_string
from erlen.login import (
    FlaskLoginClient,
    LoginManager,
    current_user,
    login_required,
    login_user,
    set_login_view,
    user_accessed,
    user_logged_in,
    user_logged_out,
)

KINDS = pytest.mark.parametrize("kind", [Flask, Erlen])


@KINDS
def test_in_and_out(tmp_path: Path, kind: type[Flask]) -> None:
    """A login lasts until the logout, and no longer."""
    app, _, _ = make_app(tmp_path, kind)
    client = app.test_client()
    assert who(client) == "nobody"
    client.post("/in/1")
    assert who(client) == "Ada"
    client.post("/out")
    assert who(client) == "nobody"


@KINDS
def test_the_user_is_loaded_once_and_when_touched(tmp_path: Path, kind: type[Flask]) -> None:
    """A request that does not ask for the user does not load it; one that asks twice, once."""
    app, _, people = make_app(tmp_path, kind)

    @app.get("/twice")
    @login_required
    def twice() -> str:
        return f"{current_user.name},{current_user.name}"

    client = app.test_client()
    client.post("/in/1")
    people.looks = 0
    client.get("/")
    assert people.looks == 0
    assert client.get("/twice").text == "Ada,Ada"
    assert people.looks == 1


def test_threads_of_a_request_share_its_user(tmp_path: Path) -> None:
    """A copy of the request's context, in a thread, has the user that was loaded already."""
    app, _, people = make_app(tmp_path)

    @app.get("/thread")
    def use_thread() -> str:
        assert current_user.name == "Ada"
        people.looks = 0
        with ThreadPoolExecutor() as pool:
            ask = copy_current_request_context(lambda: str(current_user.name))
            return pool.submit(ask).result()

    client = app.test_client()
    client.post("/in/1")
    assert client.get("/thread").text == "Ada"
    assert people.looks == 0


def test_untouched_costs_nothing(tmp_path: Path) -> None:
    """A page without the user neither opens the session nor depends on the cookie."""
    app, _, _ = make_app(tmp_path)
    client = app.test_client()
    client.post("/in/1")
    assert "Vary" not in client.get("/").headers
    assert client.get("/me").headers["Vary"] == "Cookie"
    # Somebody else's answer to the same address is another one, so this depends on it too.
    assert app.test_client().get("/me").headers["Vary"] == "Cookie"


def test_templates_load_the_user_when_they_show_it(tmp_path: Path) -> None:
    """``current_user`` is there in templates, and loaded by those that use it."""
    app, _, people = make_app(tmp_path)
    app.add_url_rule("/plain", view_func=lambda: render_template_string("Hello"))
    show = "{{ current_user.name }}"
    app.add_url_rule("/name", "name", lambda: render_template_string(show))
    client = app.test_client()
    client.post("/in/1")
    people.looks = 0
    assert client.get("/plain").text == "Hello"
    assert people.looks == 0
    assert client.get("/name").text == "Ada"


def test_templates_of_flask_get_the_user_itself(tmp_path: Path) -> None:
    """With Flask's defaults it is the object, as with Flask-Login."""
    app, _, _people = make_app(tmp_path, Flask)
    show = "{{ current_user is sameas(me) }}"

    @app.get("/same")
    def same() -> str:
        return render_template_string(show, me=current_user._get_current_object())

    client = app.test_client()
    client.post("/in/1")
    assert client.get("/same").text == "True"


def test_vanished_user(tmp_path: Path) -> None:
    """Somebody whom the loader does not find any more is nobody."""
    app, _, people = make_app(tmp_path)
    client = app.test_client()
    client.post("/in/1")
    del people["1"]
    assert who(client) == "nobody"
    assert client.get("/mine").status_code == 401


def test_loader_that_raises(tmp_path: Path) -> None:
    """Its error is that of the request, and the next request is as good as ever."""
    app, login, people = make_app(tmp_path, PROPAGATE_EXCEPTIONS=False)
    client = app.test_client()
    client.post("/in/1")

    def fail(user_id: str) -> t.NoReturn:
        raise LookupError(user_id)

    login.user_loader(fail)
    assert client.get("/me").status_code == 500
    login.user_loader(people.find)
    assert who(client) == "Ada"


def test_inactive_users_are_not_logged_in(tmp_path: Path) -> None:
    """``login_user`` refuses those who are not active, unless it is told to force it."""

    class Locked(Person):
        @property
        def is_active(self) -> bool:
            return False

    app, _, people = make_app(tmp_path)
    people["9"] = Locked("9", "Eve")
    client = app.test_client()
    assert client.post("/in/9").text == "False"
    assert who(client) == "nobody"
    with app.test_request_context():
        assert login_user(people["9"], force=True)
        assert current_user.name == "Eve"


def test_user_without_identifier(tmp_path: Path) -> None:
    """A user that was not stored yet cannot log in; the error says what to do."""
    app, _, _ = make_app(tmp_path)
    unsaved = Person("", "New")
    unsaved.id = None  # type: ignore[assignment]
    with app.test_request_context(), pytest.raises(ValueError, match="flush or commit"):
        login_user(unsaved)


def test_no_login_manager() -> None:
    """Without a login manager the error says how to make one."""
    app = Erlen(__name__)
    with app.test_request_context(), pytest.raises(RuntimeError, match=r"LoginManager\(app\)"):
        str(current_user)


def test_no_loader() -> None:
    """Without a loader the error says how to write one."""
    app = Erlen(__name__)
    LoginManager[Person](app)
    with app.test_request_context(), pytest.raises(RuntimeError, match="user_loader"):
        str(current_user)


def test_outside_of_requests() -> None:
    """Outside of requests ``current_user`` stands for ``None``."""
    assert not current_user
    assert current_user._get_current_object() is None


def test_manager_knows_the_user(tmp_path: Path) -> None:
    """``login.user`` is the user or ``None``, ``login.current_user`` the proxy."""
    app, login, people = make_app(tmp_path)
    assert login.current_user is current_user
    with app.test_request_context():
        assert not login.user
        login_user(people["1"])
        assert login.user is people["1"]
        assert login.current_user.name == "Ada"


def test_requests_in_one_application_context(tmp_path: Path) -> None:
    """Requests that share an application context, as in tests, do not share their user."""
    app, _, _ = make_app(tmp_path)
    first, second = app.test_client(), app.test_client()
    with app.app_context():
        first.post("/in/1")
        assert who(second) == "nobody"
        second.post("/in/2")
        assert [who(first), who(second)] == ["Ada", "Bob"]
        first.post("/out")
        assert [who(first), who(second)] == ["nobody", "Bob"]


def test_login_view(tmp_path: Path) -> None:
    """Those who must log in go to the login page, which gets their way and a message."""
    app, login, _ = make_app(tmp_path)
    login.login_view = "log_in_page"
    app.add_url_rule("/login", "log_in_page", lambda: "form")
    client = app.test_client()
    response = client.get("/mine?page=2")
    assert response.status_code == 302
    assert response.location == "/login?next=/mine?page%3D2" or (
        response.location == "/login?next=%2Fmine%3Fpage%3D2"
    )
    with client.session_transaction() as session:
        assert session["_flashes"] == [("message", "Please log in to access this page.")]


def test_login_views_of_nested_blueprints(tmp_path: Path) -> None:
    """A blueprint inside of another has that one's login page, unless it has its own."""
    app, login, _ = make_app(tmp_path)
    login.login_view = "/login"
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    inner.add_url_rule("/page", "page", login_required(lambda: "page"))
    outer.register_blueprint(inner, url_prefix="/inner")
    app.register_blueprint(outer, url_prefix="/outer")
    client = app.test_client()
    assert client.get("/outer/inner/page").location.startswith("/login?")
    with app.app_context():
        set_login_view("/outer/login", outer)
    assert client.get("/outer/inner/page").location.startswith("/outer/login?")


def test_handlers_may_be_coroutines(tmp_path: Path) -> None:
    """An ``async def`` answers those who must log in, too."""
    app, login, _ = make_app(tmp_path)

    @login.unauthorized_handler
    async def refuse() -> tuple[str, int]:
        return "Who are you?", 403

    response = app.test_client().get("/mine")
    assert (response.status_code, response.text) == (403, "Who are you?")


def test_request_loader(tmp_path: Path) -> None:
    """A request can say itself who sends it, and a stale cookie does not keep it from that."""
    app, login, people = make_app(tmp_path)

    @login.request_loader
    async def load(request: t.Any) -> Person | None:
        token = request.authorization.token if request.authorization else None
        return people["2"] if token == "bob's" else None

    client = app.test_client()
    headers = {"Authorization": "Bearer bob's"}
    assert who(client, headers=headers) == "Bob"
    assert who(client) == "nobody"
    client.set_cookie("remember_token", "damaged")
    assert who(client, headers=headers) == "Bob"


def test_signals(tmp_path: Path) -> None:
    """Logging in and out is announced, with the user; so is looking for it."""
    app, _, people = make_app(tmp_path)
    heard: list[t.Any] = []

    async def note_login(sender: Flask, user: Person) -> None:
        heard.append(("in", sender, user))

    def note_logout(sender: Flask, user: Person) -> None:
        heard.append(("out", sender, user))

    def note_access(sender: Flask) -> None:
        heard.append(("accessed", sender))

    client = app.test_client()
    with (
        user_logged_in.connected_to(note_login, app),
        user_logged_out.connected_to(note_logout, app),
        user_accessed.connected_to(note_access, app),
    ):
        client.post("/in/1")
        client.post("/out")
    assert heard == [("in", app, people["1"]), ("accessed", app), ("out", app, people["1"])]


def test_client_that_is_logged_in(tmp_path: Path) -> None:
    """The test client logs in a user, one with a stamp too."""
    app, _, people = make_app(tmp_path)
    app.test_client_class = FlaskLoginClient
    client: t.Any = app.test_client
    assert who(client(user=people["1"])) == "Ada"
    assert who(client(user=people["3"])) == "Cy"
    assert who(client()) == "nobody"


def test_tests_put_a_user_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replacing ``flask_login.utils._get_user``, as tests of applications do, takes effect."""
    app, _, _ = make_app(tmp_path)
    bob = make_people()["2"]
    monkeypatch.setattr("erlen.login.utils._get_user", lambda: bob)
    assert app.test_client().get("/mine").text == "of Bob"


def test_decorated_views_keep_their_names(tmp_path: Path) -> None:
    """A decorator hides neither name nor documentation, and the view may be called with values."""
    app, _, _ = make_app(tmp_path, LOGIN_DISABLED=True)

    @app.get("/items/<int:number>")
    @login_required
    async def item(number: int) -> str:
        """Show an item."""
        return str(number)

    assert (item.__name__, item.__doc__) == ("item", "Show an item.")
    assert app.test_client().get("/items/3").text == "3"


def test_deprecated_names(tmp_path: Path) -> None:
    """What Flask-Login has announced to remove works, and warns."""
    import erlen.login

    app, login, people = make_app(tmp_path)
    with pytest.warns(DeprecationWarning, match="header_loader"):
        login.header_loader(people.get)
    with pytest.warns(DeprecationWarning, match="user_loaded_from_header"):
        assert erlen.login.user_loaded_from_header
    with pytest.warns(DeprecationWarning, match="user_loaded_from_header"):
        from erlen.login.signals import user_loaded_from_header  # noqa: F401
    with pytest.warns(DeprecationWarning, match="setup_app"):
        login.setup_app(Erlen(__name__))
    assert who(app.test_client(), headers={"Authorization": "2"}) == "Bob"
    with app.app_context():
        with pytest.warns(DeprecationWarning, match="_login_disabled"):
            login._login_disabled = True
        with pytest.warns(DeprecationWarning, match="_login_disabled"):
            assert login._login_disabled
    assert app.config["LOGIN_DISABLED"]
