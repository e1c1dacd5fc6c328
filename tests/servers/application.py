"""The application that the servers serve. It notes what happens to it in a file."""

from __future__ import annotations

import hashlib
import os
import time
import typing as t
from pathlib import Path

from werkzeug.exceptions import ClientDisconnected
from werkzeug.middleware.proxy_fix import ProxyFix

from erlen import (
    Erlen,
    EventStream,
    Response,
    redirect,
    request,
    session,
    stream_with_context,
    sync_websocket,
    url_for,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Response as BaseResponse

app = Erlen(__name__)
app.config.update(
    SECRET_KEY="for tests",
    MAX_CONTENT_LENGTH=2 * 1024 * 1024,
    COOPERATIVE_VIEWS="TEST_COOPERATIVE" in os.environ,
)

NOTES = Path(os.environ["TEST_NOTES"])

if "TEST_PROXIES" in os.environ:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]


def note(text: str) -> None:
    """Add a line to the file that the tests read."""
    with NOTES.open("a") as file:
        file.write(f"{text}\n")


note("loaded")


if "TEST_LIFE" in os.environ:

    @app.after_serving
    def after_serving() -> None:
        note("after serving")

    @app.teardown_websocket
    def teardown_websocket(error: BaseException | None) -> None:
        note(f"teardown of a WebSocket {error!r}")


@app.get("/")
def index() -> str:
    return "plain"


@app.get("/task")
def task() -> str:
    def work() -> None:
        note(f"begun {request.path}")
        time.sleep(1)
        app.add_background_task(lambda: note(f"done {request.path}"))

    app.add_background_task(work)
    return "plain"


@app.get("/headers")
def headers() -> dict[str, str]:
    return dict(request.headers)


@app.post("/json")
def json() -> dict[str, t.Any]:
    return {"got": request.get_json()}


@app.post("/form")
def form() -> dict[str, t.Any]:
    return {
        "form": request.form.to_dict(),
        "files": {name: len(file.read()) for name, file in request.files.items()},
    }


@app.post("/upload")
def upload() -> dict[str, t.Any]:
    try:
        data = request.get_data()
    except ClientDisconnected:
        note("cut")
        raise
    note(f"whole {len(data)}")
    return {"size": len(data), "digest": hashlib.sha256(data).hexdigest()}


@app.get("/stream")
def stream() -> Iterator[str]:
    return (f"part {number}\n" for number in range(1000))


@app.get("/endless")
def endless() -> Iterator[bytes]:
    @stream_with_context
    def parts() -> Iterator[bytes]:
        try:
            note("started")
            while True:
                yield b"x" * 65536
                time.sleep(0.01)
        finally:
            note(f"closed {request.path}")

    return parts()


@app.teardown_request
def teardown(error: BaseException | None) -> None:
    if request.path in {"/endless", "/fail"}:
        note(f"teardown {request.path}")


@app.get("/fail")
def fail() -> str:
    raise ValueError("an error on purpose")


@app.get("/slow")
def slow() -> str:
    note("started")
    time.sleep(1)
    return "slow"


@app.get("/leave")
def leave() -> BaseResponse:
    return redirect(url_for("index"))


@app.get("/count")
def count() -> dict[str, int]:
    session["count"] = session.get("count", 0) + 1
    return {"count": session["count"]}


@app.route(
    "/any", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "M-SEARCH"]
)
def any_method() -> dict[str, t.Any]:
    return {"method": request.method, "size": len(request.get_data())}


@app.get("/path/<path:rest>")
def path(rest: str) -> dict[str, t.Any]:
    return {"rest": rest, "path": request.path, "query": dict(request.args.lists())}


@app.get("/repeated")
def repeated() -> Response:
    values = [part.strip() for part in request.headers.get("X-Twice", "").split(",")]
    response = Response("|".join(values))
    response.set_cookie("first", "1")
    response.set_cookie("second", "2")
    response.headers.add("X-Twice", "a")
    response.headers.add("X-Twice", "b")
    return response


@app.get("/cookies")
def cookies() -> dict[str, str]:
    return request.cookies.to_dict()


@app.get("/empty")
def empty() -> tuple[str, int]:
    return "", 204


@app.get("/where")
def where() -> dict[str, t.Any]:
    return {"url": request.url, "is_secure": request.is_secure, "address": request.remote_addr}


@app.get("/events")
def events() -> EventStream:
    def wait() -> Iterator[str]:
        yield "first"
        # Nobody shall see the second before the first has arrived.
        while "seen" not in NOTES.read_text():
            time.sleep(0.01)
        yield "second"

    return EventStream(wait())


@app.websocket("/echo")
def echo() -> None:
    for message in sync_websocket:
        sync_websocket.send(message)
