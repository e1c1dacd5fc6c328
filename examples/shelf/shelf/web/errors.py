"""Error answers: a page for people, problem details (RFC 9457) for programs."""

from collections.abc import Callable
from typing import Any

from werkzeug.exceptions import Conflict, HTTPException, ServiceUnavailable

from erlen import Blueprint, Erlen, json, render_template, request

from ..exceptions import NotReady, Refused

Answer = tuple[str, int, dict[str, str]]


def show_error(error: HTTPException) -> Answer:
    """Answer with a page or with JSON, whichever the client would rather have."""
    body, status, headers = show_problem(error) if prefers_json() else show_page(error)
    return body, status, {**headers, "Vary": "Accept"}


def show_page(error: HTTPException) -> Answer:
    """Answer with a page, which does not ask a database that may be the trouble."""
    # The headers of the exception: Allow, Retry-After and the like.
    return render_template("error.html", error=error), error.code or 500, dict(error.get_headers())


def show_problem(error: HTTPException) -> Answer:
    """Answer with JSON."""
    status = error.code or 500
    problem: dict[str, Any] = {
        "title": error.name,
        "status": status,
        "detail": error.description,
    }
    if errors := getattr(error, "errors", None):
        problem["errors"] = errors
    headers = {**dict(error.get_headers()), "Content-Type": "application/problem+json"}
    if status == 401:
        # RFC 9110, 11.6.1: how to say who you are.
        headers["WWW-Authenticate"] = 'Basic realm="Shelf", charset="UTF-8"'
    return json.dumps(problem), status, headers


def prefers_json() -> bool:
    """Return whether the client asks for JSON rather than for HTML."""
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]


def as_http(error: Exception) -> HTTPException:
    """Return the HTTP error that says what ``error`` means."""
    if isinstance(error, Refused):
        return Conflict(str(error))
    return ServiceUnavailable(str(error))


def handle_errors(scope: Erlen | Blueprint, show: Callable[[HTTPException], Answer]) -> None:
    """Answer with ``show`` for everything that goes wrong in an application or a blueprint.

    What goes wrong in the database, ``erlen.db`` turns into HTTP errors by itself.
    """

    def show_other(error: Exception) -> Answer:
        return show(as_http(error))

    scope.register_error_handler(HTTPException, show)
    for kind in (Refused, NotReady):
        scope.register_error_handler(kind, show_other)
