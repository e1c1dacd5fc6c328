"""The work on Flask's API, which Flask and Erlen share: one text serves both."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from benchmarks import content
from benchmarks.routes import routes

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from _typeshed.wsgi import WSGIApplication

    # Erlen's types serve as those of both.
    from erlen import Blueprint, Flask, Request, Response
    from erlen.scaffold import Scaffold

# One variant of set-up: how an application is made, before the work is registered on it.
VARIANTS = {
    "as it is": "an application object, nothing configured",
    "SECRET_KEY": "SECRET_KEY is set, so that there is a session, which nothing touches",
    "factory": "made by an application factory, the view in one of four blueprints",
    "teardown": "one teardown_appcontext function, as every database extension has",
    "all three": "SECRET_KEY, factory and teardown together",
}


@dataclass(frozen=True)
class Api:
    """The names of Flask's API that the work uses, from one framework.

    :param module: the module ``flask``, or ``erlen``.
    :param application: the name of the application class in it.
    """

    module: ModuleType
    application: str = "Flask"

    @property
    def names(self) -> FlaskNames:
        """The module, typed as what it looks like."""
        return t.cast("FlaskNames", self.module)

    def app(self) -> Flask:
        """Make an application."""
        make: type[Flask] = getattr(self.module, self.application)
        return make(__name__)


class FlaskNames(t.Protocol):
    """The part of the module ``flask`` that the work uses."""

    @property
    def Blueprint(self) -> type[Blueprint]: ...
    @property
    def request(self) -> Request: ...
    @property
    def session(self) -> dict[str, t.Any]: ...
    @property
    def g(self) -> t.Any: ...
    def render_template(self, name: str, /, **values: object) -> str: ...


def plain(api: FlaskNames, app: Scaffold) -> None:
    """Answer with a line of text."""

    @app.get("/")
    def hello() -> str:
        return content.HELLO


def small_json(api: FlaskNames, app: Scaffold) -> None:
    """Answer with a small JSON object."""

    @app.get("/json")
    def small() -> dict[str, t.Any]:
        return content.SMALL


def route(api: FlaskNames, app: Scaffold) -> None:
    """Register 300 routes, one of which leads to the view that is asked."""

    def post(id: int, slug: str) -> str:
        return f"{id}|{slug}"

    def other(**values: object) -> str:
        return content.HELLO

    for number, item in enumerate(routes(300)):
        asked = item.rule == "/users/<int:id>/posts/<slug>"
        app.add_url_rule(item.rule, f"view{number}", post if asked else other)


def form(api: FlaskNames, app: Scaffold) -> None:
    """Echo two values of the query and two of a form."""
    request = api.request

    @app.post("/search")
    def search() -> str:
        args, fields = request.args, request.form
        q, page = args["q"], args.get("page", type=int)
        return f"{q}|{page}|{fields['name']}|{fields['email']}"


def echo(api: FlaskNames, app: Scaffold) -> None:
    """Send a JSON document back."""
    request = api.request

    @app.post("/echo")
    def send_back() -> dict[str, t.Any]:
        document: dict[str, t.Any] = request.get_json()
        return document


def upload(api: FlaskNames, app: Scaffold) -> None:
    """Read a file of a multipart form and send its name and size."""
    request = api.request

    @app.post("/upload")
    def take() -> str:
        file = request.files["file"]
        return f"{file.filename}|{len(file.read())}"


def template(api: FlaskNames, app: Scaffold) -> None:
    """Render a template with a table of 20 rows."""
    render_template = api.render_template

    @app.get("/members")
    def members() -> str:
        return render_template("rows.html", title=content.TITLE, rows=content.ROWS)


def session(api: FlaskNames, app: Scaffold) -> None:
    """Count visits in the session; the request always brings the first one's cookie."""
    session = api.session

    @app.get("/visits")
    def visits() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return f"visit {session['visits']}"


def hooks(api: FlaskNames, app: Scaffold) -> None:
    """Say hello between three hooks before and three after."""
    g, request = api.g, api.request

    @app.before_request
    def read_request_id() -> None:
        g.request_id = "4711"

    @app.before_request
    def read_locale() -> None:
        g.locale = request.headers.get("Accept-Language", "en")[:2]

    @app.before_request
    def read_user() -> None:
        g.user = "ada"

    @app.after_request
    def send_request_id(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        return response

    @app.after_request
    def send_locale(response: Response) -> Response:
        response.headers["X-Locale"] = g.locale
        return response

    @app.after_request
    def send_user(response: Response) -> Response:
        response.headers["X-User"] = g.user
        return response

    @app.get("/hooked/")
    def hello() -> str:
        return content.HELLO


def static(api: FlaskNames, app: Scaffold) -> None:
    """Register nothing: the application serves its static folder itself."""


WORK: dict[str, Callable[[FlaskNames, Scaffold], None]] = {
    "plain": plain,
    "json": small_json,
    "route": route,
    "form": form,
    "echo": echo,
    "upload": upload,
    "template": template,
    "session": session,
    "missing": plain,
    "hooks": hooks,
    "static": static,
}


def build(api: Api, work: str, variant: str = "as it is") -> Flask:
    """Make an application that does one kind of work.

    :param api: whose application class and names to use.
    :param work: a key of :data:`WORK`.
    :param variant: a key of :data:`VARIANTS`.
    """
    whole = variant == "all three"
    app = api.app()
    if work == "session" or whole or variant == "SECRET_KEY":
        app.config["SECRET_KEY"] = content.SECRET_KEY
    if whole or variant == "teardown":
        _add_teardown(api.names, app)
    if work == "hooks" or whole or variant == "factory":
        _add_blueprints(api.names, app, WORK[work])
    else:
        WORK[work](api.names, app)
    return app


def builders(api: Api) -> dict[str, Callable[[], WSGIApplication]]:
    """Return what makes the application of each workload."""

    def builder(work: str) -> Callable[[], WSGIApplication]:
        return lambda: build(api, work)

    return {work: builder(work) for work in WORK}


def router(api: Api, count: int) -> Callable[[str], object]:
    """Add that many routes, all of one view, and return what matches a path."""
    app = api.app()

    def view(**values: object) -> str:
        return content.HELLO

    for number, item in enumerate(routes(count)):
        app.add_url_rule(item.rule, f"view{number}", view)
    return app.url_map.bind("localhost").match


def _add_teardown(api: FlaskNames, app: Flask) -> None:
    g = api.g

    @app.teardown_appcontext
    def close_database(error: BaseException | None) -> None:
        database = g.pop("database", None)
        if database is not None:
            database.close()


def _add_blueprints(
    api: FlaskNames, app: Flask, work: Callable[[FlaskNames, Scaffold], None]
) -> None:
    main = api.Blueprint("main", __name__)
    work(api, main)
    app.register_blueprint(main)
    for name in ("account", "admin", "api"):
        blueprint = api.Blueprint(name, __name__, url_prefix=f"/{name}")
        for page in ("index", "list", "detail"):
            blueprint.add_url_rule(f"/{page}", page, lambda: content.HELLO)
        app.register_blueprint(blueprint)
