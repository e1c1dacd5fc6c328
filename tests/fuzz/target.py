"""An application that reads all of a request, and a way to send it raw ones."""

from __future__ import annotations

import io
import time
import typing as t

from werkzeug.exceptions import HTTPException

from erlen import (
    Blueprint,
    Erlen,
    flash,
    get_flashed_messages,
    got_request_exception,
    redirect,
    request,
    send_file,
    send_from_directory,
    session,
    url_for,
)

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Response as BaseResponse

#: No request may take longer, in seconds of CPU time.
CPU_LIMIT = 10.0


def make_app() -> Erlen:
    """Return an application with a view for each part of a request."""
    app = Erlen(__name__, static_folder=None)
    app.config.update(SECRET_KEY="fuzz", MAX_CONTENT_LENGTH=200_000, MAX_FORM_PARTS=50)
    app.logger.disabled = True
    api = Blueprint("api", __name__, url_prefix="/api", owns_prefix=True)

    @api.errorhandler(HTTPException)
    def as_json(error: HTTPException) -> tuple[dict[str, t.Any], int]:
        return {"error": error.name}, error.code or 500

    @api.route("/items/<int:number>", methods=["GET", "PUT"])
    def item(number: int) -> dict[str, t.Any]:
        return {"number": number, "url": url_for("api.item", number=number)}

    app.register_blueprint(api)

    @app.route("/", methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
    def everything() -> dict[str, t.Any]:
        return {
            "args": request.args.to_dict(flat=False),
            "values": list(request.values),
            "cookies": dict(request.cookies),
            "headers": dict(request.headers),
            "url": [request.url, request.base_url, request.full_path, request.host],
            "path": [request.path, request.root_path],
            "authorization": str(request.authorization),
            "accept": [
                request.accept_mimetypes.best,
                request.accept_languages.best_match(["de", "en"]),
                str(request.accept_charsets),
                str(request.accept_encodings),
            ],
            "conditions": [
                str(request.if_match),
                str(request.if_none_match),
                str(request.if_modified_since),
                str(request.if_unmodified_since),
                [request.if_range.etag, str(request.if_range.date)],
                str(request.range),
            ],
            "other": [
                str(request.cache_control),
                str(request.user_agent),
                request.mimetype,
                request.mimetype_params,
                request.content_length,
                str(request.date),
                request.access_route,
                request.is_json,
                str(request.max_forwards),
                request.referrer,
                request.origin,
                str(request.pragma),
            ],
            "form": request.form.to_dict(flat=False),
            "files": {name: len(file.read()) for name, file in request.files.items()},
        }

    @app.route("/json", methods=["GET", "POST"])
    def json() -> dict[str, t.Any]:
        return {"json": request.get_json(), "silent": request.get_json(silent=True)}

    @app.route("/data", methods=["GET", "POST"])
    def data() -> dict[str, int]:
        return {"bytes": len(request.get_data()), "text": len(request.get_data(as_text=True))}

    @app.route("/session", methods=["GET", "POST"])
    def remember() -> dict[str, t.Any]:
        session["visits"] = session.get("visits", 0) + 1
        flash(request.args.get("message", "")[:100])
        return {"messages": get_flashed_messages(with_categories=True)}

    @app.get("/redirect")
    def leave() -> BaseResponse:
        return redirect(request.args.get("next", "/"))

    @app.get("/file")
    def file() -> BaseResponse:
        return send_file(io.BytesIO(b"0123456789" * 10), download_name="a.txt", etag="tag")

    @app.get("/files/<path:name>")
    def files(name: str) -> BaseResponse:
        return send_from_directory("templates", name)

    @app.get("/number/<int(min=1, max=100):a>/<float:b>/<uuid:c>")
    def numbers(a: int, b: float, c: t.Any) -> dict[str, t.Any]:
        return {"a": a, "b": b, "c": str(c)}

    @app.get("/slash/<name>/")
    def slash(name: str) -> dict[str, str]:
        return {"name": name, "url": url_for("slash", name=name, _external=True)}

    @app.get("/paths/<path:a>/x/<path:b>/y/<path:c>")
    def paths(a: str, b: str, c: str) -> list[str]:
        return [a, b, c]

    return app


class Target:
    """Sends raw requests to the application and checks what comes back."""

    def __init__(self) -> None:
        self.app = make_app()
        self.errors: list[Exception] = []
        got_request_exception.connect(self._note, self.app)

    def _note(self, sender: t.Any, exception: Exception, **extra: t.Any) -> None:
        self.errors.append(exception)

    def send(
        self,
        method: str = "GET",
        path: bytes = b"/",
        query: bytes = b"",
        headers: t.Iterable[tuple[str, bytes]] = (),
        body: bytes = b"",
        length: int | None = None,
    ) -> int:
        """Send a request as a server would and return the status.

        :param method: the method.
        :param path: the path, unquoted by the server.
        :param query: the query string as it was sent.
        :param headers: names and raw values.
        :param body: the bytes that arrive.
        :param length: the length that is announced, if not that of the body.
        :raises AssertionError: where the answer is a 500, is late, or breaks the protocol.
        """
        environ: dict[str, t.Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path.decode("latin1"),
            "QUERY_STRING": query.decode("latin1"),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "CONTENT_LENGTH": str(len(body) if length is None else length),
        }
        for name, value in headers:
            key = name.upper().replace("-", "_")
            if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
                key = f"HTTP_{key}"
            environ[key] = value.decode("latin1")
        return self._run(environ)

    def _run(self, environ: dict[str, t.Any]) -> int:
        started: list[t.Any] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: t.Any = None
        ) -> t.Callable[[bytes], object]:
            started[:] = [status, headers]
            return lambda data: None

        self.errors.clear()
        before = time.process_time()
        result = self.app(environ, start_response)
        for part in result:
            assert type(part) is bytes
        close = getattr(result, "close", None)
        if close is not None:
            close()
        spent = time.process_time() - before

        status, headers = started
        code = int(status[:3])
        assert code < 500, (environ, self.errors)
        assert spent < CPU_LIMIT, (environ, spent)
        assert status.isprintable()
        for name, value in headers:
            value.encode("latin1")
            assert not set("\r\n\x00") & set(name + value), (name, value)
        return code
