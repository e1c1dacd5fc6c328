"""No request sees another's data, and no error leaves a context behind."""

from __future__ import annotations

import gc
import threading
import time
import typing as t
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from blinker import Signal
from werkzeug.test import create_environ

from erlen import Flask, Response, abort, g, request, session, signals
from erlen.globals import _cv_app, _cv_request

THREADS = 64
REQUESTS_PER_THREAD = 25


def test_64_threads_keep_to_themselves(app: Flask) -> None:
    """Each of many simultaneous requests sees its own request, session and g throughout."""
    meet = threading.Barrier(THREADS, timeout=30)
    app.config["WORKER_THREADS"] = THREADS

    @app.before_request
    def remember() -> None:
        g.value = request.args["v"]

    @app.get("/<name>")
    def index(name: str) -> dict[str, t.Any]:
        before = session.get("name")
        session["name"] = name
        if request.args.get("meet"):
            meet.wait()
        return {
            "name": name,
            "arg": request.args["v"],
            "g": g.value,
            "before": before,
            "session": session["name"],
        }

    def one_reader(number: int) -> list[t.Any]:
        client = app.test_client()
        name = f"reader{number}"
        answers = [client.get(f"/{name}?v={number}&meet=1").json]
        for count in range(REQUESTS_PER_THREAD):
            answers.append(client.get(f"/{name}?v={number * 1000 + count}").json)
        return answers

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(one_reader, range(THREADS)))

    for number, answers in enumerate(results):
        name = f"reader{number}"
        assert answers[0] == {
            "name": name,
            "arg": str(number),
            "g": str(number),
            "before": None,
            "session": name,
        }
        for count, answer in enumerate(answers[1:]):
            value = str(number * 1000 + count)
            assert answer == {
                "name": name,
                "arg": value,
                "g": value,
                "before": name,
                "session": name,
            }


class Stop(BaseException):
    """Like SystemExit or KeyboardInterrupt: not an Exception."""


POSITIONS = [
    "url_value_preprocessor",
    "before_request",
    "view",
    "after_request",
    "after_this_request",
    "teardown_request",
    "teardown_appcontext",
    "errorhandler",
    "error_after",
    "open_session",
    "save_session",
    "stream",
    "context_processor",
    "signal request_started",
    "signal request_finished",
    "signal request_tearing_down",
    "signal appcontext_pushed",
    "signal appcontext_tearing_down",
    "signal appcontext_popped",
    "signal got_request_exception",
]


class Trap:
    """Raises once, in the position it was set for."""

    def __init__(self, position: str, error: BaseException) -> None:
        self.position = position
        self.error = error
        self.armed = False

    def spring(self, position: str) -> None:
        if self.armed and position == self.position:
            self.armed = False
            raise self.error


def make_app(trap: Trap, log: list[str]) -> Flask:
    """Return an application that passes every position in one request to ``/fail`` or ``/``."""
    from erlen import after_this_request, render_template_string, stream_with_context
    from erlen.sessions import SecureCookieSessionInterface

    class Sessions(SecureCookieSessionInterface):
        def open_session(self, app: Flask, request: t.Any) -> t.Any:
            trap.spring("open_session")
            return super().open_session(app, request)

        def save_session(self, app: Flask, session: t.Any, response: t.Any) -> None:
            trap.spring("save_session")
            super().save_session(app, session, response)

    app = Flask(__name__)
    app.secret_key = "key"
    app.logger.disabled = True
    app.session_interface = Sessions()

    @app.url_value_preprocessor
    def preprocess(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        trap.spring("url_value_preprocessor")

    @app.before_request
    def before() -> None:
        trap.spring("before_request")

    @app.after_request
    def after(response: Response) -> Response:
        trap.spring("after_request")
        return response

    @app.teardown_request
    def first_teardown(exc: BaseException | None) -> None:
        log.append("teardown_request")

    @app.teardown_request
    def teardown(exc: BaseException | None) -> None:
        trap.spring("teardown_request")

    @app.teardown_appcontext
    def first_teardown_app(exc: BaseException | None) -> None:
        log.append("teardown_appcontext")

    @app.teardown_appcontext
    def teardown_app(exc: BaseException | None) -> None:
        trap.spring("teardown_appcontext")

    @app.context_processor
    def processor() -> dict[str, t.Any]:
        trap.spring("context_processor")
        return {}

    @app.errorhandler(ZeroDivisionError)
    def handle(error: ZeroDivisionError) -> str:
        trap.spring("errorhandler")
        return "handled"

    @app.errorhandler(500)
    def handle_500(error: Exception) -> tuple[str, int]:
        trap.spring("error_after")
        return "error", 500

    @app.get("/")
    def index() -> str:
        session["seen"] = True

        @after_this_request
        def once(response: Response) -> Response:
            trap.spring("after_this_request")
            return response

        trap.spring("view")
        return render_template_string("fine")

    @app.get("/fail")
    def fail() -> str:
        return str(1 // 0)

    @app.get("/broken")
    def broken() -> str:
        raise LookupError("unhandled")

    @app.get("/stream")
    def stream() -> Response:
        def generate() -> t.Iterator[str]:
            yield "fine"
            trap.spring("stream")

        return Response(stream_with_context(generate()))

    return app


PATHS = {
    "errorhandler": "/fail",
    "error_after": "/broken",
    "signal got_request_exception": "/broken",
    "stream": "/stream",
}


@pytest.mark.parametrize("error", [RuntimeError("trap"), Stop("trap")], ids=["error", "stop"])
@pytest.mark.parametrize("position", POSITIONS)
def test_an_error_in_any_position_leaves_nothing_behind(
    position: str, error: BaseException
) -> None:
    """The contexts are gone, teardown ran once where it began, the next request is right."""
    log: list[str] = []
    trap = Trap(position, error)
    app = make_app(trap, log)

    def receiver(sender: t.Any, **extra: t.Any) -> None:
        trap.spring(position)

    signal: Signal | None = None
    if position.startswith("signal "):
        signal = getattr(signals, position.removeprefix("signal "))
        signal.connect(receiver, app)

    trap.armed = True
    try:
        body = app(create_environ(PATHS.get(position, "/")), start_response)
        b"".join(body)
        close(body)
    except (RuntimeError, Stop) as raised:
        assert raised is error
    finally:
        if "body" in locals():
            close(body)
    assert not trap.armed, "the position was never reached"
    assert _cv_request.get(None) is None
    assert _cv_app.get(None) is None
    if position != "signal appcontext_pushed":
        assert log == ["teardown_request", "teardown_appcontext"]

    log.clear()
    body = app(create_environ("/"), start_response)
    assert b"".join(body) == b"fine"
    close(body)
    assert log == ["teardown_request", "teardown_appcontext"]
    if signal is not None:
        # For one sender only, the signal would go on looking for receivers at each request.
        signal.disconnect(receiver)


def start_response(
    status: str, headers: list[tuple[str, str]], exc_info: t.Any = None
) -> t.Callable[[bytes], object]:
    return lambda data: None


def close(body: t.Any) -> None:
    if hasattr(body, "close"):
        body.close()


def test_all_teardowns_run_and_the_first_error_is_raised(app: Flask) -> None:
    """Later functions run although earlier ones raised; their errors stand in the notes."""
    log: list[str] = []

    def failing(name: str) -> t.Callable[[BaseException | None], None]:
        def teardown(exc: BaseException | None) -> None:
            log.append(name)
            raise ValueError(name)

        return teardown

    app.teardown_request(failing("second"))
    app.teardown_request(failing("first"))
    app.teardown_appcontext(lambda exc: log.append("app"))
    app.add_url_rule("/", "index", lambda: "ok")
    with pytest.raises(ValueError, match="first") as caught:
        app.test_client().get("/")
    assert log == ["first", "second", "app"]
    assert "second" in caught.value.__notes__[0]


class Marker:
    """Goes with the environment that it is in."""


# The steps of an overridden application refer to what they are called with.
@pytest.mark.gateways("wsgi")
def test_no_request_waits_for_the_garbage_collector(app: Flask) -> None:
    """However a request ends, what belongs to it goes at once."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    # The test runner keeps what was logged.
    app.log_exception = lambda exc_info: None  # type: ignore[method-assign]

    def interrupt() -> t.NoReturn:
        raise KeyboardInterrupt

    actions: dict[str, t.Callable[[], t.Any]] = {
        "fine": lambda: "text",
        "error": lambda: 1 // 0,
        "nothing": lambda: None,
        "interrupt": interrupt,
        "forbidden": lambda: abort(403),
        "response": lambda: abort(Response("text")),
        "key": lambda: request.args["key"],
        "json": lambda: request.get_json(),
    }

    @app.get("/<name>")
    def run(name: str) -> t.Any:
        return actions[name]()

    @app.get("/async")
    async def run_later() -> t.Any:
        return 1 // 0

    @app.get("/slash/")
    def slash() -> str:
        return "text"

    gc.disable()
    try:
        for path in (*actions, "async", "slash", "static/missing", "missing/one"):
            environ = create_environ(f"/{path}")
            marker = weakref.ref(environ.setdefault("marker", Marker()))
            with suppress(KeyboardInterrupt):
                b"".join(app(environ, lambda *args: lambda data: None))
            del environ
            # The loop's thread lets go of a coroutine a little later.
            deadline = time.monotonic() + 30
            while marker() is not None and time.monotonic() < deadline:
                time.sleep(0.01)
            assert marker() is None, path
    finally:
        gc.enable()
