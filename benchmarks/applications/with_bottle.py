"""The work on Bottle: functions on a ``Bottle`` object."""

from __future__ import annotations

import typing as t

import bottle
from bottle import jinja2_template, request, response, static_file

from benchmarks import content
from benchmarks.routes import bottle_rule, routes

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication

TEMPLATE_PATH = [str(content.TEMPLATES)]


def hello(**values: object) -> str:
    """Answer with a line of text."""
    return content.HELLO


def small_json() -> dict[str, t.Any]:
    """Answer with a small JSON object."""
    return content.SMALL


def post(id: int, slug: str) -> str:
    """Answer with the variables of the path."""
    return f"{id}|{slug}"


def search() -> str:
    """Echo two values of the query and two of a form."""
    args, fields = request.query, request.forms
    return f"{args.q}|{int(args.page)}|{fields.name}|{fields.email}"


def echo() -> t.Any:
    """Send a JSON document back."""
    return request.json


def upload() -> str:
    """Read a file of a multipart form and send its name and size."""
    file = request.files.get("file")
    return f"{file.filename}|{len(file.file.read())}"


def members() -> str:
    """Render a template with a table of 20 rows."""
    text: str = jinja2_template(
        "rows.html",
        title=content.TITLE,
        rows=content.ROWS,
        template_lookup=TEMPLATE_PATH,
        template_settings={"autoescape": True},
    )
    return text


def style_sheet(name: str) -> t.Any:
    """Send a file of the static folder."""
    return static_file(name, root=str(content.STATIC))


def read_request_id() -> None:
    """Remember the number of the request."""
    request.request_id = "4711"


def read_locale() -> None:
    """Remember the language that the client prefers."""
    request.locale = request.get_header("Accept-Language", "en")[:2]


def read_user() -> None:
    """Remember who asks."""
    request.user = "ada"


def send_request_id() -> None:
    """Send the number of the request."""
    response.set_header("X-Request-Id", request.request_id)


def send_locale() -> None:
    """Send the language."""
    response.set_header("X-Locale", request.locale)


def send_user() -> None:
    """Send who asked."""
    response.set_header("X-User", request.user)


def _with(
    rule: str, view: Callable[..., t.Any], method: str = "GET"
) -> Callable[[], WSGIApplication]:
    def build() -> WSGIApplication:
        app: WSGIApplication = bottle.Bottle()
        app.route(rule, method, view)  # type: ignore[attr-defined]
        return app

    return build


def router(count: int) -> Callable[[str], object]:
    """Add that many routes, all of one view, and return what matches a path."""
    app = bottle.Bottle()
    for route in routes(count):
        app.get(bottle_rule(route.rule), callback=hello)
    match = app.router.match
    return lambda path: match({"PATH_INFO": path, "REQUEST_METHOD": "GET"})


def among_300() -> WSGIApplication:
    """Return an application in which one of 300 routes leads to the view that is asked."""
    app: t.Any = bottle.Bottle()
    for route in routes(300):
        asked = route.rule == "/users/<int:id>/posts/<slug>"
        app.get(bottle_rule(route.rule), callback=post if asked else hello)
    return t.cast("WSGIApplication", app)


def hooked() -> WSGIApplication:
    """Return an application with three hooks before and three after each view."""
    app: t.Any = bottle.Bottle()
    for hook in (read_request_id, read_locale, read_user):
        app.add_hook("before_request", hook)
    for hook in (send_request_id, send_locale, send_user):
        app.add_hook("after_request", hook)
    app.get("/hooked/", callback=hello)
    return t.cast("WSGIApplication", app)


BUILDERS: dict[str, Callable[[], WSGIApplication]] = {
    "plain": _with("/", hello),
    "json": _with("/json", small_json),
    "route": among_300,
    "form": _with("/search", search, "POST"),
    "echo": _with("/echo", echo, "POST"),
    "upload": _with("/upload", upload, "POST"),
    "template": _with("/members", members),
    "missing": _with("/", hello),
    "hooks": hooked,
    "static": _with("/static/<name>", style_sheet),
}
