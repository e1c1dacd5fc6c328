"""The order of a WebSocket's steps, and what they do with errors."""

from __future__ import annotations

import asyncio
import typing as t
from contextlib import suppress
from queue import SimpleQueue

import pytest
from werkzeug.test import create_environ

from erlen import (
    Blueprint,
    Erlen,
    Flask,
    abort,
    after_this_response,
    current_app,
    g,
    got_websocket_exception,
    request,
    sync_websocket,
    websocket,
    websocket_finished,
    websocket_started,
    websocket_tearing_down,
)
from erlen.testing import WebsocketResponseError
from erlen.testing.websocket import make_scope
from erlen.wrappers import Response

if t.TYPE_CHECKING:
    from erlen.testing import FlaskClient
    from erlen.typing import ResponseReturnValue


def refusal(client: FlaskClient, path: str, **options: t.Any) -> Response:
    """Return the answer that a handshake is refused with."""
    with pytest.raises(WebsocketResponseError) as caught:
        client.websocket(path, **options).__enter__()
    return caught.value.response


def test_order(app: Flask, client: FlaskClient) -> None:
    """Hooks run in the order of requests, blueprints inside, coroutines and functions alike."""
    log: list[str] = []
    bp = Blueprint("bp", __name__, url_prefix="/bp")

    @app.before_websocket
    async def before() -> None:
        await asyncio.sleep(0)
        log.append("before app")

    @bp.before_websocket
    def before_bp() -> None:
        log.append("before blueprint")

    @bp.before_app_websocket
    def before_from_bp() -> None:
        log.append("before app, from blueprint")

    @app.after_websocket
    def after(response: Response | None) -> Response | None:
        log.append(f"after app {response}")
        return response

    @bp.after_websocket
    async def after_bp(response: Response | None) -> Response | None:
        log.append("after blueprint")
        return response

    @bp.after_app_websocket
    def after_from_bp(response: Response | None) -> Response | None:
        log.append("after app, from blueprint")
        return response

    @app.teardown_websocket
    def teardown(error: BaseException | None) -> None:
        log.append("teardown app")

    @bp.teardown_websocket
    async def teardown_bp(error: BaseException | None) -> None:
        log.append("teardown blueprint")

    @bp.teardown_app_websocket
    def teardown_from_bp(error: BaseException | None) -> None:
        log.append("teardown app, from blueprint")

    @app.teardown_appcontext
    def teardown_context(error: BaseException | None) -> None:
        log.append("teardown context")

    @app.url_value_preprocessor
    def preprocess(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        log.append(f"values {values}")

    @app.before_request
    def never() -> None:
        raise AssertionError

    @bp.websocket("/<name>", endpoint="there")
    async def handle(name: str) -> None:
        log.append(f"handler {request.endpoint}")
        await websocket.accept()

    app.register_blueprint(bp)
    with client.websocket("/bp/x") as socket:
        assert list(socket) == []
    assert log == [
        "values {'name': 'x'}",
        "before app",
        "before app, from blueprint",
        "before blueprint",
        "handler bp.there",
        "after blueprint",
        "after app, from blueprint",
        "after app None",
        "teardown blueprint",
        "teardown app, from blueprint",
        "teardown app",
        "teardown context",
    ]


def test_signals(app: Flask, client: FlaskClient) -> None:
    """The signals are sent around the handler."""
    log = []

    @app.websocket("/")
    def handle() -> None:
        log.append("handler")
        sync_websocket.accept()

    def listen(name: str) -> t.Any:
        return lambda sender, **extra: log.append(f"{name} {extra}")

    with (
        websocket_started.connected_to(listen("started"), app),
        websocket_finished.connected_to(listen("finished"), app),
        websocket_tearing_down.connected_to(listen("tearing down"), app),
        client.websocket("/"),
    ):
        pass
    assert log == [
        "started {}",
        "handler",
        "finished {'response': None}",
        "tearing down {'exc': None}",
    ]


def test_hook_refuses(app: Flask, client: FlaskClient) -> None:
    """What a hook returns is the answer in the place of the handshake."""

    @app.before_websocket
    def check() -> ResponseReturnValue | None:
        return ({"error": "no"}, 401) if "ok" not in websocket.args else None

    @app.websocket("/")
    async def handle() -> None:
        await websocket.send("in")

    response = refusal(client, "/")
    assert (response.status_code, response.json) == (401, {"error": "no"})
    with client.websocket("/?ok") as socket:
        assert socket.receive() == "in"


def test_error_handlers(app: Flask, client: FlaskClient) -> None:
    """Error handlers answer before the handshake, blueprints' first, for what is not found too."""
    bp = Blueprint("bp", __name__)

    @app.errorhandler(404)
    def missing(error: Exception) -> ResponseReturnValue:
        return f"no {request.path}", 404

    @bp.errorhandler(KeyError)
    async def bad_key(error: KeyError) -> ResponseReturnValue:
        return f"no {error}", 409

    @bp.websocket("/bp")
    async def handle() -> None:
        raise KeyError("key")

    app.register_blueprint(bp)
    response = refusal(client, "/bp")
    assert (response.status_code, response.data) == (409, b"no 'key'")
    assert refusal(client, "/nowhere").data == b"no /nowhere"


def test_returned_answer(app: Flask, client: FlaskClient) -> None:
    """A handler may return an answer instead of accepting; a redirect, for instance."""

    @app.websocket("/old")
    def old() -> ResponseReturnValue:
        return current_app.redirect("/new")

    assert refusal(client, "/old").headers["Location"] == "/new"


@pytest.mark.parametrize(("status", "code"), [(403, 1008), (404, 1008), (503, 1011)])
def test_abort_later(app: Flask, client: FlaskClient, status: int, code: int) -> None:
    """After the handshake, an HTTP error becomes a close code."""

    @app.websocket("/")
    async def handle() -> None:
        await websocket.accept()
        abort(status)

    with client.websocket("/") as socket:
        assert list(socket) == []
        assert socket.close_code == code


@pytest.mark.parametrize("accepts", [True, False])
def test_failure(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture, accepts: bool
) -> None:
    """An unhandled exception is logged and signalled: a 500, or 1011 after the handshake."""
    app.testing = False
    signalled: list[BaseException] = []
    ends: list[BaseException | None] = []
    app.teardown_websocket(ends.append)

    @app.websocket("/")
    async def handle() -> None:
        if accepts:
            await websocket.accept()
        raise ValueError("on purpose")

    def note(sender: Flask, exception: BaseException) -> None:
        signalled.append(exception)

    with got_websocket_exception.connected_to(note, app):
        if accepts:
            with client.websocket("/") as socket:
                assert list(socket) == []
                assert socket.close_code == 1011
        else:
            assert refusal(client, "/").status_code == 500
    assert [record.message for record in caplog.records] == ["Exception on the WebSocket '/'"]
    assert [str(error) for error in (*signalled, *ends)] == ["on purpose"] * 2


def test_failure_in_tests(app: Flask, client: FlaskClient) -> None:
    """In tests the exception itself arrives, where the test waits or leaves."""

    @app.websocket("/")
    async def handle() -> None:
        await websocket.accept()
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"), client.websocket("/"):
        pass


class Stop(BaseException):
    """Not an Exception."""


POSITIONS = ("before", "handler", "after", "teardown", "appcontext", "started", "finished")


@pytest.mark.parametrize("error", [ValueError, Stop, asyncio.CancelledError])
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("is_async", [False, True])
def test_exception_anywhere(
    app: Flask,
    client: FlaskClient,
    caplog: pytest.LogCaptureFixture,
    position: str,
    error: type[BaseException],
    is_async: bool,
) -> None:
    """Whatever raises, teardown runs once, and the next WebSocket finds nothing of it."""
    app.testing = False
    app.logger.disabled = True
    fails = True
    ends = 0

    def step(name: str) -> t.Any:
        def check(*args: t.Any) -> t.Any:
            if fails and name == position:
                g.left = True
                raise error
            return args[0] if args and name == "after" else None

        async def check_later(*args: t.Any) -> t.Any:
            await asyncio.sleep(0)
            return check(*args)

        return check_later if is_async else check

    app.before_websocket(step("before"))
    app.after_websocket(step("after"))

    @app.teardown_websocket
    def count(exc: BaseException | None) -> None:
        nonlocal ends
        ends += 1

    app.teardown_websocket(step("teardown"))
    app.teardown_appcontext(step("appcontext"))

    @app.websocket("/")
    async def handle() -> None:
        assert list(g) == []
        await websocket.accept()
        result = step("handler")()
        if is_async:
            await result
        await websocket.send("fine")

    def receiver(name: str) -> t.Any:
        def receive(sender: Flask, **extra: t.Any) -> None:
            if fails and name == position:
                raise error

        return receive

    with (
        websocket_started.connected_to(receiver("started"), app),
        websocket_finished.connected_to(receiver("finished"), app),
    ):
        try:
            with client.websocket("/") as socket:
                list(socket)
        except (error, WebsocketResponseError, asyncio.CancelledError):
            pass
        assert ends == 1
        fails = False
        with client.websocket("/") as socket:
            assert socket.receive() == "fine"
    assert ends == 2


def test_cancelled(app: Flask, client: FlaskClient) -> None:
    """A server that cancels, as it shuts down, ends the handler and the context."""
    ends: list[object] = []
    app.teardown_websocket(lambda error: ends.append(type(error)))
    app.teardown_appcontext(lambda error: ends.append(type(error)))

    @app.websocket("/")
    async def handle() -> None:
        await websocket.accept()
        await asyncio.Event().wait()

    async def run() -> None:
        opener = client.websocket("/")
        socket = await opener.__aenter__()
        socket._handler.cancel()
        with pytest.raises(asyncio.CancelledError):
            await socket._handler

    asyncio.run(run())
    assert ends == [asyncio.CancelledError] * 2


def test_client_gone(app: Flask, client: FlaskClient) -> None:
    """A handler that does not notice that its client is gone is cancelled after a while."""
    app.config["WEBSOCKET_LEAVE_TIMEOUT"] = 0
    ends: list[BaseException | None] = []
    app.teardown_websocket(ends.append)
    cleaned_up = []

    @app.websocket("/")
    def handle() -> None:
        sync_websocket.accept()
        try:
            app.async_to_sync(asyncio.Event().wait)()
        finally:
            cleaned_up.append(request.path)

    with client.websocket("/"):
        pass
    assert cleaned_up == ["/"]
    assert ends == [None]


def test_overridden_steps(client: FlaskClient) -> None:
    """Each step can be overridden, on a subclass and on an instance."""
    log = []
    steps = [
        "websocket_context",
        "handle_websocket",
        "full_dispatch_websocket",
        "preprocess_websocket",
        "check_websocket_origin",
        "dispatch_websocket",
        "finalize_websocket",
        "postprocess_websocket",
        "do_teardown_websocket",
    ]

    def override(name: str, inner: t.Any) -> t.Any:
        def step(*args: t.Any, **kwargs: t.Any) -> t.Any:
            log.append(name)
            return inner(*args, **kwargs)

        return step

    cls = type("Own", (Erlen,), {name: override(name, getattr(Erlen, name)) for name in steps})
    app = cls(__name__)

    @app.websocket("/")  # type: ignore[untyped-decorator]
    def handle() -> None:
        sync_websocket.accept()

    app.dispatch_websocket = override("instance", app.dispatch_websocket)
    with app.test_client().websocket("/"):
        pass
    expected = ["handle_websocket", "websocket_context", *steps[2:]]
    expected.insert(expected.index("dispatch_websocket"), "instance")
    assert log == expected


def test_middleware(app: Flask, client: FlaskClient) -> None:
    """WSGI middleware around wsgi_app sees handshakes, and what it changes counts."""
    from werkzeug.middleware.proxy_fix import ProxyFix

    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1, x_proto=1)  # type: ignore[method-assign]

    @app.websocket("/")
    async def handle() -> None:
        await websocket.send_json([websocket.host, websocket.scheme, websocket.remote_addr])

    headers = {
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Host": "shop.example",
        "X-Forwarded-Proto": "https",
        "Origin": "https://shop.example",
    }
    with client.websocket("/", headers=headers) as socket:
        assert socket.receive_json() == ["shop.example", "wss", "192.0.2.7"]


def test_http_instead(app: Flask, client: FlaskClient) -> None:
    """HTTP for a WebSocket's URL answers 426; a WebSocket for a view's URL is refused."""

    @app.websocket("/ws")
    def handle() -> None:
        raise AssertionError

    @app.get("/page")
    def page() -> str:
        raise AssertionError

    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    for headers in ({}, upgrade):
        response = client.get("/ws", headers=headers)
        assert response.status_code == 426
        assert "ASGI or RSGI" in response.text
    assert refusal(client, "/page").status_code == 400


def test_url_for(app: Flask, client: FlaskClient) -> None:
    """URLs of WebSockets are built with their scheme."""

    @app.websocket("/ws/<room>")
    async def chat(room: str) -> None:
        await websocket.send(current_app.url_for("chat", room="b"))

    with app.test_request_context(base_url="https://shop.example"):
        assert app.url_for("chat", room="a") == "wss://shop.example/ws/a"
    with client.websocket("/ws/a") as socket:
        assert socket.receive() == "ws://localhost/ws/b"


def test_life_of_the_worker(app: Flask, client: FlaskClient) -> None:
    """What is to be done before serving is done before the first WebSocket."""
    log = []

    @app.before_serving
    async def begin() -> None:
        log.append("begin")

    @app.websocket("/")
    async def handle() -> None:
        log.append("handler")
        await websocket.accept()

    for _ in range(2):
        with client.websocket("/"):
            pass
    assert log == ["begin", "handler", "handler"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_background_tasks(app: Flask, client: FlaskClient, asynchronous: bool) -> None:
    """They begin when the handshake has been answered, and do not wait for the handler's end."""
    begun: SimpleQueue[list[object]] = SimpleQueue()

    def work() -> None:
        begun.put([websocket.is_accepted, request.args["q"], "user" in g])
        app.add_background_task(lambda: begun.put(["from a task"]))

    async def work_on_loop() -> None:
        work()

    @app.websocket("/")
    async def handle() -> None:
        g.user = "ada"
        after_this_response(work_on_loop if asynchronous else work)
        await asyncio.sleep(0)
        await websocket.send("empty" if begun.empty() else "too early")
        async for message in websocket:
            app.add_background_task(begun.put, [message])

    with client.websocket("/?q=1") as socket:
        assert socket.receive() == "empty"
        assert begun.get(timeout=30) == [True, "1", False]
        assert begun.get(timeout=30) == ["from a task"]
        socket.send("hello")
        assert begun.get(timeout=30) == ["hello"]
    assert begun.empty()


@pytest.mark.parametrize("ending", ["answer", "close", "error"])
def test_background_tasks_of_a_refused_handshake(
    app: Flask, client: FlaskClient, ending: str
) -> None:
    """They begin when the refusal has been sent."""
    begun: SimpleQueue[object] = SimpleQueue()
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.websocket("/")
    async def handle() -> ResponseReturnValue | None:
        after_this_response(lambda: begun.put(websocket.path))
        if ending == "error":
            raise LookupError
        if ending == "answer":
            return "no", 403
        await websocket.close()
        return None

    @app.after_websocket
    def look(response: Response | None) -> Response | None:
        if ending != "close":
            assert begun.empty()
        return response

    assert refusal(client, "/").status_code == (500 if ending == "error" else 403)
    assert begun.get(timeout=30) == "/"


def test_background_tasks_of_a_client_that_leaves_early(app: Flask) -> None:
    """Where nobody takes the answer any more, they begin nevertheless."""
    begun: SimpleQueue[object] = SimpleQueue()

    @app.websocket("/")
    async def handle() -> None:
        after_this_response(lambda: begun.put("begun"))
        await websocket.accept()

    async def send(message: object) -> None:
        raise OSError("gone")

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def visit() -> None:
        with suppress(OSError):
            await app(make_scope(create_environ("/"), ()), receive, send)
        assert await asyncio.to_thread(begun.get, timeout=30) == "begun"

    asyncio.run(visit())
