"""Views as classes."""

from __future__ import annotations

import functools
import typing as t

import pytest

from erlen import Flask, request
from erlen.testing import FlaskClient
from erlen.views import MethodView, View


class Greeting(View):
    """Greets."""

    def dispatch_request(self, **values: t.Any) -> str:
        return f"Hello, {values.get('name', 'world')}!"


def test_a_class_answers(app: Flask, gateway_client: FlaskClient) -> None:
    """The variables of the URL reach ``dispatch_request``."""
    app.add_url_rule("/<name>", view_func=Greeting.as_view("greet"))
    assert gateway_client.get("/Ada").text == "Hello, Ada!"
    assert gateway_client.post("/Ada").status_code == 405


def test_the_view_function_describes_its_class() -> None:
    """The function has the class's text and module, and the name that it was given."""
    view: t.Any = Greeting.as_view("greet")
    assert view.__name__ == "greet"
    assert view.__doc__ == "Greets."
    assert view.__module__ == __name__
    assert view.view_class is Greeting
    assert view.methods is None
    assert view.provide_automatic_options is None


def test_dispatch_request_must_be_written(app: Flask, client: FlaskClient) -> None:
    """The base class answers nothing."""
    app.add_url_rule("/", view_func=View.as_view("nothing"))
    with pytest.raises(NotImplementedError):
        client.get("/")


class Counting(View):
    """Answers how often its instance was used."""

    def __init__(self, start: int, step: int = 1) -> None:
        self.count, self.step = start, step

    def dispatch_request(self) -> str:
        self.count += self.step
        return str(self.count)


class CountingOn(Counting):
    """The same, with one instance for all requests."""

    init_every_request = False


def test_each_request_has_its_own_instance(app: Flask, client: FlaskClient) -> None:
    """An instance is made for each request, with the arguments given to ``as_view``."""
    app.add_url_rule("/", view_func=Counting.as_view("count", 10, step=2))
    assert [client.get("/").text for _ in range(2)] == ["12", "12"]


def test_requests_may_share_an_instance(app: Flask, client: FlaskClient) -> None:
    """``init_every_request = False`` keeps one instance."""
    app.add_url_rule("/", view_func=CountingOn.as_view("count", 10, step=2))
    assert [client.get("/").text for _ in range(2)] == ["12", "14"]


def test_the_class_behind_a_view_can_be_replaced(app: Flask, client: FlaskClient) -> None:
    """Tests may put another class behind the function."""
    view: t.Any = Greeting.as_view("greet")
    app.add_url_rule("/", view_func=view)

    class Farewell(Greeting):
        def dispatch_request(self, **values: t.Any) -> str:
            return "Bye."

    view.view_class = Farewell
    assert client.get("/").text == "Bye."


def test_decorators_are_applied_in_order(app: Flask, client: FlaskClient) -> None:
    """The first decorator of the list is the innermost; each sees the final name."""
    seen = []

    def wrap(mark: str) -> t.Callable[[t.Any], t.Any]:
        def decorate(view: t.Any) -> t.Any:
            seen.append(view.__name__)

            @functools.wraps(view)
            def wrapper(**kwargs: t.Any) -> str:
                return f"{mark}({view(**kwargs)})"

            return wrapper

        return decorate

    class Decorated(Greeting):
        decorators: t.ClassVar = [wrap("a"), wrap("b")]

    view: t.Any = Decorated.as_view("greet")
    app.add_url_rule("/", view_func=view)
    assert client.get("/").text == "b(a(Hello, world!))"
    assert seen == ["greet", "greet"]
    assert view.view_class is Decorated


def test_methods_of_a_view(app: Flask, client: FlaskClient) -> None:
    """``methods`` says which methods the view is for."""

    class Posting(Greeting):
        methods: t.ClassVar = ["POST"]
        provide_automatic_options = False

    app.add_url_rule("/", view_func=Posting.as_view("post"))
    assert client.post("/").status_code == 200
    assert client.get("/").status_code == 405
    assert client.options("/").status_code == 405


class Resource(MethodView):
    """Names the method that answers."""

    def get(self, **values: t.Any) -> str:
        return f"get {values}"

    def post(self) -> str:
        return f"post {request.method}"


def test_methods_by_name(app: Flask, gateway_client: FlaskClient) -> None:
    """Each HTTP method is answered by the method of the same name."""
    app.add_url_rule("/", view_func=Resource.as_view("resource"))
    assert gateway_client.get("/").text == "get {}"
    assert gateway_client.post("/").text == "post POST"
    assert gateway_client.put("/").status_code == 405
    allowed = gateway_client.options("/").headers["Allow"].split(", ")
    assert sorted(allowed) == ["GET", "HEAD", "OPTIONS", "POST"]


def test_head_is_answered_by_get(app: Flask, client: FlaskClient) -> None:
    """Where there is no ``head``, ``get`` answers; its body is not sent."""
    app.add_url_rule("/", view_func=Resource.as_view("resource"))
    response = client.head("/")
    assert response.status_code == 200
    assert response.headers["Content-Length"] == "6"
    assert response.data == b""


def test_head_of_its_own(app: Flask, client: FlaskClient) -> None:
    """Where there is a ``head``, it answers."""

    class Headed(Resource):
        def head(self) -> tuple[str, dict[str, str]]:
            return "", {"X-Method": "head"}

    app.add_url_rule("/", view_func=Headed.as_view("resource"))
    assert client.head("/").headers["X-Method"] == "head"


def test_methods_are_inherited() -> None:
    """The methods of all bases count, those of a base that is no view too."""

    class Deleting:
        def delete(self) -> str:
            return ""

    class Explicit(MethodView):
        methods: t.ClassVar = {"PROPFIND"}

    class Both(Deleting, Explicit, Resource):
        def put(self) -> str:
            return ""

    assert Resource.methods == {"GET", "POST"}
    assert Both.methods == {"GET", "POST", "PUT", "DELETE", "PROPFIND"}
    assert Explicit.methods == {"PROPFIND"}
    assert MethodView.methods is None

    class Nothing(MethodView):
        pass

    assert Nothing.methods is None


def test_a_method_that_nobody_wrote(app: Flask, client: FlaskClient) -> None:
    """A method that is routed but not written says its name."""
    app.add_url_rule("/", view_func=Resource.as_view("resource"), methods=["PATCH"])
    with pytest.raises(AssertionError, match="Unimplemented method 'PATCH'"):
        client.patch("/")


def test_coroutines(app: Flask, gateway_client: FlaskClient) -> None:
    """``dispatch_request`` and the methods may be coroutine functions."""

    class Single(View):
        async def dispatch_request(self) -> str:
            return "one"

    class Several(MethodView):
        async def get(self) -> str:
            return "several"

    app.add_url_rule("/one", view_func=Single.as_view("one"))
    app.add_url_rule("/several", view_func=Several.as_view("several"))
    assert gateway_client.get("/one").text == "one"
    assert gateway_client.get("/several").text == "several"


def test_a_view_called_outside_a_request() -> None:
    """Called by hand without an application, a view says what is missing."""
    view: t.Any = Greeting.as_view("greet")
    with pytest.raises(RuntimeError, match="outside of application context"):
        view()


def test_methods_called_outside_a_request(app: Flask) -> None:
    """Called by hand without a request, a view by methods says what is missing."""
    view: t.Any = Resource.as_view("resource")
    with app.app_context(), pytest.raises(RuntimeError, match="outside of request context"):
        view()
