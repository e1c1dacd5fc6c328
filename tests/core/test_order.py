"""The order of what a request calls is the same by every gateway, whatever of it is asynchronous.

Layouts of an application are drawn at random: hooks, views and handlers on the application and on
two blueprints, one inside the other; synchronous and asynchronous; some of them raise.
"""

from __future__ import annotations

import asyncio
import typing as t
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import GATEWAYS
from tests.overridden import OverriddenFlask
from werkzeug.exceptions import NotFound

from erlen import (
    Blueprint,
    Flask,
    Response,
    abort,
    after_this_request,
    g,
    has_request_context,
    request,
    session,
    stream_with_context,
)
from erlen.globals import _cv_app, _cv_request

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from erlen.scaffold import Scaffold

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


class Known(Exception):
    """An error that may have a handler."""


class Stop(BaseException):
    """Like SystemExit or KeyboardInterrupt: not an Exception."""


@dataclass(frozen=True)
class Function:
    """One function of a layout.

    :param kind: ``sync``, ``async`` for one that does not suspend, ``waiting`` for one that does.
    :param action: what it does, the first time it is asked.
    """

    kind: str
    action: str


KINDS = st.sampled_from(["sync", "async", "waiting"])


def functions(*actions: str) -> st.SearchStrategy[Function]:
    """Draw functions that mostly do nothing special."""
    return st.builds(Function, KINDS, st.sampled_from(["pass", "pass", "pass", *actions]))


def hooks(*actions: str) -> st.SearchStrategy[list[Function]]:
    """Draw a few functions of one kind of hook."""
    return st.lists(functions(*actions), max_size=2)


@dataclass(frozen=True)
class Scope:
    """The functions of the application, or of a blueprint."""

    preprocessors: list[Function]
    before: list[Function]
    after: list[Function]
    teardown: list[Function]
    handlers: list[tuple[str, Function]]


SCOPES = st.builds(
    Scope,
    # Flask knows no asynchronous ones.
    st.lists(
        st.builds(Function, st.just("sync"), st.sampled_from(["pass", "pass", "raise", "stop"])),
        max_size=1,
    ),
    hooks("raise", "stop", "answer", "abort"),
    hooks("raise", "stop"),
    hooks("raise", "stop"),
    st.lists(
        st.tuples(st.sampled_from(["Known", "404", "500"]), functions("raise", "stop", "abort")),
        max_size=2,
        unique_by=lambda pair: pair[0],
    ),
)


@dataclass(frozen=True)
class Layout:
    """An application and the request that is sent to it."""

    scopes: tuple[Scope, Scope, Scope]
    teardown_app: list[Function]
    view: Function
    after_this: list[Function]
    path: str

    @property
    def is_calm_after(self) -> bool:
        """Whether nothing raises between the view and the answer.

        A stream that never becomes an answer ends when it is collected, and that is not in order.
        """
        functions = chain(self.after_this, *(scope.after for scope in self.scopes))
        return all(function.action == "pass" for function in functions)


LAYOUTS = st.builds(
    Layout,
    st.tuples(SCOPES, SCOPES, SCOPES),
    hooks("raise", "stop"),
    functions("raise", "stop", "abort", "stream", "stream-raise", "stream-stop"),
    hooks("raise", "stop"),
    st.sampled_from(["/view", "/outer/view", "/outer/inner/view", "/outer/inner/missing"]),
)


@dataclass
class Builder:
    """Makes the application of a layout, which notes what it calls."""

    layout: Layout
    log: list[str] = field(default_factory=list)
    #: Functions misbehave in the first request only.
    armed: bool = True

    def note(self, name: str) -> None:
        """Note a call, and what it sees of its request."""
        g.seen = g.get("seen", 0) + 1
        known = tenant.get()
        if has_request_context():
            known = f"{request.path} {session.get('who')} {known}"
        self.log.append(f"{name} {known} {g.seen}")

    def act(self, name: str, function: Function, result: t.Any) -> t.Any:
        """Do what a function is to do."""
        self.note(name)
        if not self.armed:
            return result
        if function.action == "raise":
            raise Known(name)
        if function.action == "stop":
            raise Stop(name)
        if function.action == "abort":
            abort(404)
        if function.action == "answer":
            return f"answer of {name}"
        if function.action.startswith("stream") and self.layout.is_calm_after:
            return Response(stream_with_context(self.parts(function.action)))
        return result

    def parts(self, action: str) -> Iterator[str]:
        """Yield the body of a stream."""
        try:
            for number in range(3):
                self.note(f"part {number}")
                if number == 2 and action == "stream-raise":
                    raise Known("part")
                if number == 2 and action == "stream-stop":
                    raise Stop("part")
                yield f"part {number} "
        finally:
            self.note("end of parts")

    def make(self, name: str, function: Function, result: Callable[..., t.Any]) -> t.Any:
        """Return a function, or coroutine function, of a layout."""

        def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
            return self.act(name, function, result(*args))

        async def call_later(*args: t.Any, **kwargs: t.Any) -> t.Any:
            if function.kind == "waiting":
                await asyncio.sleep(0)
            value = self.act(name, function, result(*args))
            if function.kind == "waiting":
                await asyncio.sleep(0)
            return value

        return call if function.kind == "sync" else call_later

    def fill(self, scope: Scaffold, name: str, drawn: Scope) -> None:
        """Register the functions of the application or of a blueprint."""
        for number, function in enumerate(drawn.preprocessors):
            scope.url_value_preprocessor(
                self.make(f"{name} preprocess {number}", function, nothing)
            )
        for number, function in enumerate(drawn.before):
            scope.before_request(self.make(f"{name} before {number}", function, nothing))
        for number, function in enumerate(drawn.after):
            scope.after_request(self.make(f"{name} after {number}", function, the_same))
        for number, function in enumerate(drawn.teardown):
            scope.teardown_request(self.make(f"{name} teardown {number}", function, nothing))
        for what, function in drawn.handlers:
            key: t.Any = Known if what == "Known" else int(what)
            handler = self.make(f"{name} handler {what}", function, lambda error: ("handled", 418))
            scope.register_error_handler(key, handler)

    def build(self, cls: type[Flask]) -> Flask:
        """Return the application."""
        layout = self.layout
        app = cls(__name__)
        app.config.update(SECRET_KEY="key", PROPAGATE_EXCEPTIONS=False, WORKER_THREADS=2)
        app.logger.disabled = True

        @app.before_request
        def begin() -> None:
            session["who"] = tenant.get()
            tenant.set(request.args["who"])

        outer = Blueprint("outer", __name__, url_prefix="/outer")
        inner = Blueprint("inner", __name__, url_prefix="/inner")
        for scope, name, drawn in zip(
            (app, outer, inner), ("app", "outer", "inner"), layout.scopes, strict=True
        ):
            self.fill(scope, name, drawn)
            scope.add_url_rule("/view", "view", self.make("view", layout.view, self.view_result))
        for number, function in enumerate(layout.teardown_app):
            app.teardown_appcontext(self.make(f"teardown app {number}", function, nothing))
        outer.register_blueprint(inner)
        app.register_blueprint(outer)
        return app

    def view_result(self) -> str:
        """Return what the view returns, once it has registered what it registers."""
        for number, function in enumerate(self.layout.after_this):
            after_this_request(self.make(f"after this {number}", function, the_same))
        return "view"


def nothing(*args: t.Any) -> None:
    """Return what a hook returns that leaves everything as it is."""


def the_same(response: Response) -> Response:
    """Return what it gets."""
    return response


def visit(app: Flask, gateway: str, path: str) -> tuple[t.Any, ...]:
    """Send a request and return what came of it."""
    client = app.test_client(gateway=gateway)
    token = tenant.set("client")
    outcome: tuple[t.Any, ...]
    try:
        response = client.get(f"{path}?who=visitor")
        try:
            outcome = (response.status_code, response.data, response.headers.get("Vary"))
        finally:
            response.close()
    except (Known, Stop, NotFound) as error:
        outcome = (type(error).__name__, str(error))
    finally:
        # By WSGI the request runs in the caller's context.
        tenant.reset(token)
    assert _cv_request.get(None) is None
    assert _cv_app.get(None) is None
    return outcome


def play(layout: Layout, gateway: str, cls: type[Flask]) -> t.Any:
    """Return all that happens in two requests to an application."""
    builder = Builder(layout)
    app = builder.build(cls)
    first = visit(app, gateway, layout.path), builder.log.copy()
    builder.armed = False
    builder.log.clear()
    second = visit(app, gateway, layout.path), builder.log.copy()
    return first, second


@pytest.mark.parametrize("cls", [Flask, OverriddenFlask])
@settings(max_examples=200, deadline=None)
@given(layout=LAYOUTS)
def test_the_order_is_the_same_by_every_gateway(cls: type[Flask], layout: Layout) -> None:
    """The same calls in the same order, the same answer or error, and a next request as usual."""
    expected, *others = map(partial(play, layout, cls=cls), GATEWAYS)
    for other in others:
        assert other == expected
    status, body, _ = expected[1][0]
    assert (status, body) in {(200, b"view"), (404, body), (418, b"handled")}


@pytest.mark.gateways(*GATEWAYS)
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_ends_programs_ends_one_request(
    app: Flask, kind: str, error: type[BaseException]
) -> None:
    """SystemExit and KeyboardInterrupt reach the server, with teardown; others go on."""
    log: list[str] = []

    def leave() -> str:
        raise error

    async def leave_later() -> str:
        await asyncio.sleep(0)
        raise error

    app.add_url_rule("/leave", "leave", leave if kind == "sync" else leave_later)
    app.add_url_rule("/", "index", lambda: "fine")
    app.teardown_request(lambda exc: log.append(type(exc).__name__))
    client = app.test_client()
    with pytest.raises(error):
        client.get("/leave")
    assert client.get("/").text == "fine"
    assert log == [error.__name__, "NoneType"]
