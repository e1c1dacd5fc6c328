"""The work on Litestar, with its parameters declared, and its session in an encrypted cookie."""

# Litestar reads the annotations of handlers when they are declared.

import typing as t
from collections.abc import Callable
from hashlib import sha256

from litestar import Litestar, MediaType, Request, get, post
from litestar.datastructures import MutableScopeHeaders, UploadFile
from litestar.enums import RequestEncodingType
from litestar.middleware.session.client_side import CookieBackendConfig
from litestar.params import Body
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.static_files import create_static_files_router
from litestar.template.config import TemplateConfig

from benchmarks import content
from benchmarks.routes import respell, routes

ASGIApplication = t.Any


def _app(*handlers: t.Any, **options: t.Any) -> ASGIApplication:
    return Litestar(handlers, openapi_config=None, **options)


def _hello(*paths: str) -> t.Any:
    @get(list(paths), media_type=MediaType.HTML)
    async def hello() -> str:
        return content.HELLO

    return hello


@get("/json")
async def small() -> dict[str, t.Any]:
    """Answer with a small JSON object."""
    return content.SMALL


def among_300() -> ASGIApplication:
    """Return an application in which one of 300 routes leads to the view that is asked."""
    rules = {item.rule for item in routes(300)} - {"/users/<int:id>/posts/<slug>"}
    handlers = []
    for rule in sorted(rules):

        @get(_path_of(rule), media_type=MediaType.HTML)
        async def other() -> str:
            return content.HELLO

        handlers.append(other)

    @get("/users/{id:int}/posts/{slug:str}", media_type=MediaType.HTML)
    async def asked(id: int, slug: str) -> str:
        return f"{id}|{slug}"

    return _app(asked, *handlers)


def _path_of(rule: str) -> str:
    return respell(rule, lambda name, kind: f"{{{name}:{kind or 'str'}}}")


@post("/search", media_type=MediaType.HTML, status_code=200)
async def search(
    q: str,
    page: int,
    data: t.Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> str:
    """Echo two values of the query and two of a form."""
    return f"{q}|{page}|{data['name']}|{data['email']}"


@post("/echo", status_code=200)
async def echo(data: dict[str, t.Any]) -> dict[str, t.Any]:
    """Send a JSON document back."""
    return data


@post("/upload", media_type=MediaType.HTML, status_code=200)
async def upload(
    data: t.Annotated[dict[str, t.Any], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> str:
    """Read a file of a multipart form and send its name and size."""
    file: UploadFile = data["file"]
    return f"{file.filename}|{len(await file.read())}"


@get("/members")
async def members() -> Template:
    """Render a template with a table of 20 rows."""
    return Template("rows.html", context={"title": content.TITLE, "rows": content.ROWS})


@get("/visits", media_type=MediaType.HTML)
async def visits(request: Request[t.Any, t.Any, t.Any]) -> str:
    """Count visits in the session."""
    session = request.session
    session["visits"] = session.get("visits", 0) + 1
    return f"visit {session['visits']}"


def hooks() -> ASGIApplication:
    """Return an application that says hello between three hooks before and three after.

    It has one hook of each kind at a time, so they are middleware, as plain ASGI.
    """
    return _app(
        _hello("/hooked/"),
        middleware=[
            _hook("request_id", "X-Request-Id", lambda request: "4711"),
            _hook(
                "locale",
                "X-Locale",
                lambda request: request.headers.get("Accept-Language", "en")[:2],
            ),
            _hook("user", "X-User", lambda request: "ada"),
        ],
    )


def _hook(name: str, header: str, value: Callable[[t.Any], str]) -> t.Any:
    def make(app: t.Any) -> t.Any:
        async def middleware(scope: t.Any, receive: t.Any, send: t.Any) -> None:
            state = scope.setdefault("state", {})
            state[name] = value(Request(scope))

            async def send_with_header(message: t.Any) -> None:
                if message["type"] == "http.response.start":
                    MutableScopeHeaders.from_message(message)[header] = state[name]
                await send(message)

            await app(scope, receive, send_with_header)

        return middleware

    return make


_TEMPLATES: t.Any = TemplateConfig(directory=content.TEMPLATES, engine=JinjaTemplateEngine)
_SESSION = CookieBackendConfig(secret=sha256(content.SECRET_KEY.encode()).digest())

BUILDERS: dict[str, Callable[[], ASGIApplication]] = {
    "plain": lambda: _app(_hello("/")),
    "json": lambda: _app(small),
    "route": among_300,
    "form": lambda: _app(search),
    "echo": lambda: _app(echo),
    "upload": lambda: _app(upload),
    "template": lambda: _app(members, template_config=_TEMPLATES),
    "session": lambda: _app(visits, middleware=[_SESSION.middleware]),
    "missing": lambda: _app(_hello("/")),
    "hooks": hooks,
    "static": lambda: _app(
        create_static_files_router(path="/static", directories=[str(content.STATIC)])
    ),
}
