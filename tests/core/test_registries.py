"""Extensions edit the registries and replace methods; each edit takes effect at once."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from copy import deepcopy

import pytest

from erlen import Blueprint, Flask, Response

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response as BaseResponse

    from erlen.testing import FlaskClient


@pytest.fixture
def log(app: Flask) -> list[str]:
    """What happened, in order; the view of ``/`` adds to it too. One request was handled."""
    events: list[str] = []

    @app.get("/")
    def index() -> str:
        events.append("view")
        return "ok"

    app.test_client().get("/")
    events.clear()
    return events


def note(log: list[str], event: str) -> Callable[..., None]:
    def hook(*args: t.Any) -> None:
        log.append(event)

    return hook


def test_setdefault_and_insert(app: Flask, client: FlaskClient, log: list[str]) -> None:
    """The idiom that most extensions use works after the first request."""
    app.before_request_funcs.setdefault(None, []).append(note(log, "second"))
    app.before_request_funcs.setdefault(None, []).insert(0, note(log, "first"))
    client.get("/")
    assert log == ["first", "second", "view"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda hooks, hook: hooks.append(hook),
        lambda hooks, hook: hooks.extend([hook]),
        lambda hooks, hook: hooks.insert(0, hook),
        lambda hooks, hook: hooks.__iadd__([hook]),
        lambda hooks, hook: hooks.__setitem__(slice(0, 0), [hook]),
    ],
)
def test_every_way_to_add_to_a_list(
    app: Flask,
    client: FlaskClient,
    log: list[str],
    edit: Callable[[list[t.Any], Callable[..., None]], None],
) -> None:
    """A plan notices each mutating method of the list."""
    hooks = app.before_request_funcs[None]
    client.get("/")
    edit(hooks, note(log, "hook"))
    log.clear()
    client.get("/")
    assert log == ["hook", "view"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda hooks: hooks.pop(),
        lambda hooks: hooks.remove(hooks[0]),
        lambda hooks: hooks.clear(),
        lambda hooks: hooks.__delitem__(0),
        lambda hooks: hooks.__imul__(0),
    ],
)
def test_every_way_to_take_from_a_list(
    app: Flask, client: FlaskClient, log: list[str], edit: Callable[[list[t.Any]], None]
) -> None:
    """A hook that was removed is not called any more."""
    app.before_request_funcs.setdefault(None, []).append(note(log, "hook"))
    client.get("/")
    edit(app.before_request_funcs[None])
    log.clear()
    client.get("/")
    assert log == ["view"]


def test_a_plain_list_stays_its_owners(app: Flask, client: FlaskClient, log: list[str]) -> None:
    """A list that somebody put into a registry may be edited through the old reference."""
    own: list[t.Any] = []
    app.before_request_funcs[None] = own
    client.get("/")
    own.append(note(log, "hook"))
    log.clear()
    client.get("/")
    own.clear()
    client.get("/")
    assert app.before_request_funcs[None] is own
    assert log == ["hook", "view", "view"]


def test_a_registry_replaced_whole(app: Flask, client: FlaskClient, log: list[str]) -> None:
    """A registry may be replaced by a plain dictionary, and edited afterwards."""
    app.before_request_funcs = defaultdict(list, {None: [note(log, "new")]})
    client.get("/")
    app.before_request_funcs["other"].append(note(log, "never"))
    app.before_request_funcs[None] = [note(log, "newer")]
    client.get("/")
    assert log == ["new", "view", "newer", "view"]


def test_view_functions(app: Flask, client: FlaskClient, log: list[str]) -> None:
    """A view can be wrapped in the registry at any time."""
    view = app.view_functions["index"]
    app.view_functions["index"] = lambda: f"wrapped {view()}"  # type: ignore[str-bytes-safe]
    assert client.get("/").text == "wrapped ok"


def test_error_handlers_in_the_registry(app: Flask, client: FlaskClient, log: list[str]) -> None:
    """A handler put into the registry answers, also over a cached search."""
    from werkzeug.exceptions import NotFound

    assert client.get("/missing").status_code == 404
    app.error_handler_spec[None][404][NotFound] = lambda error: ("mine", 404)
    assert client.get("/missing").text == "mine"


def test_error_handlers_in_a_plain_dictionary(
    app: Flask, client: FlaskClient, log: list[str]
) -> None:
    """A plain dictionary among the handlers is not remembered: its edits cannot be seen."""
    from werkzeug.exceptions import NotFound

    handlers: dict[t.Any, t.Any] = {}
    app.error_handler_spec[None][404] = handlers
    assert client.get("/missing").text != "mine"
    handlers[NotFound] = lambda error: ("mine", 404)
    assert client.get("/missing").text == "mine"


def test_after_and_teardown_functions(app: Flask, client: FlaskClient, log: list[str]) -> None:
    """Functions appended to the other registries are called too, last first."""

    def after(name: str) -> Callable[[Response], Response]:
        def hook(response: Response) -> Response:
            log.append(name)
            return response

        return hook

    app.after_request_funcs.setdefault(None, []).append(after("after 1"))
    app.after_request_funcs[None].append(after("after 2"))
    app.teardown_request_funcs.setdefault(None, []).append(note(log, "teardown"))
    app.teardown_appcontext_funcs.append(note(log, "teardown app"))
    client.get("/")
    assert log == ["view", "after 2", "after 1", "teardown", "teardown app"]


def test_a_hook_added_by_the_view_takes_effect_in_the_same_request(app: Flask) -> None:
    """As in Flask, the functions after the view are looked up after the view."""
    log: list[str] = []

    @app.get("/")
    def index() -> str:
        app.teardown_request_funcs.setdefault(None, []).append(note(log, "teardown"))
        return "ok"

    app.test_client().get("/")
    assert log == ["teardown"]


def test_a_blueprints_scope(app: Flask) -> None:
    """Hooks filed under a blueprint's name run for its views only."""
    log: list[str] = []
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")
    blueprint.add_url_rule("/", "index", lambda: "shop")
    app.register_blueprint(blueprint)
    app.add_url_rule("/", "index", lambda: "home")
    client = app.test_client()
    client.get("/shop/")
    app.before_request_funcs.setdefault("shop", []).append(note(log, "shop"))
    client.get("/")
    assert log == []
    client.get("/shop/")
    assert log == ["shop"]


@pytest.mark.parametrize(
    "name",
    [
        "full_dispatch_request",
        "preprocess_request",
        "dispatch_request",
        "finalize_request",
        "make_response",
        "process_response",
        "do_teardown_request",
        "do_teardown_appcontext",
        "wsgi_app",
        "request_context",
        "app_context",
        "create_url_adapter",
        "handle_user_exception",
        "handle_http_exception",
        "handle_exception",
        "log_exception",
        "raise_routing_exception",
        "make_default_options_response",
        "ensure_sync",
    ],
)
@pytest.mark.parametrize("on_instance", [True, False])
def test_steps_can_be_overridden(name: str, on_instance: bool) -> None:
    """Each step is called by its name, whether a subclass or the instance replaces it."""
    log: list[str] = []
    original = getattr(Flask, name)

    def replaced(self: Flask, *args: t.Any, **kwargs: t.Any) -> t.Any:
        log.append(name)
        return original(self, *args, **kwargs)

    if on_instance:
        app = Flask(__name__)
        view(app)
        app.test_client().get("/")
        setattr(app, name, replaced.__get__(app))
    else:
        app = type("Custom", (Flask,), {name: replaced})(__name__)
        view(app)
    client = app.test_client()
    client.get("/")
    client.get("/missing")
    client.get("/fail")
    client.options("/")
    assert name in log


def view(app: Flask) -> None:
    app.logger.disabled = True

    @app.get("/")
    def index() -> str:
        return "ok"

    @app.get("/fail")
    def fail() -> str:
        raise ZeroDivisionError

    @app.before_request
    def before() -> None:
        return None


@pytest.mark.gateways("wsgi", "wsgi-overridden")
def test_call_patched_on_the_class(monkeypatch: pytest.MonkeyPatch, app: Flask) -> None:
    """Monitoring tools patch ``Flask.__call__``."""
    original = Flask.__call__
    seen: list[str] = []

    def call(self: Flask, environ: t.Any, start_response: t.Any) -> t.Any:
        seen.append(environ["PATH_INFO"])
        return original(self, environ, start_response)

    monkeypatch.setattr(Flask, "__call__", call)
    app.test_client().get("/path")
    assert seen == ["/path"]


def test_session_interface_and_json_replaced(app: Flask) -> None:
    """The session interface and the JSON provider may be replaced after the first request."""
    from erlen import jsonify, session
    from erlen.json.provider import DefaultJSONProvider
    from erlen.sessions import SecureCookieSession, SessionInterface

    @app.get("/")
    def index() -> BaseResponse:
        return jsonify(visits=session.get("visits"))

    client = app.test_client()
    assert client.get("/").json == {"visits": None}

    class Fixed(SessionInterface):
        def open_session(self, app: Flask, request: t.Any) -> SecureCookieSession:
            return SecureCookieSession({"visits": 7})

        def save_session(self, app: Flask, session: t.Any, response: Response) -> None:
            response.headers["X-Saved"] = "yes"

    class Wrapping(DefaultJSONProvider):
        def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
            return super().dumps({"data": obj}, **kwargs)

    app.session_interface = Fixed()
    app.json = Wrapping(app)
    response = client.get("/")
    assert response.json == {"data": {"visits": 7}}
    assert response.headers["X-Saved"] == "yes"


class OtherList(list[t.Any]):
    """A list that does not announce its edits."""


def test_a_list_of_another_class(app: Flask, log: list[str]) -> None:
    """Edits of it take effect as those of a plain list do."""
    hooks, teardowns = OtherList(), OtherList([lambda exc: None])
    app.before_request_funcs[None] = hooks
    app.teardown_appcontext_funcs = teardowns
    app.test_client().get("/")
    hooks.append(lambda: log.append("hook"))
    teardowns.append(lambda exc: log.append("teardown"))
    log.clear()
    app.test_client().get("/")
    assert log == ["hook", "view", "teardown"]


def test_a_list_of_another_application(app: Flask, log: list[str]) -> None:
    """Hooks that two applications share take effect on both."""
    other = Flask("other")
    other.before_request_funcs[None] = []
    app.before_request_funcs[None] = other.before_request_funcs.setdefault("shared", [])
    app.test_client().get("/")
    other.before_request_funcs["shared"].append(lambda: log.append("hook"))
    log.clear()
    app.test_client().get("/")
    assert log == ["hook", "view"]


def test_methods_set_on_the_session_interface(app: Flask, log: list[str]) -> None:
    """A save_session set on the instance is called, also where nobody used the session."""
    from erlen.sessions import SecureCookieSessionInterface

    app.secret_key = "key"
    interface: t.Any = SecureCookieSessionInterface()
    interface.save_session = lambda app, session, response: log.append("saved")
    app.session_interface = interface
    log.clear()
    app.test_client().get("/")
    assert log == ["view", "saved"]


def test_a_session_class_that_changes_itself(app: Flask, log: list[str]) -> None:
    """A session that is changed when it is made is saved, also where nobody used it."""
    from erlen.sessions import SecureCookieSession, SecureCookieSessionInterface

    class Counting(SecureCookieSession):
        def __init__(self, initial: t.Any = None) -> None:
            super().__init__(initial)
            self["visits"] = self.get("visits", 0) + 1

    class Interface(SecureCookieSessionInterface):
        session_class = Counting

    app.secret_key = "key"
    app.session_interface = Interface()
    assert "Set-Cookie" in app.test_client().get("/").headers


def test_registries_put_back_from_a_deep_copy(app: Flask, client: FlaskClient) -> None:
    """They still make what is missing, and handlers can be added to them."""
    app.register_error_handler(404, lambda error: "first")
    app.error_handler_spec = deepcopy(app.error_handler_spec)
    app.before_request_funcs = deepcopy(app.before_request_funcs)
    app._got_first_request = False
    app.register_error_handler(405, lambda error: "second")
    app.before_request_funcs["scope"].append(lambda: None)
    assert client.get("/missing").text == "first"
    assert client.post("/static/x").text == "second"
