"""Requests on an event loop: many at once, streams, bodies, and clients that go away."""

from __future__ import annotations

import asyncio
import threading
import typing as t
from contextvars import ContextVar

import pytest
from tests.connection import PATIENCE, Connection, until
from werkzeug.exceptions import ClientDisconnected

from erlen import Flask, Response, await_, g, request, session, stream_with_context
from erlen.globals import _cv_app, _cv_request

if t.TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

# These tests bring their own requests.
pytestmark = pytest.mark.gateways("asgi", "asgi-overridden")

leak: ContextVar[str] = ContextVar("leak", default="clean")

KINDS = ("thread", "cooperative", "async")


def add_view(
    app: Flask, rule: str, kind: str, view: Callable[..., t.Any], **options: t.Any
) -> None:
    """Add a view that runs in a worker thread, in a fiber, or as a coroutine.

    :param view: synchronous code; it waits by ``await_``.
    """
    if kind == "async":

        async def call(**values: t.Any) -> t.Any:
            return view(**values)

        app.add_url_rule(rule, rule, call, **options)
    else:
        app.add_url_rule(rule, rule, view, cooperative=kind == "cooperative", **options)


def play(coroutine: Coroutine[t.Any, t.Any, t.Any]) -> t.Any:
    """Run a test's coroutine, and fail where it hangs."""

    async def play() -> t.Any:
        try:
            return await asyncio.wait_for(coroutine, 2 * PATIENCE)
        finally:
            assert _cv_request.get(None) is None
            assert _cv_app.get(None) is None
            assert leak.get() == "clean"

    return asyncio.run(play())


# --- Many at once -----------------------------------------------------------------------------


@pytest.mark.gateways("asgi")
def test_1000_tasks_keep_to_themselves(app: Flask) -> None:
    """Each of many simultaneous requests sees its own request, session and g throughout."""
    app.config["WORKER_THREADS"] = 16

    @app.before_request
    async def remember() -> None:
        g.value = request.args["v"]
        leak.set(request.args["v"])
        await asyncio.sleep(0)

    def view(kind: str) -> dict[str, t.Any]:
        session["name"] = request.args["v"]
        before = g.value
        for _ in range(3):
            await_(asyncio.sleep(0))
        return {"seen": [kind, before, g.value, request.args["v"], session["name"], leak.get()]}

    for kind in KINDS:
        add_view(app, f"/{kind}", kind, lambda kind=kind: view(kind))

    # A coroutine among the hooks takes the whole request to the loop.
    def threaded() -> dict[str, t.Any]:
        session["name"] = request.args["v"]
        return {"seen": [request.args["v"], session["name"], threading.current_thread().name[:12]]}

    calm = Flask("calm")
    calm.config.update(SECRET_KEY="key", WORKER_THREADS=16)
    calm.add_url_rule("/", "index", threaded)

    async def all_at_once() -> list[Connection]:
        connections = [
            Connection(calm if n % 4 == 3 else app, f"/{(*KINDS, '')[n % 4]}?v={n}")
            for n in range(1000)
        ]
        await asyncio.gather(*(connection.run() for connection in connections))
        return connections

    for n, connection in enumerate(play(all_at_once())):
        expected = [str(n), str(n), "erlen-worker"] if n % 4 == 3 else [KINDS[n % 4], *[str(n)] * 5]
        assert connection.json == {"seen": expected}
        cookie = dict(connection.sent[0]["headers"])[b"set-cookie"]
        assert cookie.startswith(b"session=")


@pytest.mark.gateways("asgi")
@pytest.mark.parametrize("kind", ["cooperative", "async"])
def test_1000_requests_wait_together(app: Flask, kind: str) -> None:
    """None of them holds another up: the last one finds all the others waiting."""
    waiting = 0
    most = 0

    async def wait(everybody: asyncio.Event) -> None:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        if waiting == 1000:
            everybody.set()
        await everybody.wait()
        await asyncio.sleep(0.1)
        waiting -= 1

    async def all_at_once() -> None:
        everybody = asyncio.Event()

        def view() -> str:
            await_(wait(everybody))
            return "ok"

        add_view(app, "/", kind, view)
        connections = [Connection(app) for _ in range(1000)]
        await asyncio.gather(*(connection.run() for connection in connections))
        assert {connection.body for connection in connections} == {b"ok"}

    play(all_at_once())
    assert (waiting, most) == (0, 1000)


@pytest.mark.gateways("asgi")
def test_1000_requests_share_a_few_threads(app: Flask) -> None:
    """As many run at once as there are threads, and the others wait for their turn."""
    app.config["WORKER_THREADS"] = 4
    lock = threading.Lock()
    meet = threading.Barrier(4, timeout=PATIENCE)
    running = most = 0

    def view() -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        # Nobody passes unless four are here.
        meet.wait()
        with lock:
            running -= 1
        return threading.current_thread().name

    app.add_url_rule("/", "index", view)

    async def all_at_once() -> set[bytes]:
        connections = [Connection(app) for _ in range(1000)]
        await asyncio.gather(*(connection.run() for connection in connections))
        return {connection.body for connection in connections}

    assert len(play(all_at_once())) == 4
    assert most == 4


def test_the_loop_is_free_while_threads_work(app: Flask) -> None:
    """A coroutine goes on while every worker thread is taken."""
    app.config["WORKER_THREADS"] = 1
    release = threading.Event()
    add_view(app, "/slow", "thread", lambda: str(release.wait(PATIENCE)))
    add_view(app, "/", "async", lambda: "quick")

    async def both() -> None:
        slow = Connection(app, "/slow").start()
        assert (await Connection(app, "/").run()).body == b"quick"
        release.set()
        assert slow.task is not None
        await slow.task
        assert slow.body == b"True"

    play(both())


# --- Streams ----------------------------------------------------------------------------------


def add_stream(app: Flask, kind: str, log: list[str], fail_at: int = -1) -> None:
    """Add an endless stream at ``/stream``, and a view at ``/`` that says what it finds."""

    def generate() -> Iterator[str]:
        number = 0
        try:
            while True:
                log.append(f"made {number}")
                if number == fail_at:
                    raise LookupError("in the stream")
                yield f"{request.path} {number};"
                leak.set("from the stream")
                number += 1
        finally:
            log.append(f"closed {request.path}")

    def stream() -> Response:
        leak.set("from the view")
        return Response(stream_with_context(generate()))

    def index() -> str:
        return f"{request.path} {g.get('value')} {leak.get()}"

    add_view(app, "/stream", kind, stream)
    add_view(app, "/", kind, index)

    @app.teardown_request
    def teardown(exc: BaseException | None) -> None:
        log.append(f"teardown {request.path} {type(exc).__name__}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_leaves_in_mid_stream(app: Flask, kind: str) -> None:
    """The stream is closed, with its request current, and teardown runs once."""
    app.config["WORKER_THREADS"] = 1
    log: list[str] = []
    add_stream(app, kind, log)

    async def leave() -> None:
        connection = Connection(app, "/stream", room=3).start()
        await connection.has_sent(3)
        await connection.leave()
        assert not connection.is_complete
        assert log[-2:] == ["closed /stream", "teardown /stream NoneType"]
        assert log.count("teardown /stream NoneType") == 1
        # The thread, or the fiber, that was left is used again, and nothing is left in it.
        for _ in range(3):
            following = await Connection(app).run()
            assert following.body == b"/ None clean"

    play(leave())


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_client_holds_the_stream_back(app: Flask, kind: str) -> None:
    """No more is made than the client takes, give or take a part."""
    log: list[str] = []
    add_stream(app, kind, log)

    async def read_slowly() -> None:
        connection = Connection(app, "/stream", room=4).start()
        await connection.has_sent(4)
        # Other requests go on, and give the stream its chance to run ahead.
        for _ in range(20):
            await Connection(app).run()
        made = [event for event in log if event.startswith("made")]
        assert len(made) <= 5
        await connection.leave()

    play(read_slowly())


@pytest.mark.parametrize("kind", KINDS)
def test_a_quick_client_holds_up_nobody(app: Flask, kind: str) -> None:
    """A stream that never has to wait gives way to other requests, and ends with its client."""
    log: list[str] = []
    add_stream(app, kind, log)

    async def read_quickly() -> None:
        connection = Connection(app, "/stream").start()
        await connection.has_sent(3)
        assert (await Connection(app).run()).body == b"/ None clean"
        await connection.leave()
        assert log[-1] == "teardown /stream NoneType"

    play(read_quickly())


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_client_holds_no_thread(app: Flask, kind: str) -> None:
    """Streams that wait for their clients leave the threads to others."""
    app.config["WORKER_THREADS"] = 1
    add_stream(app, kind, [])

    async def read_slowly() -> None:
        connections = [Connection(app, "/stream", room=2).start() for _ in range(8)]
        for connection in connections:
            await connection.has_sent(2)
        assert (await Connection(app).run()).body == b"/ None clean"
        for connection in connections:
            await connection.leave()

    play(read_slowly())


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_in_a_stream(app: Flask, kind: str) -> None:
    """The server gets it and must break the connection: the answer is never said to be whole."""
    log: list[str] = []
    add_stream(app, kind, log, fail_at=2)

    async def fail() -> None:
        connection = Connection(app, "/stream")
        with pytest.raises(LookupError, match="in the stream"):
            await connection.run()
        assert connection.body == b"/stream 0;/stream 1;"
        assert not connection.is_complete
        assert log[-2:] == ["closed /stream", "teardown /stream LookupError"]
        assert (await Connection(app).run()).body == b"/ None clean"

    play(fail())


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_reads_the_body(app: Flask, kind: str) -> None:
    """A view may send while it still receives; the two do not take each other's messages."""

    def echo() -> Response:
        def parts() -> Iterator[bytes]:
            while part := request.stream.read(4):
                yield part.upper()

        return Response(stream_with_context(parts()))

    add_view(app, "/echo", kind, echo, methods=["POST"])
    parts = [b"one ", b"two ", b"thre", b"four"]

    async def send() -> None:
        length = (b"content-length", b"16")
        for headers in ([length], [(b"transfer-encoding", b"chunked")]):
            connection = Connection(app, "/echo", "POST", parts, headers)
            await asyncio.wait_for(connection.run(), PATIENCE)
            assert connection.body == b"ONE TWO THREFOUR"
            assert connection.is_complete

    play(send())


# --- Bodies -----------------------------------------------------------------------------------


def add_upload(app: Flask, kind: str, log: list[str]) -> None:
    """Add a view at ``/upload`` that notes whether a body was whole."""

    def upload() -> str:
        try:
            data = request.get_data()
        except ClientDisconnected:
            log.append("cut")
            raise
        log.append(f"whole {len(data)}")
        return str(len(data))

    add_view(app, "/upload", kind, upload, methods=["POST"])
    app.teardown_request(lambda exc: log.append("teardown"))


FRAMINGS = {"length": (b"content-length", b"300"), "chunked": (b"transfer-encoding", b"chunked")}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_cut_body_is_never_whole(app: Flask, kind: str, framing: str) -> None:
    """A client that goes away in the middle of its body is noticed; the view is not fooled."""
    log: list[str] = []
    add_upload(app, kind, log)
    parts = [b"x" * 100, b"y" * 100]

    async def send() -> None:
        connection = Connection(app, "/upload", "POST", parts, [FRAMINGS[framing]], cut=True)
        await connection.run()
        assert log == ["cut", "teardown"]
        whole = Connection(app, "/upload", "POST", [*parts, b"z" * 100], [FRAMINGS[framing]])
        assert (await whole.run()).body == b"300"
        assert log[2:] == ["whole 300", "teardown"]

    play(send())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_the_limit_of_a_body(app: Flask, kind: str, framing: str) -> None:
    """A body that is too large is refused while it comes, whatever it announces."""
    app.config["MAX_CONTENT_LENGTH"] = 250
    log: list[str] = []
    add_upload(app, kind, log)

    async def send() -> None:
        parts = [b"x" * 100] * 3
        connection = Connection(app, "/upload", "POST", parts, [FRAMINGS[framing]])
        assert (await connection.run()).status == 413
        assert log == ["teardown"]

    play(send())


@pytest.mark.parametrize("kind", ["cooperative", "async"])
def test_a_body_is_read_on_demand(app: Flask, kind: str) -> None:
    """A view that does not read the body answers without waiting for it."""
    add_view(app, "/refuse", kind, lambda: ("no", 403), methods=["POST"])

    async def send() -> None:
        connection = Connection(app, "/refuse", "POST", [], [FRAMINGS["length"]])

        async def never() -> t.NoReturn:
            await asyncio.Event().wait()
            raise AssertionError

        connection.receive = never  # type: ignore[method-assign]
        assert (await asyncio.wait_for(connection.run(), PATIENCE)).status == 403

    play(send())


def test_slow_senders_hold_no_thread(app: Flask) -> None:
    """A body is taken in before a synchronous view takes a thread."""
    app.config["WORKER_THREADS"] = 1
    log: list[str] = []
    add_upload(app, "thread", log)
    add_view(app, "/", "thread", lambda: "free")

    async def send() -> None:
        more = asyncio.Event()
        parts: list[bytes | asyncio.Event] = [b"x" * 100, more, b"y" * 200]
        slow = Connection(app, "/upload", "POST", parts, [FRAMINGS["length"]]).start()
        await until(lambda: len(slow.parts) == 1, "the first part")
        assert (await Connection(app).run()).body == b"free"
        more.set()
        assert slow.task is not None
        await asyncio.wait_for(slow.task, PATIENCE)
        assert slow.body == b"300"

    play(send())


# --- Requests that are cancelled --------------------------------------------------------------


@pytest.mark.parametrize("kind", ["cooperative", "async"])
def test_a_cancelled_request(app: Flask, kind: str) -> None:
    """The view sees the cancellation where it waits; teardown runs, the next request is right."""
    log: list[str] = []

    def wait() -> str:
        log.append("waiting")
        try:
            await_(asyncio.Event().wait())
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        return "never"

    add_view(app, "/wait", kind, wait)
    add_view(app, "/", kind, lambda: f"{request.path} {leak.get()}")
    app.teardown_request(lambda exc: log.append(f"teardown {type(exc).__name__}"))

    async def cancel() -> None:
        connection = Connection(app, "/wait").start()
        await until(lambda: log, "the start of the view")
        assert connection.task is not None
        connection.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connection.task
        assert log == ["waiting", "cancelled", "teardown CancelledError"]
        assert (await Connection(app).run()).body == b"/ clean"

    play(cancel())


@pytest.mark.parametrize("ending", ["text", "stream"])
def test_a_cancelled_request_in_a_thread(app: Flask, ending: str) -> None:
    """The thread goes on to its end; nobody gets the answer, and teardown runs once."""
    app.config["WORKER_THREADS"] = 1
    log: list[str] = []
    started, release = threading.Event(), threading.Event()

    def parts() -> Iterator[str]:
        try:
            yield "part"
        finally:
            log.append("closed")

    def wait() -> str | Response:
        started.set()
        release.wait(PATIENCE)
        log.append("returned")
        return "late" if ending == "text" else Response(stream_with_context(parts()))

    add_view(app, "/wait", "thread", wait)
    add_view(app, "/", "thread", lambda: f"{request.path} {leak.get()}")

    @app.teardown_request
    def teardown(exc: BaseException | None) -> None:
        log.append(f"teardown {request.path}")

    async def cancel() -> None:
        connection = Connection(app, "/wait").start()
        await until(started.is_set, "the start of the view")
        assert connection.task is not None
        connection.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connection.task
        release.set()
        await until(lambda: "teardown /wait" in log, "the end of the view")
        assert (await Connection(app).run()).body == b"/ clean"
        assert log.count("teardown /wait") == 1
        assert connection.sent == []

    play(cancel())


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancelled_stream(app: Flask, kind: str) -> None:
    """It is closed, and its teardown runs once."""
    log: list[str] = []
    add_stream(app, kind, log)

    async def cancel() -> None:
        connection = Connection(app, "/stream", room=3).start()
        await connection.has_sent(3)
        assert connection.task is not None
        connection.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connection.task
        await until(lambda: "teardown /stream NoneType" in log, "the end of the stream")
        assert log.count("closed /stream") == log.count("teardown /stream NoneType") == 1
        assert (await Connection(app).run()).body == b"/ None clean"

    play(cancel())
