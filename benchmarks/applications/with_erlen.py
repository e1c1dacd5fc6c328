"""The work on Erlen with asynchronous views and hooks, for servers with an event loop."""

from __future__ import annotations

import typing as t
from functools import partial

from benchmarks import content
from benchmarks.routes import routes
from erlen import Erlen, Flask, g, render_template, request, session

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from erlen import Response

    Builder: t.TypeAlias = Callable[[type[Flask]], Flask]


async def hello() -> str:
    """Answer with a line of text."""
    return content.HELLO


async def small() -> dict[str, t.Any]:
    """Answer with a small JSON object."""
    return content.SMALL


async def post(id: int, slug: str) -> str:
    """Answer with the variables of the path."""
    return f"{id}|{slug}"


async def other(**values: object) -> str:
    """Stand among the three hundred views that the request does not reach."""
    return content.HELLO


async def search() -> str:
    """Echo two values of the query and two of a form."""
    args, fields = request.args, request.form
    q, page = args["q"], args.get("page", type=int)
    return f"{q}|{page}|{fields['name']}|{fields['email']}"


async def send_back() -> dict[str, t.Any]:
    """Send a JSON document back."""
    document: dict[str, t.Any] = request.get_json()
    return document


async def take() -> str:
    """Read a file of a multipart form and send its name and size."""
    file = request.files["file"]
    return f"{file.filename}|{len(file.read())}"


async def members() -> str:
    """Render a template with a table of 20 rows."""
    return render_template("rows.html", title=content.TITLE, rows=content.ROWS)


async def visits() -> str:
    """Count visits in the session."""
    session["visits"] = session.get("visits", 0) + 1
    return f"visit {session['visits']}"


def _with(rule: str, view: t.Any, method: str = "GET") -> Builder:
    def build(kind: type[Flask]) -> Flask:
        app = kind(__name__)
        app.add_url_rule(rule, "view", view, methods=[method])
        return app

    return build


def among_300(kind: type[Flask]) -> Flask:
    """Return an application in which one of 300 routes leads to the view that is asked."""
    app = kind(__name__)
    for number, item in enumerate(routes(300)):
        asked = item.rule == "/users/<int:id>/posts/<slug>"
        app.add_url_rule(item.rule, f"view{number}", post if asked else other)
    return app


def count_visits(kind: type[Flask]) -> Flask:
    """Return an application with a session."""
    app = _with("/visits", visits)(kind)
    app.config["SECRET_KEY"] = content.SECRET_KEY
    return app


def hooks(kind: type[Flask]) -> Flask:
    """Return an application that says hello between three hooks before and three after."""
    app = _with("/hooked/", hello)(kind)

    @app.before_request
    async def read_request_id() -> None:
        g.request_id = "4711"

    @app.before_request
    async def read_locale() -> None:
        g.locale = request.headers.get("Accept-Language", "en")[:2]

    @app.before_request
    async def read_user() -> None:
        g.user = "ada"

    @app.after_request
    async def send_request_id(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        return response

    @app.after_request
    async def send_locale(response: Response) -> Response:
        response.headers["X-Locale"] = g.locale
        return response

    @app.after_request
    async def send_user(response: Response) -> Response:
        response.headers["X-User"] = g.user
        return response

    return app


_APPLICATIONS: dict[str, Builder] = {
    "plain": _with("/", hello),
    "json": _with("/json", small),
    "route": among_300,
    "form": _with("/search", search, "POST"),
    "echo": _with("/echo", send_back, "POST"),
    "upload": _with("/upload", take, "POST"),
    "template": _with("/members", members),
    "session": count_visits,
    "missing": _with("/", hello),
    "hooks": hooks,
    # One more view that is asynchronous, as in the applications that these figures are for.
    "static": _with("/", hello),
}


def builders(kind: type[Flask]) -> dict[str, Callable[[], Flask]]:
    """Return what makes the application of each workload, of a class."""
    return {name: partial(build, kind) for name, build in _APPLICATIONS.items()}


BUILDERS = builders(Erlen)
"""With the defaults of today."""

FLASK_BUILDERS = builders(Flask)
"""With Flask's defaults, which put fewer headers into each answer."""
