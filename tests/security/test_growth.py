"""Thirty thousand requests leave nothing behind: no memory, no files."""

from __future__ import annotations

import gc
import io
import os
import sys
import typing as t
from pathlib import Path

import pytest
from werkzeug.wrappers import Response as BaseResponse

from erlen import (
    Erlen,
    Response,
    abort,
    flash,
    redirect,
    render_template_string,
    request,
    session,
    stream_with_context,
    url_for,
)

from .raw import send

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WARM_UP = 3_000
REQUESTS = 30_000
MEBIBYTE = 1024 * 1024


def make_app(folder: Path) -> Erlen:
    """Return an application with a view for each kind of request."""
    (folder / "a.txt").write_bytes(b"0123456789" * 100)
    app = Erlen(__name__, static_folder=folder)
    app.config["SECRET_KEY"] = "for tests"
    app.logger.disabled = True

    @app.route("/echo", methods=["GET", "POST"])
    def echo() -> dict[str, t.Any]:
        return {
            "args": request.args,
            "form": request.form,
            "files": [file.filename for file in request.files.values()],
            "cookies": request.cookies,
        }

    @app.post("/json")
    def json() -> Response:
        return t.cast(Response, app.json.response(request.get_json()))

    @app.get("/item/<int:number>/<name>")
    def item(number: int, name: str) -> str:
        return url_for("item", number=number + 1, name=name)

    @app.get("/session")
    def count() -> str:
        session["count"] = session.get("count", 0) + 1
        flash("message")
        return str(session["count"])

    @app.get("/page")
    def page() -> str:
        return render_template_string("{{ request.path }} {{ n }}", n=request.args.get("n"))

    @app.get("/stream")
    def stream() -> Iterator[str]:
        return stream_with_context(str(number) for number in range(10))

    @app.get("/header")
    def header() -> tuple[str, dict[str, str]]:
        return "text", {f"X-{request.args['n']}": request.args["n"]}

    @app.get("/type")
    def mimetype() -> Response:
        return Response("text", mimetype=f"text/x-{request.args['n']}")

    @app.get("/leave")
    def leave() -> BaseResponse:
        return redirect(f"/page?n={request.args['n']}")

    @app.get("/fail")
    def fail() -> str:
        raise ValueError(request.args["n"])

    @app.get("/abort")
    def stop() -> str:
        abort(int(request.args["n"]) % 20 + 400 if request.args["n"] != "0" else 404)

    @app.get("/async")
    async def coroutine() -> str:
        return "async"

    return app


def make_senders(app: Erlen) -> list[Callable[[int], object]]:
    """Return functions that send one request each, all different from the ones before."""

    def post(path: str, body: bytes, content_type: str) -> object:
        return send(
            app,
            path,
            method="POST",
            body=io.BytesIO(body),
            CONTENT_LENGTH=str(len(body)),
            CONTENT_TYPE=content_type,
        )

    def upload(n: int) -> object:
        part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="%d"\r\n\r\n' % n
        return post("/echo", part + b"x" * 2000 + b"\r\n--x--", "multipart/form-data; boundary=x")

    def leave_stream(n: int) -> object:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/stream", "HTTP_HOST": "localhost"}
        environ |= {"SERVER_NAME": "a", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
        body = app(environ, lambda *args: lambda data: None)
        next(iter(body))
        return body.close()  # type: ignore[attr-defined]

    return [
        lambda n: send(app, "/echo", query=f"n={n}&k{n}=v"),
        lambda n: send(app, f"/item/{n}/name{n}"),
        lambda n: send(app, f"/missing/{n}"),
        lambda n: send(app, "/echo", method="DELETE"),
        lambda n: send(app, "/echo", HTTP_COOKIE=f"c{n}=v; session=forged{n}"),
        lambda n: send(app, "/session", HTTP_COOKIE=f"session=a.{n}.b"),
        lambda n: send(app, "/page", query=f"n={n}"),
        lambda n: send(app, "/stream"),
        leave_stream,
        lambda n: send(app, "/header", query=f"n={n}"),
        lambda n: send(app, "/type", query=f"n={n}"),
        lambda n: send(app, "/leave", query=f"n={n}"),
        lambda n: send(app, "/abort", query=f"n={n}"),
        lambda n: send(app, "/static/a.txt", HTTP_RANGE=f"bytes={n % 999}-"),
        lambda n: send(app, f"/static/missing{n}.txt"),
        lambda n: send(app, "/echo", HTTP_HOST=f"host{n}.example:{n % 60000 + 1}"),
        lambda n: send(app, "/echo", HTTP_ACCEPT=f"text/x-{n}", **{f"HTTP_X_{n}": "v"}),
        lambda n: post("/json", b'{"key%d": %d}' % (n, n), "application/json"),
        lambda n: post("/json", b'{"broken%d' % n, "application/json"),
        lambda n: post("/echo", b"f%d=%d" % (n, n), "application/x-www-form-urlencoded"),
        upload,
        lambda n: send(app, "/fail", query=f"n={n}") if n % 10 == 0 else None,
        lambda n: send(app, "/async") if n % 10 == 0 else None,
    ]


def memory() -> int:
    """Return how many bytes of memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_growth(tmp_path: Path) -> None:
    """Mixed requests, each with names of its own, grow the process by at most 4 MiB."""
    app = make_app(tmp_path)
    senders = make_senders(app)

    def run(first: int, count: int) -> None:
        for n in range(first, first + count):
            senders[n % len(senders)](n)

    run(0, WARM_UP)
    gc.collect()
    files = len(os.listdir("/proc/self/fd"))
    before = memory()
    run(WARM_UP, REQUESTS)
    gc.collect()
    assert memory() - before <= 4 * MEBIBYTE
    assert len(os.listdir("/proc/self/fd")) <= files
