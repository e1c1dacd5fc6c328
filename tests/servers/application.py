"""The application that the servers serve. It notes what happens to it in a file."""

from __future__ import annotations

import hashlib
import os
import time
import typing as t
from pathlib import Path

from werkzeug.exceptions import ClientDisconnected

from erlen import Erlen, redirect, request, session, stream_with_context, url_for

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


def note(text: str) -> None:
    """Add a line to the file that the tests read."""
    with NOTES.open("a") as file:
        file.write(f"{text}\n")


@app.get("/")
def index() -> str:
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
