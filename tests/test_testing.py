"""The test client, the builder of requests, and the runner of commands."""

from __future__ import annotations

import importlib.metadata
import typing as t
from urllib.request import urlopen

import click
import pytest
import werkzeug.test
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.wrappers import Request as BaseRequest

from erlen import Blueprint, Flask, Response, g, redirect, request, session
from erlen.cli import ScriptInfo
from erlen.globals import _cv_app, _cv_request
from erlen.testing import EnvironBuilder, FlaskClient, FlaskCliRunner
from erlen.testing.environ import plain_environ
from erlen.testing.live import LiveServer

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from erlen.ctx import RequestContext

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@pytest.fixture
def echo(app: Flask) -> Flask:
    """An application that answers every path with what it received."""

    @app.route("/", methods=METHODS, defaults={"path": ""})
    @app.route("/<path:path>", methods=METHODS)
    def view(path: str) -> dict[str, t.Any]:
        return {
            "url": request.url,
            "method": request.method,
            "form": request.form,
            "json": request.get_json(silent=True),
            "addr": request.remote_addr,
            "agent": request.user_agent.string,
            "cookies": request.cookies,
            "header": request.headers.get("X-Test"),
        }

    return app


def ask(client: FlaskClient, *args: t.Any, **kwargs: t.Any) -> dict[str, t.Any]:
    """Send a request to the echo application and return its answer."""
    answer = client.open(*args, **kwargs).json
    assert isinstance(answer, dict)
    return answer


# The builder's defaults


def test_defaults_without_configuration(app: Flask) -> None:
    """Without SERVER_NAME requests go to localhost."""
    with app.test_request_context():
        assert request.url == "http://localhost/"


def test_defaults_from_configuration(echo: Flask, client: FlaskClient) -> None:
    """Scheme, host and root of the URL are the configured ones."""
    echo.config.update(
        SERVER_NAME="example.com:1234", APPLICATION_ROOT="/root", PREFERRED_URL_SCHEME="https"
    )
    with echo.test_request_context("/a?b=c"):
        assert request.url == "https://example.com:1234/root/a?b=c"
        assert request.script_root == "/root"
    assert ask(client, "/a?b=c")["url"] == "https://example.com:1234/root/a?b=c"


@pytest.mark.parametrize("kwargs", [{}, {"headers": {}}])
def test_configuration_may_change(
    echo: Flask, client: FlaskClient, kwargs: dict[str, t.Any]
) -> None:
    """The configuration is read for each request."""
    for name in ("one.example", "two.example"):
        echo.config["SERVER_NAME"] = name
        assert ask(client, "/a", **kwargs)["url"] == f"http://{name}/a"


def test_scheme_and_subdomain() -> None:
    """Both can be given for one request."""
    app = Flask(__name__, subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    blueprint = Blueprint("company", __name__, subdomain="xxx")
    blueprint.add_url_rule("/", view_func=lambda: request.url, endpoint="index")
    app.register_blueprint(blueprint)

    response = app.test_client().get("/", subdomain="xxx", url_scheme="https")
    assert response.text == "https://xxx.example.com/"
    with app.test_request_context("/", subdomain="xxx"):
        assert request.blueprint == "company"


def test_path_may_be_a_url(app: Flask) -> None:
    """A whole URL as the path sets the scheme and the host."""
    builder = EnvironBuilder(app, "https://example.com/a?b=c")
    assert builder.url_scheme == "https"
    assert builder.host == "example.com"
    assert builder.path == "/a"
    assert builder.query_string == "b=c"
    assert builder.script_root == ""


def test_base_url_alone(app: Flask) -> None:
    """A base URL is used as it is, and goes with neither subdomain nor scheme."""
    assert EnvironBuilder(app, "/a", "http://h.example/r").base_url == "http://h.example/r/"
    for extra in ({"subdomain": "x"}, {"url_scheme": "https"}):
        with pytest.raises(AssertionError, match='"subdomain" or "url_scheme" with "base_url"'):
            EnvironBuilder(app, "/", base_url="http://h.example", **extra)


def test_json_as_the_application_writes_it(app: Flask) -> None:
    """The body is serialized with the application's settings."""
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    builder = EnvironBuilder(app, json="€")
    assert builder.mimetype == "application/json"
    assert builder.input_stream is not None
    assert builder.input_stream.read().decode() == '"€"'


# The environment that is made without a builder


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    path=st.one_of(
        st.text("abc/%?=&é #:.;[]@+", max_size=12).map(lambda text: f"/{text}"),
        st.sampled_from(["", "http://h.example/a?b", "//h.example/a", "/%C3%A9/%2f", "/ü?ü=ü"]),
    ),
    method=st.sampled_from(["GET", "DELETE", "PURGE"]),
)
def test_plain_environ_is_what_the_builder_makes(app: Flask, path: str, method: str) -> None:
    """The short way to a WSGI environment leads to the same one, or to the same error."""
    assert _try(lambda: plain_environ(app, path, method)) == _try(
        lambda: EnvironBuilder(app, path, method=method).get_environ()
    )


def _try(make: t.Callable[[], dict[str, t.Any]]) -> object:
    try:
        environ = make()
    except ValueError as error:
        return type(error), str(error)
    environ["wsgi.input"] = environ["wsgi.input"].read()
    return environ


def test_plain_environs_are_independent(app: Flask) -> None:
    """Two requests to the same URL share neither dictionary nor body."""
    first, second = (plain_environ(app, "/", "GET") for _ in range(2))
    first["x"] = 1
    assert "x" not in second
    assert first["wsgi.input"] is not second["wsgi.input"]


# Forms of a request


def test_environ_base(echo: Flask, client: FlaskClient) -> None:
    """Requests come from 127.0.0.1 and name Werkzeug's version; both can be changed."""
    version = importlib.metadata.version("werkzeug")
    answer = ask(client, "/")
    assert (answer["addr"], answer["agent"]) == ("127.0.0.1", f"Werkzeug/{version}")

    client.environ_base.update(REMOTE_ADDR="192.0.2.1", HTTP_USER_AGENT="Foo")
    answer = ask(client, "/")
    assert (answer["addr"], answer["agent"]) == ("192.0.2.1", "Foo")
    assert ask(client, "/", environ_base={"REMOTE_ADDR": "192.0.2.2"})["addr"] == "192.0.2.2"
    assert ask(client, "/", headers={"User-Agent": "Bar"})["agent"] == "Bar"


def test_open_with_a_builder(echo: Flask, client: FlaskClient) -> None:
    """A builder, its environment and a request can be sent; the client's defaults apply."""
    builder = EnvironBuilder(echo, "/a", method="POST", data={"x": "1"})
    client.environ_base["HTTP_X_TEST"] = "base"
    for given_request in (builder, builder.get_environ(), builder.get_request()):
        answer = ask(client, given_request)
        assert answer["url"] == "http://localhost/a"
        assert answer["method"] == "POST"
        assert answer["form"] == {"x": "1"}
        assert answer["addr"] == "127.0.0.1"
        assert answer["header"] == "base"
    assert builder.environ_base is None
    builder.close()


def test_open_with_werkzeugs_objects(echo: Flask, client: FlaskClient) -> None:
    """The builder and the request of Werkzeug itself can be sent too, and stay as they are."""
    builder = werkzeug.test.EnvironBuilder("/a", environ_base={"REMOTE_ADDR": "192.0.2.3"})
    assert ask(client, builder)["addr"] == "192.0.2.3"
    plain = BaseRequest(builder.get_environ())
    assert ask(client, plain)["url"] == "http://localhost/a"
    assert "HTTP_USER_AGENT" not in plain.environ
    builder.close()


@pytest.mark.parametrize("method", METHODS)
def test_methods(echo: Flask, client: FlaskClient, method: str) -> None:
    """Each method has a method of the client."""
    response = getattr(client, method.lower())("/")
    assert response.json["method"] == method


def test_query_string(echo: Flask, client: FlaskClient) -> None:
    """The query can stand in the path or be given apart, as text or a dictionary."""
    for args, kwargs in (
        (("/a?b=c",), {}),
        (("/a",), {"query_string": "b=c"}),
        (("/a",), {"query_string": {"b": "c"}}),
    ):
        assert ask(client, *args, **kwargs)["url"] == "http://localhost/a?b=c"


def test_json_both_ways(echo: Flask, client: FlaskClient) -> None:
    """JSON goes out by the keyword, and comes back by the attribute."""
    response = client.post("/", json={"a": [1, None]})
    assert response.is_json
    assert response.json is not None
    assert response.json["json"] == {"a": [1, None]}


def test_json_is_read_by_the_provider(echo: Flask, client: FlaskClient) -> None:
    """The response is parsed by the application's JSON provider."""
    json_module: object = client.get("/").json_module
    assert json_module is echo.json


def test_full_url(echo: Flask, client: FlaskClient) -> None:
    """A whole URL sets the host of the request."""
    answer = ask(client, "http://other.example/a?b=c", method="POST", data={"x": 1})
    assert answer["url"] == "http://other.example/a?b=c"
    assert answer["form"] == {"x": "1"}


# Responses


def test_response_class(app: Flask) -> None:
    """Responses are of the application's class, and know their request."""

    class Own(Response):
        def shout(self) -> str:
            return self.get_data(as_text=True).upper()

    app.response_class = Own
    app.add_url_rule("/", view_func=lambda: "hey")
    response: t.Any = app.test_client().get("/")
    assert issubclass(type(response), Own)
    assert issubclass(type(response), werkzeug.test.TestResponse)
    assert response.shout() == "HEY"
    assert response.text == "hey"
    assert response.request.path == "/"
    assert response.history == ()


def test_buffered(app: Flask, client: FlaskClient) -> None:
    """A buffered response has been read to its end, and its iterator closed."""
    seen: list[str] = []

    def body() -> Iterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            seen.append("closed")

    app.add_url_rule("/", view_func=body)
    assert client.get("/", buffered=True).text == "ab"
    assert seen == ["closed"]


# Cookies


def test_cookies_are_kept(echo: Flask, client: FlaskClient) -> None:
    """What a response sets is sent with the next request, to its path and domain only."""

    @echo.get("/set")
    def set_cookies() -> Response:
        response = Response()
        response.set_cookie("everywhere", "1", path="/")
        response.set_cookie("below", "2", path="/below")
        return response

    assert ask(client, "/")["cookies"] == {}
    client.get("/set")
    assert ask(client, "/")["cookies"] == {"everywhere": "1"}
    assert ask(client, "/below/x")["cookies"] == {"everywhere": "1", "below": "2"}
    assert ask(client, "http://other.example/")["cookies"] == {}
    assert client.get_cookie("everywhere") is not None


def test_cookies_of_the_client(echo: Flask, client: FlaskClient) -> None:
    """Cookies can be set and deleted by hand; then no earlier ones are sent."""
    client.set_cookie("a", "1")
    assert ask(client, "/")["cookies"] == {"a": "1"}
    client.delete_cookie("a")
    assert ask(client, "/")["cookies"] == {}
    assert ask(client, "/", headers={"Cookie": "b=2"})["cookies"] == {}


def test_no_cookies(echo: Flask) -> None:
    """A client without cookies leaves the header to the test."""
    client = echo.test_client(use_cookies=False)
    echo.add_url_rule("/set", view_func=lambda: ("", {"Set-Cookie": "a=1"}))
    client.get("/set")
    assert ask(client, "/")["cookies"] == {}
    assert ask(client, "/", headers={"Cookie": "b=2"})["cookies"] == {"b": "2"}


# Redirects


def test_redirects(echo: Flask, client: FlaskClient) -> None:
    """Redirects are followed on request, and the way is in the history."""
    echo.add_url_rule("/one", view_func=lambda: redirect("/two"), endpoint="one")
    echo.add_url_rule("/two", view_func=lambda: redirect("/three"), endpoint="two")
    assert client.get("/one").status_code == 302
    response = client.get("/one", follow_redirects=True)
    assert [r.request.path for r in response.history] == ["/one", "/two"]
    assert response.request.path == "/three"
    assert response.json is not None
    assert response.json["addr"] == "127.0.0.1"


def test_session_through_redirects(app: Flask, client: FlaskClient) -> None:
    """The session is that of the last request, with what the first put in."""

    @app.get("/start")
    def start() -> t.Any:
        session["start"] = True
        return redirect("/target")

    @app.get("/target")
    def target() -> str:
        session["target"] = True
        return ""

    with client:
        client.get("/start", follow_redirects=True)
        assert request.path == "/target"
        assert dict(session) == {"start": True, "target": True}


# Kept contexts


def test_context_is_kept(app: Flask, client: FlaskClient) -> None:
    """In the client's block, the request's context is there after the request."""

    @app.get("/")
    def index() -> str:
        g.value = 42
        return ""

    with client:
        client.get("/?page=2")
        assert request.args["page"] == "2"
        assert g.value == 42
    assert _cv_app.get(None) is None
    assert _cv_request.get(None) is None


def test_only_the_latest_context_is_kept(app: Flask, client: FlaskClient) -> None:
    """The next request takes the place of the one before, even where it failed."""
    app.testing = False

    @app.get("/fail")
    def fail() -> str:
        raise ZeroDivisionError

    with client:
        client.get("/?a=1")
        g.value = 1
        assert client.get("/fail").status_code == 500
        assert request.path == "/fail"
        assert not hasattr(g, "value")


def test_nothing_is_kept_after_an_exception(app: Flask, client: FlaskClient) -> None:
    """A request that raised leaves nothing to look at, now or after the next one."""

    @app.get("/fail")
    def fail() -> str:
        raise ZeroDivisionError

    app.add_url_rule("/", view_func=lambda: "")
    with client:
        with pytest.raises(ZeroDivisionError):
            client.get("/fail")
        assert _cv_request.get(None) is None
        client.get("/")
        assert request.path == "/"
    assert _cv_request.get(None) is None


def test_outer_context_stays(app: Flask, client: FlaskClient, req_ctx: RequestContext) -> None:
    """A context that the test pushed itself is current again after the block."""
    app.add_url_rule("/inner", view_func=lambda: "")
    with client:
        client.get("/inner")
        assert request.path == "/inner"
    assert _cv_request.get() is req_ctx


def test_block_is_reusable_and_not_nested(client: FlaskClient) -> None:
    """One client can have one block after another, not one in another."""
    for _ in range(2):
        with client:
            assert client.get("/").status_code == 404
    with client, pytest.raises(RuntimeError, match="nest"):
        client.__enter__()


def test_no_block_no_context(app: Flask, client: FlaskClient) -> None:
    """Outside a block nothing is kept."""
    client.get("/")
    assert _cv_request.get(None) is None


# Session transactions


def test_session_transaction(app: Flask, client: FlaskClient) -> None:
    """A test can put values into the session, and read what is there."""
    app.add_url_rule("/", view_func=lambda: str(session["foo"]))
    with client.session_transaction() as before:
        assert len(before) == 0
        before["foo"] = [42]
    assert client.get("/").text == "[42]"
    with client.session_transaction() as after:
        assert after["foo"] == [42]


def test_session_of_a_host(app: Flask, client: FlaskClient) -> None:
    """The arguments say which request the session belongs to."""
    app.add_url_rule("/", view_func=lambda: session.get("foo", "none"))
    with client.session_transaction(base_url="http://other.example") as opened:
        opened["foo"] = "other"
    assert client.get("/").text == "none"
    assert client.get("/", base_url="http://other.example").text == "other"


def test_session_transaction_that_fails(client: FlaskClient) -> None:
    """An exception in the block keeps the session as it was."""

    def fail() -> None:
        with client.session_transaction() as opened:
            opened["foo"] = 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with client.session_transaction() as opened:
        assert dict(opened) == {}


def test_session_transaction_keeps_the_context(
    client: FlaskClient, req_ctx: RequestContext
) -> None:
    """The context of the test is current in the block and after it."""
    with client.session_transaction():
        assert _cv_request.get() is req_ctx
    assert _cv_request.get() is req_ctx


def test_session_needs_a_key() -> None:
    """Without a secret key there is no session, and the error says what is missing."""
    client = Flask(__name__).test_client()
    with pytest.raises(RuntimeError, match=r"(?s)did not open a session.*SECRET_KEY"):
        client.session_transaction().__enter__()


def test_null_session_is_not_saved(app: Flask, client: FlaskClient) -> None:
    """A session interface may open a session that it never saves."""

    class Interface(type(app.session_interface)):  # type: ignore[misc]
        def open_session(self, app: Flask, request: t.Any) -> t.Any:
            return self.make_null_session(app)

    app.session_interface = Interface()
    with client.session_transaction() as opened:
        assert dict(opened) == {}


def test_session_needs_cookies(app: Flask) -> None:
    """A client without cookies has no session."""
    with pytest.raises(TypeError, match="Cookies are disabled"):
        app.test_client(use_cookies=False).session_transaction().__enter__()


# The runner of commands


def test_own_classes(app: Flask) -> None:
    """The application makes clients and runners of the classes that it names."""

    class Client(FlaskClient):
        def __init__(self, *args: t.Any, token: str, **kwargs: t.Any) -> None:
            super().__init__(*args, **kwargs)
            self.token = token

    class Runner(FlaskCliRunner):
        pass

    app.test_client_class = Client
    app.test_cli_runner_class = Runner
    made = app.test_client(token="x")
    assert isinstance(made, Client)
    assert made.token == "x"
    assert isinstance(app.test_cli_runner(), Runner)


@pytest.fixture
def hello(app: Flask) -> click.Command:
    """A command of the application, which prints its name."""

    @app.cli.command("hello")
    @click.pass_obj
    def hello(info: ScriptInfo) -> None:
        click.echo(f"Hello from {info.load_app().name}")

    return hello


def test_commands(app: Flask, hello: click.Command) -> None:
    """A command runs by its name or as an object, and finds the application."""
    runner = app.test_cli_runner()
    for result in (runner.invoke(args=["hello"]), runner.invoke(hello)):
        assert result.exit_code == 0
        assert result.output == "Hello from erlen_test\n"


def test_own_script_info(app: Flask, hello: click.Command) -> None:
    """An object given by the test says where the application comes from."""
    other = Flask("other")
    result = app.test_cli_runner().invoke(hello, obj=ScriptInfo(create_app=lambda: other))
    assert result.output == "Hello from other\n"


# The live server


def test_live_server(echo: Flask) -> None:
    """The application answers over a real socket until the block ends."""
    echo.add_url_rule("/item/<int:number>", view_func=lambda number: f"n{number}", endpoint="item")
    with LiveServer(echo) as server:
        url = server.url_for("item", number=3)
        assert url == f"{server.url}/item/3"
        assert server.url == f"http://127.0.0.1:{server.port}"
        with urlopen(url, timeout=30) as response:
            assert response.read() == b"n3"
    with pytest.raises(OSError, match="refused"):
        urlopen(url, timeout=30)


def test_live_server_that_was_never_started(echo: Flask) -> None:
    """Stopping it frees the port all the same."""
    server = LiveServer(echo)
    server.stop()
    server.stop()


@pytest.mark.gateways("wsgi")
def test_an_unknown_gateway(app: Flask) -> None:
    """The error names those that there are."""
    with pytest.raises(ValueError, match="no gateway 'scgi'; there are 'wsgi', 'asgi', 'rsgi'"):
        app.test_client(gateway="scgi")


@pytest.mark.gateways("wsgi")
@pytest.mark.parametrize("name", ["asgi", "rsgi"])
def test_streams_by_other_gateways_are_lazy(app: Flask, name: str) -> None:
    """A part is made when it is asked for; closing the response ends the stream."""
    log: list[t.Any] = []

    @app.get("/")
    def index() -> t.Iterator[str]:
        def parts() -> t.Iterator[str]:
            try:
                for number in range(10):
                    log.append(number)
                    yield str(number)
            finally:
                log.append("closed")

        return parts()

    response = app.test_client(gateway=name).get("/")
    assert log == [0]
    parts = response.iter_encoded()
    assert [next(parts), next(parts)] == [b"0", b"1"]
    assert log == [0, 1]
    response.close()
    assert log == [0, 1, "closed"]


@pytest.mark.gateways("wsgi")
@pytest.mark.parametrize("name", ["asgi", "rsgi"])
def test_what_no_protocol_carries_by_other_gateways(app: Flask, name: str) -> None:
    """What a test puts into the environment is there; a cut body is a client that left."""
    app.add_url_rule("/", "index", lambda: request.environ["test.value"])
    app.add_url_rule("/body", "body", lambda: request.get_data(), methods=["POST"])
    client = app.test_client(gateway=name)
    assert client.get("/", environ_overrides={"test.value": "here"}).text == "here"
    whole = client.post("/body", data=b"123")
    assert whole.data == b"123"
    cut = client.post("/body", data=b"123", environ_overrides={"CONTENT_LENGTH": "5"})
    assert cut.status_code == 400
