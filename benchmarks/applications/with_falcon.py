"""The work on Falcon: resource classes with responders."""

from __future__ import annotations

import typing as t

import falcon
from falcon.routing import CompiledRouter
from jinja2 import Environment, FileSystemLoader

from benchmarks import content
from benchmarks.routes import falcon_rule, routes

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication
    from falcon import Request, Response


class Hello:
    """Answers with a line of text."""

    def on_get(self, req: Request, resp: Response) -> None:
        """Say hello."""
        resp.content_type = falcon.MEDIA_HTML
        resp.text = content.HELLO


class Small:
    """Answers with a small JSON object."""

    def on_get(self, req: Request, resp: Response) -> None:
        """Send the object."""
        resp.media = content.SMALL


class Post:
    """Answers with the variables of its path."""

    def on_get(self, req: Request, resp: Response, id: int, slug: str) -> None:
        """Send both."""
        resp.content_type = falcon.MEDIA_HTML
        resp.text = f"{id}|{slug}"


class Other:
    """A resource among the three hundred that the request does not reach."""

    def on_get(self, req: Request, resp: Response, **values: object) -> None:
        """Say hello."""
        resp.content_type = falcon.MEDIA_HTML
        resp.text = content.HELLO


class Search:
    """Echoes two values of the query and two of a form."""

    def on_post(self, req: Request, resp: Response) -> None:
        """Send all four."""
        fields = req.get_media()
        q, page = req.get_param("q"), req.get_param_as_int("page")
        resp.content_type = falcon.MEDIA_HTML
        resp.text = f"{q}|{page}|{fields['name']}|{fields['email']}"


class Echo:
    """Sends a JSON document back."""

    def on_post(self, req: Request, resp: Response) -> None:
        """Parse and send it."""
        resp.media = req.get_media()


class Upload:
    """Takes a file out of a multipart form."""

    def on_post(self, req: Request, resp: Response) -> None:
        """Read the file and send its name and size."""
        resp.content_type = falcon.MEDIA_HTML
        for part in req.get_media():
            if part.name == "file":
                resp.text = f"{part.filename}|{len(part.stream.read())}"


class Members:
    """Renders a template with a table of 20 rows."""

    def __init__(self) -> None:
        jinja = Environment(loader=FileSystemLoader(content.TEMPLATES), autoescape=True)
        self.page = jinja.get_template("rows.html")

    def on_get(self, req: Request, resp: Response) -> None:
        """Render it."""
        resp.content_type = falcon.MEDIA_HTML
        resp.text = self.page.render(title=content.TITLE, rows=content.ROWS)


def read_request_id(req: Request, resp: Response, resource: object, params: object) -> None:
    """Remember the number of the request."""
    req.context.request_id = "4711"


def read_locale(req: Request, resp: Response, resource: object, params: object) -> None:
    """Remember the language that the client prefers."""
    req.context.locale = (req.get_header("Accept-Language") or "en")[:2]


def read_user(req: Request, resp: Response, resource: object, params: object) -> None:
    """Remember who asks."""
    req.context.user = "ada"


def send_request_id(req: Request, resp: Response, resource: object) -> None:
    """Send the number of the request."""
    resp.set_header("X-Request-Id", req.context.request_id)


def send_locale(req: Request, resp: Response, resource: object) -> None:
    """Send the language."""
    resp.set_header("X-Locale", req.context.locale)


def send_user(req: Request, resp: Response, resource: object) -> None:
    """Send who asked."""
    resp.set_header("X-User", req.context.user)


@falcon.before(read_request_id)
@falcon.before(read_locale)
@falcon.before(read_user)
@falcon.after(send_request_id)
@falcon.after(send_locale)
@falcon.after(send_user)
class Hooked(Hello):
    """Says hello between three hooks before and three after."""


def _with(rule: str, resource: object) -> Callable[[], WSGIApplication]:
    def build() -> WSGIApplication:
        app = falcon.App()
        app.add_route(rule, resource)
        return app

    return build


def router(count: int) -> Callable[[str], object]:
    """Add that many routes, all of one resource, and return what matches a path."""
    table = CompiledRouter()
    other = Other()
    for route in routes(count):
        table.add_route(falcon_rule(route.rule), other)
    return table.find


def among_300() -> WSGIApplication:
    """Return an application in which one of 300 routes leads to the view that is asked."""
    app = falcon.App()
    post, other = Post(), Other()
    for route in routes(300):
        asked = route.rule == "/users/<int:id>/posts/<slug>"
        app.add_route(falcon_rule(route.rule), post if asked else other)
    return app


def static() -> WSGIApplication:
    """Return an application that serves a folder."""
    app = falcon.App()
    app.add_static_route("/static", str(content.STATIC))
    return app


BUILDERS: dict[str, Callable[[], WSGIApplication]] = {
    "plain": _with("/", Hello()),
    "json": _with("/json", Small()),
    "route": among_300,
    "form": _with("/search", Search()),
    "echo": _with("/echo", Echo()),
    "upload": _with("/upload", Upload()),
    "template": _with("/members", Members()),
    "missing": _with("/", Hello()),
    "hooks": _with("/hooked/", Hooked()),
    "static": static,
}
