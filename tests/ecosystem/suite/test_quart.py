"""Quart, a framework of its own whose application and blueprints are subclasses of Flask's
``sansio`` classes."""

from __future__ import annotations

import asyncio
import typing as t

import pytest
from flask.sansio.app import App
from quart import (
    Blueprint,
    Quart,
    abort,
    g,
    jsonify,
    render_template_string,
    request,
    session,
    url_for,
    websocket,
)

if t.TYPE_CHECKING:
    from quart import Response


@pytest.fixture
def quart_app() -> Quart:
    app = Quart(__name__)
    app.secret_key = "a key for tests"
    blueprint = Blueprint("pages", __name__, url_prefix="/pages")

    @app.get("/")
    async def index() -> dict[str, t.Any]:
        return {"q": request.args.get("q"), "url": url_for("pages.page", number=3)}

    @app.post("/form")
    async def form() -> str:
        session["name"] = (await request.form)["name"]
        return await render_template_string("{{ session.name }} on {{ request.path }}")

    @blueprint.route("/<int:number>")
    @blueprint.route("/", defaults={"number": 0})
    async def page(number: int) -> Response:
        return jsonify(number=number, session=dict(session))

    @app.get("/secret")
    async def secret() -> t.NoReturn:
        abort(403)

    @app.errorhandler(404)
    async def not_found(error: Exception) -> tuple[str, int]:
        return "own page", 404

    @app.before_request
    async def before() -> None:
        g.mark = "set"

    @app.after_request
    async def after(response: Response) -> Response:
        response.headers["X-Mark"] = g.mark
        return response

    @app.websocket("/echo")
    async def echo() -> None:
        while True:
            await websocket.send(f"echo {await websocket.receive()}")

    app.register_blueprint(blueprint)
    return app


def test_quart(quart_app: Quart) -> None:
    """Routes, forms, sessions, errors, hooks, static files and a WebSocket."""

    async def run() -> None:
        http = quart_app.test_client()
        answer = await http.get("/?q=1")
        assert await answer.get_json() == {"q": "1", "url": "/pages/3"}
        assert answer.headers["X-Mark"] == "set"
        answer = await http.post("/form", form={"name": "ada"})
        assert await answer.get_data(as_text=True) == "ada on /form"
        answer = await http.get("/pages/7")
        assert await answer.get_json() == {"number": 7, "session": {"name": "ada"}}
        assert (await (await http.get("/pages/")).get_json())["number"] == 0
        answer = await http.get("/nothing")
        assert (answer.status_code, await answer.get_data(as_text=True)) == (404, "own page")
        assert (await http.get("/secret")).status_code == 403
        assert set((await http.delete("/form")).headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
        assert "serif" in await (await http.get("/static/style.css")).get_data(as_text=True)
        async with http.websocket("/echo") as ws:
            await ws.send("hello")
            assert await ws.receive() == "echo hello"

    assert isinstance(quart_app, App)
    asyncio.run(run())
