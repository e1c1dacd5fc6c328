"""The work on FastAPI, with its parameters declared where that is its way."""

from __future__ import annotations

import typing as t

from fastapi import Body, FastAPI, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware

from benchmarks import content
from benchmarks.applications.with_starlette import HOOKS
from benchmarks.routes import respell, routes

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.asgi import ASGIApplication


def _app(**options: t.Any) -> FastAPI:
    return FastAPI(openapi_url=None, **options)


async def hello() -> str:
    """Answer with a line of text."""
    return content.HELLO


def _plain(path: str = "/", **options: t.Any) -> ASGIApplication:
    app = _app(**options)
    app.get(path, response_class=HTMLResponse)(hello)
    return app


def small_json() -> ASGIApplication:
    """Return an application that answers with a small JSON object."""
    app = _app()

    @app.get("/json")
    async def small() -> dict[str, t.Any]:
        return content.SMALL

    return app


def among_300() -> ASGIApplication:
    """Return an application in which one of 300 routes leads to the view that is asked."""
    app = _app()

    async def post(id: int, slug: str) -> str:
        return f"{id}|{slug}"

    for item in routes(300):
        asked = item.rule == "/users/<int:id>/posts/<slug>"
        path = respell(item.rule, lambda name, kind: f"{{{name}}}")
        app.get(path, response_class=HTMLResponse)(post if asked else hello)
    return app


def form() -> ASGIApplication:
    """Return an application that echoes two values of the query and two of a form."""
    app = _app()

    @app.post("/search", response_class=HTMLResponse)
    async def search(
        q: str, page: int, name: t.Annotated[str, Form()], email: t.Annotated[str, Form()]
    ) -> str:
        return f"{q}|{page}|{name}|{email}"

    return app


def echo() -> ASGIApplication:
    """Return an application that sends a JSON document back."""
    app = _app()

    @app.post("/echo")
    async def send_back(document: t.Annotated[dict[str, t.Any], Body()]) -> dict[str, t.Any]:
        return document

    return app


def upload() -> ASGIApplication:
    """Return an application that reads a file and sends its name and size."""
    app = _app()

    @app.post("/upload", response_class=HTMLResponse)
    async def take(file: t.Annotated[UploadFile, File()]) -> str:
        return f"{file.filename}|{len(await file.read())}"

    return app


def template() -> ASGIApplication:
    """Return an application that renders a Jinja template."""
    app = _app()
    templates = Jinja2Templates(content.TEMPLATES)

    @app.get("/members", response_class=HTMLResponse)
    async def members(request: Request) -> t.Any:
        values = {"title": content.TITLE, "rows": content.ROWS}
        return templates.TemplateResponse(request, "rows.html", values)

    return app


def session() -> ASGIApplication:
    """Return an application that counts visits in the session."""
    app = _app(middleware=[Middleware(SessionMiddleware, secret_key=content.SECRET_KEY)])

    @app.get("/visits", response_class=HTMLResponse)
    async def visits(request: Request) -> str:
        session = request.session
        session["visits"] = session.get("visits", 0) + 1
        return f"visit {session['visits']}"

    return app


def static() -> ASGIApplication:
    """Return an application that serves a folder."""
    app = _app()
    app.mount("/static", StaticFiles(directory=content.STATIC))
    return app


BUILDERS: dict[str, Callable[[], ASGIApplication]] = {
    "plain": _plain,
    "json": small_json,
    "route": among_300,
    "form": form,
    "echo": echo,
    "upload": upload,
    "template": template,
    "session": session,
    "missing": _plain,
    "hooks": lambda: _plain("/hooked/", middleware=HOOKS),
    "static": static,
}
