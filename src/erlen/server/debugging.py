"""What a developer sees of an error: the interactive debugger, or text for programs."""

from __future__ import annotations

import json
import os
import sys
import typing as t
from html import escape

from werkzeug.debug import DebuggedApplication, get_pin_and_cookie_name
from werkzeug.debug.tbtools import DebugTraceback
from werkzeug.http import parse_accept_header
from werkzeug.wrappers import Response

from ..streams import AfterResponse, is_asynchronous

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Where the files of the framework are.
_FRAMEWORK = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_KINDS = ("text/html", "application/json", "text/plain")


def wanted_kind(accept: str | None) -> str:
    """Return in which form a client wants an error: HTML for those that name it, else text.

    :param accept: the value of the header ``Accept``.
    """
    accepted = parse_accept_header(accept)
    best, quality = "text/plain", 0.0
    for value, weight in accepted:
        kind = value.lower()
        if kind.startswith("application/") and kind.endswith("+json"):
            kind = "application/json"
        if kind == "application/xhtml+xml":
            kind = "text/html"
        # A wildcard is what curl, wget and fetch() send, and none of them shows HTML.
        if kind in _KINDS and weight > quality:
            best, quality = kind, weight
    return best


def summarize(error: BaseException) -> DebugTraceback:
    """Return an exception as it is shown: without the framework's own way to the user's code.

    :param error: the exception.
    """
    summary = DebugTraceback(error, hide=True)
    if os.environ.get("ERLEN_FULL_TRACEBACK", "0") in ("", "0"):
        for _, part in summary.all_tracebacks:
            frames = list(part.stack)
            # All of it is wanted where there is nothing else.
            while frames and frames[0].filename.startswith(_FRAMEWORK):
                frames.pop(0)
            part.stack[:] = frames or part.stack
    return summary


def error_response(error: BaseException, kind: str) -> Response:
    """Return an error as text or JSON.

    :param error: the exception.
    :param kind: ``"application/json"``; any other is plain text.
    """
    summary = summarize(error)
    text = summary.render_traceback_text()
    if kind != "application/json":
        return Response(text, 500, mimetype="text/plain")
    frames = [
        {"file": frame.filename, "line": frame.lineno, "function": frame.name, "code": frame.line}
        for frame in summary.all_tracebacks[0][1].stack
    ]
    detail = {
        "status": 500,
        "error": type(error).__qualname__,
        "message": str(error),
        "frames": frames,
        "traceback": text,
    }
    return Response(json.dumps(detail, indent=2) + "\n", 500, mimetype="application/json")


class Debugging(DebuggedApplication):
    """Werkzeug's debugger around an application, whose bodies stay what they are.

    :param app: the application, by which the PIN is made.
    :param inner: what to call for it.
    """

    def __init__(self, app: WSGIApplication, inner: WSGIApplication) -> None:
        super().__init__(app, evalex=True, pin_logging=False)
        self._inner = inner
        self._pin, self._pin_cookie = get_pin_and_cookie_name(app)  # type: ignore[assignment]
        # A visitor's browser asks for it to be shown again.
        self.pin_logging = True

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request: one of the debugger's own pages, or the application's."""
        if "erlen.websocket" in environ:
            return self._inner(environ, start_response)
        return super().__call__(environ, start_response)

    def is_for_debugger(self, path: str, query: str) -> bool:
        """Return whether a request is for the debugger itself, which may run code and wait.

        :param path: its path.
        :param query: its query string.
        """
        return "__debugger__=yes" in query or path == self.console_path

    def debug_application(  # type: ignore[override]
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a request by the application, and by the debugger where that fails."""
        contexts: list[t.ContextManager[t.Any]] = []
        environ["werkzeug.debug.preserve_context"] = contexts.append
        try:
            body = self._inner(environ, start_response)
        except Exception as error:
            return self.answer(error, environ, start_response, contexts)
        if type(body) in (list, AfterResponse) or is_asynchronous(body):
            return body
        return _Watched(self, body, environ, start_response, contexts)

    def answer(
        self,
        error: Exception,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        contexts: list[t.ContextManager[t.Any]],
    ) -> Iterable[bytes]:
        """Answer a request with an exception, and write that to the terminal.

        :param error: the exception.
        :param environ: the request.
        :param start_response: takes the status and the headers.
        :param contexts: what was active, for code that is run in the browser.
        """
        summary = summarize(error)
        sys.stderr.write(summary.render_traceback_text())
        kind = wanted_kind(environ.get("HTTP_ACCEPT"))
        if kind != "text/html":
            return error_response(error, kind)(environ, start_response)
        for frame in summary.all_frames:
            self.frames[id(frame)] = frame
            self.frame_contexts[id(frame)] = contexts
        html = summary.render_debugger_html(
            evalex=self.evalex and self.check_host_trust(environ),
            secret=self.secret,
            evalex_trusted=bool(self.check_pin_trust(environ)),
        )
        return list(Response(html, 500, mimetype="text/html")(environ, start_response))


class _Watched:
    """A body made part by part, whose first part may fail while there is time for another answer.

    :param debugger: makes that.
    :param body: the body.
    :param environ: the request.
    :param start_response: takes the status and the headers.
    :param contexts: what was active.
    """

    def __init__(
        self,
        debugger: Debugging,
        body: Iterable[bytes],
        environ: WSGIEnvironment,
        start_response: StartResponse,
        contexts: list[t.ContextManager[t.Any]],
    ) -> None:
        self._debugger = debugger
        self._body = body
        self._rest = (environ, start_response, contexts)

    def __iter__(self) -> Iterator[bytes]:
        has_begun = False
        try:
            for part in self._body:
                has_begun = has_begun or bool(part)
                yield part
        except Exception as error:
            if has_begun:
                raise
            yield from self._debugger.answer(error, *self._rest)

    def close(self) -> None:
        """Close the body."""
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; max-width: 60rem; padding: 2rem 1rem;
  font: 1rem/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.5rem; border-left: .3rem solid #c0392b; padding-left: .8rem; }}
pre {{ overflow-x: auto; padding: 1rem; border: 1px solid #8886; border-radius: .4rem;
  background: #8881; font: .875rem/1.5 ui-monospace, monospace; }}
</style>
</head>
<body>
<h1>{title}</h1>
<pre>{text}</pre>
<p>The server goes on, and loads the application again as soon as a file changes.{hint}</p>
</body>
</html>
"""


def load_error_response(title: str, text: str, kind: str, follows: bool) -> Response:
    """Return an answer that says why the application cannot be loaded.

    :param title: the sentence that says so.
    :param text: the traceback, or what else is known.
    :param kind: in which form: HTML, JSON or plain text.
    :param follows: whether the page is loaded anew by itself.
    """
    if kind == "application/json":
        detail = {"status": 500, "error": title, "traceback": text}
        return Response(json.dumps(detail, indent=2) + "\n", 500, mimetype=kind)
    if kind == "text/plain":
        return Response(f"{title}\n\n{text}\n", 500, mimetype=kind)
    hint = " This page then follows by itself." if follows else ""
    page = _PAGE.format(title=escape(title), text=escape(text), hint=hint)
    return Response(page, 500, mimetype="text/html")
