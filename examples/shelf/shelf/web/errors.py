"""Error answers: a page for people, problem details (RFC 9457) for programs."""

import sqlite3
from collections.abc import Callable
from typing import Any

from werkzeug.exceptions import Conflict, HTTPException, ServiceUnavailable

from erlen import Blueprint, Erlen, current_app, json, render_template, request

from ..exceptions import NotReady, Refused

Answer = tuple[str, int, dict[str, str]]

# The database is busy, full, read-only or out of reach: later may be better.
PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}


def show_error(error: HTTPException) -> Answer:
    """Answer with a page or with JSON, whichever the client would rather have."""
    body, status, headers = show_problem(error) if prefers_json() else show_page(error)
    return body, status, {**headers, "Vary": "Accept"}


def show_page(error: HTTPException) -> Answer:
    """Answer with a page."""
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
    return json.dumps(problem), status, headers


def prefers_json() -> bool:
    """Return whether the client asks for JSON rather than for HTML."""
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]


def as_http(error: Exception) -> HTTPException:
    """Return the HTTP error that says what ``error`` means; raise what is a mistake of ours."""
    if isinstance(error, Refused):
        return Conflict(str(error))
    if isinstance(error, NotReady):
        return ServiceUnavailable(str(error))
    if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in PASSING:
        current_app.logger.error("The database does not work: %s", error)
        return ServiceUnavailable(
            "The library cannot reach its records now. Nothing was changed. Try again later.",
            retry_after=30,
        )
    raise error


def handle_errors(scope: Erlen | Blueprint, show: Callable[[HTTPException], Answer]) -> None:
    """Answer with ``show`` for everything that goes wrong in an application or a blueprint."""

    def show_other(error: Exception) -> Answer:
        return show(as_http(error))

    scope.register_error_handler(HTTPException, show)
    for kind in (Refused, NotReady, sqlite3.OperationalError):
        scope.register_error_handler(kind, show_other)
