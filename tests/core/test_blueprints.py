"""Blueprints: nesting, names, and the prefixes they own."""

from __future__ import annotations

import typing as t

import pytest

from erlen import Blueprint, Flask

if t.TYPE_CHECKING:
    from werkzeug.exceptions import HTTPException

    from erlen.testing import FlaskClient


def answering(blueprint: Blueprint | Flask, name: str) -> None:
    """Give a blueprint handlers for 404 and 405 that say whose they are."""

    def handle(error: HTTPException) -> tuple[str, int]:
        return name, error.code or 0

    blueprint.register_error_handler(404, handle)
    blueprint.register_error_handler(405, handle)


@pytest.fixture
def owners(app: Flask) -> Flask:
    """An API with a nested part that owns its own prefix, and a blueprint that owns nothing."""
    api = Blueprint("api", __name__, url_prefix="/api", owns_prefix=True)
    admin = Blueprint("admin", __name__, url_prefix="/admin", owns_prefix=True)
    plain = Blueprint("plain", __name__, url_prefix="/plain")
    parts: list[tuple[Blueprint | Flask, str]] = [(app, "app"), (api, "api")]
    parts += [(admin, "admin"), (plain, "plain")]
    for blueprint, name in parts:
        answering(blueprint, name)
        blueprint.add_url_rule("/item", "item", lambda: "item")
    api.register_blueprint(admin)
    app.register_blueprint(api)
    app.register_blueprint(plain)
    return app


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/api/missing", "api"),
        ("/api", "api"),
        ("/api/", "api"),
        ("/apiary", "app"),
        ("/missing", "app"),
        ("/api/admin/missing", "admin"),
        ("/plain/missing", "app"),
    ],
)
def test_unknown_urls_below_an_owned_prefix(owners: Flask, path: str, owner: str) -> None:
    """The blueprint with the longest prefix answers; one that owns nothing does not."""
    response = owners.test_client().get(path)
    assert (response.text, response.status_code) == (owner, 404)


@pytest.mark.parametrize(
    ("path", "owner"), [("/api/item", "api"), ("/api/admin/item", "admin"), ("/plain/item", "app")]
)
def test_wrong_methods_below_an_owned_prefix(owners: Flask, path: str, owner: str) -> None:
    """The same goes for 405."""
    response = owners.test_client().post(path)
    assert (response.text, response.status_code) == (owner, 405)


def test_a_parents_handler_serves_its_children(app: Flask) -> None:
    """A nested owner without a handler leaves the answer to its parent."""
    api = Blueprint("api", __name__, url_prefix="/api", owns_prefix=True)
    inner = Blueprint("inner", __name__, url_prefix="/inner", owns_prefix=True)
    answering(api, "api")
    api.register_blueprint(inner)
    app.register_blueprint(api)
    assert app.test_client().get("/api/inner/missing").text == "api"


def test_aborting_inside_a_view_is_not_a_question_of_ownership(owners: Flask) -> None:
    """A view's own 404 goes to the handler of the view's blueprint, as ever."""
    from erlen import abort

    late = Blueprint("late", __name__, url_prefix="/plain2")
    answering(late, "late")
    late.add_url_rule("/gone", "gone", lambda: abort(404))
    owners.register_blueprint(late)
    assert owners.test_client().get("/plain2/gone").text == "late"


def test_the_prefix_given_at_registration_counts(app: Flask) -> None:
    """A blueprint owns the prefix it was registered with, each time."""
    api = Blueprint("api", __name__, url_prefix="/default", owns_prefix=True)
    answering(api, "api")
    app.register_blueprint(api, url_prefix="/v1")
    app.register_blueprint(api, url_prefix="/v2", name="second")
    client = app.test_client()
    assert client.get("/v1/x").text == client.get("/v2/x").text == "api"
    assert client.get("/default/x").text != "api"


def test_without_a_prefix_the_blueprint_owns_all(app: Flask) -> None:
    """A blueprint at the root answers for each unknown URL."""
    site = Blueprint("site", __name__, owns_prefix=True)
    answering(site, "site")
    app.register_blueprint(site)
    assert app.test_client().get("/missing").text == "site"


def test_a_variable_prefix_cannot_be_owned(app: Flask) -> None:
    """The error names the blueprint, the prefix and the remedy."""
    blueprint = Blueprint("lang", __name__, url_prefix="/<lang>", owns_prefix=True)
    with pytest.raises(ValueError, match="'lang' cannot own the prefix '/<lang>'.*without"):
        app.register_blueprint(blueprint)


def test_hooks_of_an_owner_do_not_run_for_unknown_urls(owners: Flask) -> None:
    """Owning a prefix is about handlers; before_request still needs a view of the blueprint."""
    log: list[str] = []
    owners.before_request_funcs.setdefault("api", []).append(lambda: log.append("hook"))
    client: FlaskClient = owners.test_client()
    client.get("/api/missing")
    assert log == []
    client.get("/api/item")
    assert log == ["hook"]


def test_an_owner_on_a_subdomain(app: Flask) -> None:
    """It answers for unknown URLs of its subdomain only."""
    app.config["SERVER_NAME"] = "example.test"
    app.subdomain_matching = True
    api = Blueprint("api", __name__, subdomain="api", owns_prefix=True)
    answering(api, "api")
    answering(app, "app")
    app.register_blueprint(api)
    client: FlaskClient = app.test_client()
    assert client.get("/missing", base_url="http://api.example.test").text == "api"
    assert client.get("/missing", base_url="http://example.test").text == "app"


def test_a_variable_subdomain_cannot_be_owned(app: Flask) -> None:
    """The error names the option."""
    blueprint = Blueprint("user", __name__, subdomain="<user>", owns_prefix=True)
    with pytest.raises(ValueError, match="'<user>' contains a variable.*fixed 'subdomain'"):
        app.register_blueprint(blueprint)
