"""Which URL an endpoint and its values have."""

from __future__ import annotations

import typing as t

import pytest
from werkzeug.datastructures import MultiDict

from erlen.routing import BaseConverter, BuildError, Map, MapAdapter, Rule, ValidationError

USER = Rule("/users/<int:id>", endpoint="user")


def bind(*rules: Rule, **options: t.Any) -> MapAdapter:
    """Return an adapter for a map."""
    return Map([rule.empty() for rule in rules], **options).bind("example.com")


@pytest.mark.parametrize(
    ("placeholder", "value", "text"),
    [
        ("<x>", "a b/c?d#e%", "a%20b/c%3Fd%23e%25"),
        ("<x>", "é", "%C3%A9"),
        ("<x>", 3, "3"),
        ("<x>", "!$&'()*+,/:;=@-._~", "!$&'()*+,/:;=@-._~"),
        ("<path:x>", "a/b c", "a/b%20c"),
        ("<any(a,b):x>", "b", "b"),
        ("<int:x>", "3", "3"),
        ("<int(fixed_digits=3):x>", 7, "007"),
        ("<int(signed=True):x>", -7, "-7"),
        ("<float:x>", 1, "1.0"),
        ("<uuid:x>", "any text", "any text"),
    ],
)
def test_values(placeholder: str, value: object, text: str) -> None:
    """A converter makes text of its value, encoded for a path."""
    adapter = bind(Rule(f"/a%/{placeholder}/b", endpoint="a"))
    assert adapter.build("a", {"x": value}) == f"/a%25/{text}/b"


def test_refused_values() -> None:
    """What a converter cannot make text of is its exception; with ValidationError, no URL."""

    class Picky(BaseConverter):
        def to_url(self, value: t.Any) -> str:
            raise ValidationError

    adapter = bind(
        USER,
        Rule("/<any(a,b):x>", endpoint="any"),
        Rule("/<picky:x>", endpoint="picky"),
        converters={"picky": Picky},
    )
    with pytest.raises(ValueError, match="'c' is not one of 'a', 'b'"):
        adapter.build("any", {"x": "c"})
    with pytest.raises(ValueError, match="invalid literal"):
        adapter.build("user", {"id": "x"})
    with pytest.raises(BuildError):
        adapter.build("picky", {"x": 1})


def test_names_of_variables() -> None:
    """A variable may have any name."""
    adapter = bind(Rule("/<self>/<class>/<values>", endpoint="a"))
    assert adapter.build("a", {"self": 1, "class": 2, "values": 3}) == "/1/2/3"


class TestQuery:
    """Values that are no variables of the rule."""

    def test_appended(self) -> None:
        """They go to the query string, items of a list one by one, without None."""
        values = {"id": 1, "q": "a b&c", "tag": ["x", None, "y"], "none": None}
        assert bind(USER).build("user", values) == "/users/1?q=a+b%26c&tag=x&tag=y"

    def test_left_out(self) -> None:
        """append_unknown=False drops them."""
        assert bind(USER).build("user", {"id": 1, "q": 2}, append_unknown=False) == "/users/1"

    def test_nothing_left(self) -> None:
        """Without anything to append there is no question mark."""
        assert bind(USER).build("user", {"id": 1, "q": []}) == "/users/1"

    def test_sorted(self) -> None:
        """A map can sort them, by a key of its own."""
        values = {"id": 1, "b": 1, "a": 2}
        assert bind(USER, sort_parameters=True).build("user", values) == "/users/1?a=2&b=1"
        by_value = bind(USER, sort_parameters=True, sort_key=lambda item: item[1])
        assert by_value.build("user", values) == "/users/1?b=1&a=2"

    def test_multi_dict(self) -> None:
        """A MultiDict's single values go to variables, its lists to the query."""
        values = MultiDict([("id", 1), ("q", "a"), ("q", "b")])
        assert bind(USER).build("user", values) == "/users/1?q=a&q=b"

    def test_given_default(self) -> None:
        """A default that is given as a value does not show."""
        adapter = bind(Rule("/a", endpoint="a", defaults={"page": 1}))
        assert adapter.build("a", {"page": 1}) == "/a"
        assert adapter.build("a", {"page": 1, "q": 2}) == "/a?q=2"
        with pytest.raises(BuildError):
            adapter.build("a", {"page": 2})


class TestChoice:
    """Which of an endpoint's rules is built."""

    def test_most_variables(self) -> None:
        """The rule with the most variables that the values fill is taken."""
        adapter = bind(
            Rule("/", endpoint="a"), Rule("/<x>", endpoint="a"), Rule("/<x>/<y>", endpoint="a")
        )
        assert adapter.build("a") == "/"
        assert adapter.build("a", {"x": 1}) == "/1"
        assert adapter.build("a", {"x": 1, "y": 2, "z": 3}) == "/1/2?z=3"

    def test_defaults(self) -> None:
        """The rule whose default is the value comes first."""
        adapter = bind(
            Rule("/page/<int:page>", endpoint="a"), Rule("/", endpoint="a", defaults={"page": 1})
        )
        assert adapter.build("a", {"page": 1}) == "/"
        assert adapter.build("a", {"page": 2}) == "/page/2"

    def test_default_in_the_path(self) -> None:
        """A variable with a default is a constant of the URL."""
        adapter = bind(Rule("/p %/<int:page>", endpoint="a", defaults={"page": 1}))
        assert adapter.build("a") == "/p%20%25/1"

    def test_refused_default(self) -> None:
        """A default that its converter refuses shows when the rule is added."""
        with pytest.raises(ValueError, match="is not one of"):
            Map([Rule("/<any(a,b):x>", defaults={"x": "c"})])

    def test_alias(self) -> None:
        """An alias is only built where nothing else is."""
        adapter = bind(
            Rule("/a/<x>", endpoint="a", alias=True),
            Rule("/b/<x>", endpoint="a"),
            Rule("/c", endpoint="c", alias=True),
        )
        assert adapter.build("a", {"x": 1}) == "/b/1"
        assert adapter.build("c") == "/c"

    def test_method(self) -> None:
        """The rule for the method is built, the adapter's own where none is given."""
        adapter = bind(
            Rule("/post", endpoint="a", methods=["POST"]),
            Rule("/get", endpoint="a", methods=["GET"]),
            Rule("/only", endpoint="b", methods=["POST"]),
        )
        assert adapter.build("a") == "/get"
        assert adapter.build("a", method="POST") == "/post"
        assert adapter.build("b") == "/only"
        with pytest.raises(BuildError):
            adapter.build("b", method="GET")

    def test_own_host(self) -> None:
        """Of several hosts, the one of the request is preferred."""
        url_map = Map(
            [Rule("/", host="a.org", endpoint="x"), Rule("/", host="b.org", endpoint="x")],
            host_matching=True,
        )
        assert url_map.bind("b.org").build("x") == "/"
        assert url_map.bind("c.org").build("x") == "http://a.org/"


class TestExternal:
    """URLs with a host."""

    def test_forced(self) -> None:
        """force_external gives host and scheme."""
        adapter = bind(USER)
        url = adapter.build("user", {"id": 1}, force_external=True)
        assert url == "http://example.com/users/1"

    @pytest.mark.parametrize(
        ("scheme", "expected"),
        [("https", "https:"), ("wss", "https:"), ("ws", "http:"), ("", ""), (None, "http:")],
    )
    def test_scheme(self, scheme: str | None, expected: str) -> None:
        """The scheme can be given; those of WebSockets stand for theirs of HTTP."""
        url = bind(USER).build("user", {"id": 1}, force_external=True, url_scheme=scheme)
        assert url == f"{expected}//example.com/users/1"

    def test_subdomain(self) -> None:
        """Another subdomain makes an absolute URL, the same one does not."""
        url_map = Map([Rule("/", endpoint="a", subdomain="<x>")])
        adapter = url_map.bind("example.com", subdomain="www")
        assert adapter.build("a", {"x": "www"}) == "/"
        assert adapter.build("a", {"x": "b c"}) == "http://b%20c.example.com/"

    def test_websocket(self) -> None:
        """A rule for WebSockets is built with their scheme, as an absolute URL."""
        adapter = bind(Rule("/ws", endpoint="ws", websocket=True))
        assert adapter.build("ws") == "ws://example.com/ws"
        assert adapter.build("ws", url_scheme="https") == "wss://example.com/ws"

    def test_script_name(self) -> None:
        """URLs begin with the path to the application."""
        adapter = Map([USER.empty()]).bind("example.com", "/app")
        assert adapter.build("user", {"id": 1}) == "/app/users/1"
        url = adapter.build("user", {"id": 1}, force_external=True)
        assert url == "http://example.com/app/users/1"


class TestBuildError:
    """What is said where there is no URL."""

    def test_attributes(self) -> None:
        """The error has what was asked for."""
        adapter = bind(USER)
        with pytest.raises(BuildError) as caught:
            adapter.build("usr", {"a": 1, "b": None}, "POST")
        error = caught.value
        assert (error.endpoint, error.values, error.method) == ("usr", {"a": 1}, "POST")
        assert error.adapter is adapter

    def test_near_miss(self) -> None:
        """An endpoint of a similar name is suggested."""
        with pytest.raises(BuildError, match="Did you mean 'user' instead") as caught:
            bind(USER, Rule("/", endpoint="index")).build("usr")
        assert caught.value.suggested is not None
        assert caught.value.suggested.endpoint == "user"

    def test_missing_value(self) -> None:
        """Missing values are named."""
        with pytest.raises(BuildError, match=r"Did you forget to specify values \['id'\]"):
            bind(USER).build("user", {"id": None})

    def test_wrong_method(self) -> None:
        """The methods that would do are named."""
        adapter = bind(Rule("/a", endpoint="a", methods=["POST"]))
        with pytest.raises(BuildError, match=r"Did you mean to use methods \['POST'\]"):
            adapter.build("a", method="GET")

    def test_empty_map(self) -> None:
        """Without rules there is nothing to suggest."""
        with pytest.raises(BuildError) as caught:
            bind().build("a")
        assert caught.value.suggested is None


def test_rule_alone() -> None:
    """A rule builds its domain and path."""
    rule = Rule("/a/<x>", subdomain="<y>", endpoint="a")
    Map([rule])
    assert rule.build({"x": 1, "y": 2}) == ("2", "/a/1")
    assert rule.build({"x": 1, "y": 2, "z": 3}, append_unknown=False) == ("2", "/a/1")
