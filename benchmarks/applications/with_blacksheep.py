"""The work on BlackSheep, whose requests, answers and routing core are compiled."""

# BlackSheep reads the annotations of handlers when they are declared.

import logging
import typing as t
from collections.abc import Callable

from blacksheep import Application, FromQuery, Request, Response, Router
from blacksheep.server.responses import html, json
from jinja2 import Environment, FileSystemLoader

from benchmarks import content
from benchmarks.routes import respell, routes

ASGIApplication = t.Any


# It logs each 404; the other frameworks do not.
logging.getLogger("blacksheep.server").addFilter(lambda record: False)


def _empty() -> t.Any:
    # Applications share one router unless they are given their own.
    return Application(router=Router())


def _app(path: str, view: t.Any, method: str = "GET") -> t.Any:
    app = _empty()
    app.router.add(method, path, view)
    return app


async def hello(request: Request) -> Response:
    """Answer with a line of text."""
    return html(content.HELLO)


async def small(request: Request) -> Response:
    """Answer with a small JSON object."""
    return json(content.SMALL)


async def post(id: int, slug: str) -> Response:
    """Answer with the variables of the path."""
    return html(f"{id}|{slug}")


def among_300() -> ASGIApplication:
    """Return an application in which one of 300 routes leads to the view that is asked."""
    app = _empty()
    for item in routes(300):
        asked = item.rule == "/users/<int:id>/posts/<slug>"
        path = respell(item.rule, lambda name, kind: f"{{{kind or 'str'}:{name}}}")
        app.router.add("GET", path, post if asked else hello)
    return app


async def search(request: Request, q: FromQuery[str], page: FromQuery[int]) -> Response:
    """Echo two values of the query and two of a form."""
    fields: t.Any = await request.form()
    return html(f"{q.value}|{page.value}|{fields['name']}|{fields['email']}")


async def echo(request: Request) -> Response:
    """Send a JSON document back."""
    return json(await request.json())


async def upload(request: Request) -> Response:
    """Read a file of a multipart form and send its name and size."""
    (file,) = await request.files("file")
    name: t.Any = file.file_name
    return html(f"{name.decode()}|{len(file.data)}")


def template() -> ASGIApplication:
    """Return an application that renders a Jinja template."""
    jinja = Environment(loader=FileSystemLoader(content.TEMPLATES), autoescape=True)
    page = jinja.get_template("rows.html")

    async def members(request: Request) -> Response:
        return html(page.render(title=content.TITLE, rows=content.ROWS))

    return _app("/members", members)


def session() -> ASGIApplication:
    """Return an application that counts visits in the session."""

    async def visits(request: Request) -> Response:
        session = request.session
        session["visits"] = session.get("visits", 0) + 1
        return html(f"visit {session['visits']}")

    app = _app("/visits", visits)
    app.use_sessions(content.SECRET_KEY)
    return app


def _hook(header: bytes, value: Callable[[Request], bytes]) -> t.Any:
    async def middleware(request: Request, handler: t.Any) -> Response:
        remembered = value(request)
        response: Response = await handler(request)
        response.add_header(header, remembered)
        return response

    return middleware


def hooks() -> ASGIApplication:
    """Return an application that says hello below three middlewares, which are its hooks."""
    app = _app("/hooked/", hello)
    app.middlewares.append(_hook(b"X-Request-Id", lambda request: b"4711"))
    app.middlewares.append(
        _hook(
            b"X-Locale", lambda request: (request.get_first_header(b"Accept-Language") or b"en")[:2]
        )
    )
    app.middlewares.append(_hook(b"X-User", lambda request: b"ada"))
    return app


def static() -> ASGIApplication:
    """Return an application that serves a folder."""
    app = _empty()
    app.serve_files(content.STATIC, root_path="static")
    return app


BUILDERS: dict[str, Callable[[], ASGIApplication]] = {
    "plain": lambda: _app("/", hello),
    "json": lambda: _app("/json", small),
    "route": among_300,
    "form": lambda: _app("/search", search, "POST"),
    "echo": lambda: _app("/echo", echo, "POST"),
    "upload": lambda: _app("/upload", upload, "POST"),
    "template": template,
    "session": session,
    "missing": lambda: _app("/", hello),
    "hooks": hooks,
    "static": static,
}
