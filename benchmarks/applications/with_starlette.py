"""The work on Starlette, and the middleware that FastAPI shares with it."""

from __future__ import annotations

import typing as t

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from benchmarks import content
from benchmarks.routes import respell, routes

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from benchmarks.asgi import ASGIApplication, Message, Receive, Send


async def plain(request: Request) -> Response:
    """Answer with a line of text."""
    return HTMLResponse(content.HELLO)


async def small_json(request: Request) -> Response:
    """Answer with a small JSON object."""
    return JSONResponse(content.SMALL)


async def post(request: Request) -> Response:
    """Answer with the variables of the path."""
    values = request.path_params
    return HTMLResponse(f"{values['id']}|{values['slug']}")


async def search(request: Request) -> Response:
    """Echo two values of the query and two of a form."""
    args, fields = request.query_params, await request.form()
    q, page = args["q"], int(args["page"])
    return HTMLResponse(f"{q}|{page}|{fields['name']}|{fields['email']}")


async def echo(request: Request) -> Response:
    """Send a JSON document back."""
    return JSONResponse(await request.json())


async def upload(request: Request) -> Response:
    """Read a file of a multipart form and send its name and size."""
    async with request.form() as form:
        file: t.Any = form["file"]
        return HTMLResponse(f"{file.filename}|{len(await file.read())}")


def template() -> ASGIApplication:
    """Return an application that renders a Jinja template."""
    templates = Jinja2Templates(content.TEMPLATES)

    async def members(request: Request) -> Response:
        values = {"title": content.TITLE, "rows": content.ROWS}
        return templates.TemplateResponse(request, "rows.html", values)

    return _app(Route("/members", members))


async def visits(request: Request) -> Response:
    """Count visits in the session."""
    session = request.session
    session["visits"] = session.get("visits", 0) + 1
    return HTMLResponse(f"visit {session['visits']}")


class _Hook:
    """A middleware as Starlette's manual recommends for speed: plain ASGI."""

    def __init__(self, app: ASGIApplication) -> None:
        self.app = app

    name = header = ""

    def value(self, scope: Message) -> str:
        """Return what is remembered of a request."""
        raise NotImplementedError

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state[self.name] = self.value(scope)

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(raw=message["headers"])[self.header] = state[self.name]
            await send(message)

        await self.app(scope, receive, send_with_header)


class RequestId(_Hook):
    """Remembers and sends the number of the request."""

    name, header = "request_id", "X-Request-Id"

    def value(self, scope: Message) -> str:
        return "4711"


class Locale(_Hook):
    """Remembers and sends the language that the client prefers."""

    name, header = "locale", "X-Locale"

    def value(self, scope: Message) -> str:
        for name, value in scope["headers"]:
            if name == b"accept-language":
                return t.cast(str, value.decode()[:2])
        return "en"


class User(_Hook):
    """Remembers and sends who asks."""

    name, header = "user", "X-User"

    def value(self, scope: Message) -> str:
        return "ada"


HOOKS = [Middleware(RequestId), Middleware(Locale), Middleware(User)]


def _app(*rules: t.Any, middleware: t.Any = None) -> ASGIApplication:
    return Starlette(routes=rules, middleware=middleware)


def path_of(rule: str) -> str:
    """Spell a rule as Starlette does: ``/users/{id:int}``."""
    return respell(rule, lambda name, kind: f"{{{name}:{kind}}}" if kind else f"{{{name}}}")


def among_300() -> ASGIApplication:
    """Return an application in which one of 300 routes leads to the view that is asked."""
    asked = "/users/<int:id>/posts/<slug>"
    return _app(
        *(Route(path_of(item.rule), post if item.rule == asked else plain) for item in routes(300))
    )


BUILDERS: dict[str, Callable[[], ASGIApplication]] = {
    "plain": lambda: _app(Route("/", plain)),
    "json": lambda: _app(Route("/json", small_json)),
    "route": among_300,
    "form": lambda: _app(Route("/search", search, methods=["POST"])),
    "echo": lambda: _app(Route("/echo", echo, methods=["POST"])),
    "upload": lambda: _app(Route("/upload", upload, methods=["POST"])),
    "template": template,
    "session": lambda: _app(
        Route("/visits", visits),
        middleware=[Middleware(SessionMiddleware, secret_key=content.SECRET_KEY)],
    ),
    "missing": lambda: _app(Route("/", plain)),
    "hooks": lambda: _app(Route("/hooked/", plain), middleware=HOOKS),
    "static": lambda: _app(Mount("/static", StaticFiles(directory=content.STATIC))),
}
