"""The two contexts: what is current, and what the errors say where nothing is."""

from __future__ import annotations

import threading
import typing as t
from contextvars import Context, copy_context

import pytest

from erlen import (
    Flask,
    appcontext_popped,
    appcontext_pushed,
    copy_current_request_context,
    current_app,
    flash,
    g,
    has_app_context,
    has_request_context,
    request,
    session,
    url_for,
)
from erlen.globals import _cv_app, _cv_request, app_ctx, request_ctx

if t.TYPE_CHECKING:
    from erlen.testing import FlaskClient


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        (lambda: current_app.name, "app_context()"),
        (lambda: g.value, "app_context()"),
        (lambda: request.args, "test_request_context("),
        (lambda: session["a"], "test_request_context("),
        (lambda: url_for("index"), "app_context()"),
        (lambda: flash("text"), "test_request_context("),
    ],
)
def test_outside_of_a_context(use: t.Callable[[], object], kind: str) -> None:
    """The error names the file, the line and its text, and says what to do."""
    with pytest.raises(RuntimeError) as caught:
        use()
    message = str(caught.value)
    assert message.startswith("Working outside of ")
    assert kind in message
    assert f"{__file__}, line " in message
    assert "(lambda: " in message


def test_a_proxy_has_the_docstring_of_its_object(app: Flask) -> None:
    """It is the object's, not that of the proxy's own class."""
    with app.test_request_context():
        assert request.__doc__ == type(request._get_current_object()).__doc__


def test_a_copied_context_shares_a_session_that_nobody_used_before(app: Flask) -> None:
    """What a thread writes to the session is saved with the response."""

    @app.get("/")
    def index() -> str:
        @copy_current_request_context
        def work() -> None:
            session["a"] = 1

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return "done"

    app.secret_key = "key"
    assert "Set-Cookie" in app.test_client().get("/").headers


def test_a_request_pushes_both_contexts(app: Flask) -> None:
    """The application context lies under the request context, and both go together."""
    with app.test_request_context("/path"):
        assert request.path == "/path"
        assert current_app._get_current_object() is app
        assert _cv_app.get().app is app
        assert _cv_request.get().request is request._get_current_object()
        assert app_ctx.g is g._get_current_object()
        assert request_ctx.app is app
    assert not has_app_context()
    assert not has_request_context()


def test_a_request_uses_an_application_context_that_is_there(app: Flask) -> None:
    """Inside an active context of the same application, g is shared."""
    with app.app_context():
        g.value = 1
        with app.test_request_context():
            assert g.value == 1
        assert g.value == 1


def test_another_application_gets_its_own(app: Flask) -> None:
    """A request to another application has a context and a g of its own."""
    other = Flask("other")
    with app.app_context():
        g.value = 1
        with other.test_request_context():
            assert current_app.name == "other"
            assert "value" not in g
        assert current_app.name == app.name


def test_a_context_can_be_pushed_twice(app: Flask) -> None:
    """Teardown runs when the last push is undone."""
    log: list[str] = []
    app.teardown_appcontext(lambda exc: log.append("app"))
    app.teardown_request(lambda exc: log.append("request"))
    context = app.test_request_context()
    with context:
        with context:
            pass
        assert log == []
    assert log == ["request", "app"]


def test_popping_in_the_wrong_order_is_an_error(app: Flask) -> None:
    """The error names both contexts; none of them stays current."""
    first, second = app.app_context(), app.app_context()
    first.push()
    second.push()
    with pytest.raises(AssertionError, match="Popped wrong app context"):
        first.pop()
    assert not has_app_context()


def test_signals_of_the_application_context(app: Flask) -> None:
    """Receivers hear of the push and of the pop."""
    log: list[str] = []

    def pushed(sender: Flask, **extra: t.Any) -> None:
        log.append("pushed")

    def popped(sender: Flask, **extra: t.Any) -> None:
        log.append("popped")

    with (
        appcontext_pushed.connected_to(pushed, app),
        appcontext_popped.connected_to(popped, app),
        app.app_context(),
    ):
        assert log == ["pushed"]
    assert log == ["pushed", "popped"]


def test_a_copied_context_works_in_a_thread(app: Flask) -> None:
    """A thread sees the request that it was started in, and its session."""
    seen: list[t.Any] = []

    @app.get("/")
    def index() -> str:
        session["a"] = 1

        @copy_current_request_context
        def work() -> None:
            seen.append((request.args["q"], session["a"], current_app.name))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return "ok"

    app.test_client().get("/?q=2")
    assert seen == [("2", 1, app.name)]


def test_nothing_is_made_before_it_is_used(app: Flask) -> None:
    """A view that touches nothing makes no session, g, headers, arguments or cookies."""
    kept: list[t.Any] = []

    @app.get("/")
    def index() -> str:
        kept.append((_cv_request.get(), _cv_app.get()))
        return "ok"

    app.test_client().get("/?q=1", headers={"Cookie": "a=b"})
    request_context, app_context = kept[0]
    assert request_context._open_session is None
    assert "g" not in vars(app_context)
    assert "url_adapter" not in vars(app_context)
    made = vars(request_context.request)
    assert not {"args", "headers", "cookies", "form", "stream", "query_string"} & set(made)


def test_threads_of_a_request_share_its_application_context(app: Flask) -> None:
    """Threads that see the request's variables come to the same g, whoever asks first."""
    found: list[int] = []

    @app.get("/")
    def index() -> str:
        begin = threading.Barrier(8)

        def look() -> None:
            begin.wait(30)
            found.append(id(g._get_current_object()))

        threads = [threading.Thread(target=copy_context().run, args=(look,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found.append(id(_cv_app.get().g))
        return "ok"

    app.test_client().get("/")
    assert len(found) == 9
    assert len(set(found)) == 1


def test_contexts_of_a_request_may_be_pushed_again(app: Flask) -> None:
    """Within the request it tears nothing down; that happens once, at the request's end."""
    log: list[str] = []
    app.teardown_request(lambda exc: log.append(f"request {g.value}"))
    app.teardown_appcontext(lambda exc: log.append(f"app {g.value}"))

    @app.get("/")
    def index() -> str:
        g.value = 1
        with _cv_app.get(), _cv_request.get():
            g.value += 1
        log.append(f"view {g.value}")
        return "ok"

    app.test_client().get("/")
    assert log == ["view 2", "request 2", "app 2"]


@pytest.mark.parametrize("touch", ["nothing", "g", "app_ctx"])
def test_what_teardown_functions_see(client: FlaskClient, app: Flask, touch: str) -> None:
    """The application and one ``g``, whatever the view used of them, and no request."""
    seen: list[t.Any] = []

    @app.get("/")
    def index() -> str:
        if touch == "g":
            g.value = 1
        if touch == "app_ctx":
            app_ctx.g.value = 1
        return "ok"

    @app.teardown_appcontext
    def last(error: BaseException | None) -> None:
        with Flask("other").app_context():
            assert current_app.name == "other"
            assert "note" not in g
        seen.append((g.pop("value", 0), g.note, app_ctx.g.note, app_ctx.app.name))

    @app.teardown_appcontext
    def first(error: BaseException | None) -> None:
        assert not has_request_context()
        assert has_app_context()
        g.note = current_app.name

    for _ in range(2):
        assert client.get("/").text == "ok"
    assert seen == [(int(touch != "nothing"), app.name, app.name, app.name)] * 2
    assert not has_app_context()


def test_what_a_request_left_running_still_sees_its_g(app: Flask) -> None:
    """Code that goes on in the request's context variables finds what the request put there."""
    left: list[Context] = []

    @app.get("/")
    def index() -> str:
        g.value = "kept"
        left.append(copy_context())
        return "ok"

    app.test_client().get("/")
    assert left[0].run(lambda: (g.value, current_app.name)) == ("kept", app.name)


def test_the_session_is_opened_once(app: Flask) -> None:
    """The session opens at its first use; an overriding interface opens at the start."""
    from erlen.sessions import SecureCookieSessionInterface

    log: list[str] = []

    class Loud(SecureCookieSessionInterface):
        def open_session(self, app: Flask, request: t.Any) -> t.Any:
            log.append("open")
            return super().open_session(app, request)

    @app.get("/")
    def index() -> str:
        log.append("view")
        session.get("a")
        session.get("b")
        return "ok"

    app.test_client().get("/")
    assert log == ["view"]
    app.session_interface = Loud()
    app.test_client().get("/")
    assert log == ["view", "open", "view"]
