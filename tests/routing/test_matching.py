"""Which rule a path leads to, with which values."""

from __future__ import annotations

import typing as t
import uuid

import pytest
from werkzeug.exceptions import MethodNotAllowed, NotFound

from erlen.routing import (
    BaseConverter,
    Map,
    MapAdapter,
    RequestRedirect,
    RoutingException,
    Rule,
    UnicodeConverter,
    ValidationError,
    WebsocketMismatch,
)


def bind(*rules: str | Rule, **options: t.Any) -> MapAdapter:
    """Return an adapter for rules; a text stands for a rule that is its own endpoint."""
    made = [Rule(rule, endpoint=rule) if isinstance(rule, str) else rule for rule in rules]
    return Map(made, **options).bind("example.com")


def redirect(adapter: MapAdapter, path: str, **options: t.Any) -> str:
    """Return where a path redirects to."""
    with pytest.raises(RequestRedirect) as caught:
        adapter.match(path, **options)
    return caught.value.new_url


ANY_UUID = "2b5b0911-fdcf-4dd2-921b-28ace88db8a0"


@pytest.mark.parametrize(
    ("placeholder", "text", "value"),
    [
        ("<x>", "a b", "a b"),
        ("<string:x>", "1", "1"),
        ("<string(length=2):x>", "ab", "ab"),
        ("<string(minlength=2, maxlength=3):x>", "abc", "abc"),
        ("<path:x>", "a/b//c/", "a/b//c/"),
        ("<any(about, 'with space', \"with,comma\"):x>", "with,comma", "with,comma"),
        ("<int:x>", "007", 7),
        ("<int(signed=True):x>", "-7", -7),
        ("<int(fixed_digits=3):x>", "007", 7),
        ("<int(min=2, max=3):x>", "3", 3),
        ("<float:x>", "1.50", 1.5),
        ("<float(signed=True):x>", "-0.5", -0.5),
        ("<uuid:x>", ANY_UUID, uuid.UUID(ANY_UUID)),
    ],
)
def test_accepted(placeholder: str, text: str, value: object) -> None:
    """A converter makes its value from the text it accepts."""
    adapter = bind(f"/{placeholder}", f"/in/{placeholder}/side", f"/v-{placeholder}")
    assert adapter.match(f"/{text}")[1] == {"x": value}
    assert adapter.match(f"/in/{text}/side")[1] == {"x": value}
    assert adapter.match(f"/v-{text}")[1] == {"x": value}


@pytest.mark.parametrize(
    ("placeholder", "text"),
    [
        ("<x>", ""),
        ("<x>", "a/b"),
        ("<string(length=2):x>", "abc"),
        ("<string(minlength=2, maxlength=3):x>", "a"),
        ("<string(minlength=2, maxlength=3):x>", "abcd"),
        ("<path:x>", ""),
        ("<path:x>", "a\nb"),
        ("<any(about, help):x>", "abouthelp"),
        ("<int:x>", "-7"),
        ("<int:x>", "1.5"),
        ("<int:x>", "1_000"),
        ("<int(fixed_digits=3):x>", "7"),
        ("<int(min=2, max=3):x>", "1"),
        ("<int(min=2, max=3):x>", "4"),
        ("<float:x>", "1"),
        ("<float:x>", "1e5"),
        ("<float:x>", "-0.5"),
        ("<float(max=2):x>", "2.5"),
        ("<uuid:x>", ANY_UUID[:-1]),
    ],
)
def test_refused(placeholder: str, text: str) -> None:
    """What a converter does not accept is not found."""
    adapter = bind(f"/p/{placeholder}")
    with pytest.raises(NotFound):
        adapter.match(f"/p/{text}")


def test_several_variables() -> None:
    """Values have the names of their variables, however many there are."""
    adapter = bind("/<a>/<int:b>/<c>/<d>", "/v<int:major>.<int:minor>")
    assert adapter.match("/x/1/y/z")[1] == {"a": "x", "b": 1, "c": "y", "d": "z"}
    assert adapter.match("/v1.2")[1] == {"major": 1, "minor": 2}


def test_values_are_fresh() -> None:
    """The values of one match may be changed without harm to the next."""
    adapter = bind("/static", "/users/<name>")
    for path, expected in [("/static", {}), ("/users/a", {"name": "a"})]:
        adapter.match(path)[1]["more"] = 1
        assert adapter.match(path)[1] == expected


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/users/new", "/users/new"),
        ("/users/1", "/users/<int:x>"),
        ("/users/a", "/users/<x>"),
        ("/users/a/b", "/users/<path:x>"),
        ("/users/1/b", "/users/<path:x>"),
        ("/users/new/b", "/users/<path:x>"),
        ("/users/v1", "/users/v<int:x>"),
        ("/users/vx", "/users/<x>"),
        ("/users/1/edit", "/users/<x>/edit"),
    ],
)
@pytest.mark.parametrize("is_reversed", [False, True])
def test_priority(path: str, endpoint: str, is_reversed: bool) -> None:
    """Literals come before variables, and these go by weight, in whatever order they came."""
    rules = [
        "/users/<path:x>",
        "/users/<x>",
        "/users/<x>/edit",
        "/users/<int:x>",
        "/users/v<int:x>",
        "/users/new",
    ]
    adapter = bind(*(reversed(rules) if is_reversed else rules))
    assert adapter.match(path)[0] == endpoint


@pytest.mark.parametrize("is_reversed", [False, True])
def test_priority_of_literals(is_reversed: bool) -> None:
    """Within a segment, more literal text goes before less."""
    rules = ["/a<x>", "/ab<x>", "/<x>-<y>", "/a<x>-<y>"]
    adapter = bind(*(reversed(rules) if is_reversed else rules))
    found = {path: adapter.match(path)[0] for path in ["/az", "/abz", "/z-z", "/az-z", "/abz-z"]}
    assert list(found.values()) == ["/a<x>", "/ab<x>", "/<x>-<y>", "/a<x>-<y>", "/a<x>-<y>"]


def test_first_of_equals() -> None:
    """Among rules with the same pattern, the first that takes the method answers."""
    adapter = bind(
        Rule("/<int:x>", endpoint="post", methods=["POST"]),
        Rule("/<int:y>", endpoint="first"),
        Rule("/<int:z>", endpoint="second", methods=["GET"]),
    )
    assert adapter.match("/1", "POST")[0] == "post"
    assert adapter.match("/1", "GET") == ("first", {"y": 1})


def test_backtracking() -> None:
    """A way that leads nowhere is given up for the next one."""
    adapter = bind("/a/<int:x>/end", "/<y>/1/other", "/<path:z>/last")
    assert adapter.match("/a/1/end")[0] == "/a/<int:x>/end"
    assert adapter.match("/a/1/other") == ("/<y>/1/other", {"y": "a"})
    assert adapter.match("/a/1/last") == ("/<path:z>/last", {"z": "a/1"})


class Even(BaseConverter):
    """A converter that decides only when it converts."""

    regex = "[0-9]+"
    calls: t.ClassVar[list[str]] = []

    def to_python(self, value: str) -> int:
        self.calls.append(value)
        if int(value) % 2:
            raise ValidationError
        return int(value)


def test_refusal_is_final() -> None:
    """A value that its converter refuses is not found, though another rule would match."""
    adapter = bind("/<even:x>", "/<y>", converters={"even": Even})
    assert adapter.match("/2") == ("/<even:x>", {"x": 2})
    with pytest.raises(NotFound):
        adapter.match("/1")


def test_refusal_after_other_method() -> None:
    """Where a rule for another method came first, a refused value is its 405."""
    adapter = bind(
        Rule("/<int:x>", endpoint="post", methods=["POST"]),
        Rule("/<int(max=5):x>", endpoint="get", methods=["GET"]),
    )
    assert adapter.match("/5")[0] == "get"
    with pytest.raises(MethodNotAllowed) as caught:
        adapter.match("/6")
    assert caught.value.valid_methods == ["POST"]


def test_converter_runs_once() -> None:
    """A converter is called once per request, also if it refuses."""
    adapter = bind("/<even:x>", converters={"even": Even})
    Even.calls.clear()
    adapter.match("/2")
    with pytest.raises(NotFound):
        adapter.match("/1")
    assert Even.calls == ["2", "1"]


@pytest.mark.parametrize("error", [RequestRedirect("/there"), RoutingException("x"), KeyError(1)])
def test_converter_raises(error: Exception) -> None:
    """What a converter raises, other than that it refuses, comes out as it is."""

    class Raising(BaseConverter):
        def to_python(self, value: str) -> str:
            raise error

    adapter = bind("/<raising:x>", converters={"raising": Raising})
    with pytest.raises(type(error)) as caught:
        adapter.match("/1")
    assert caught.value is error


def test_replaced_converter() -> None:
    """A converter can take a built-in one's name, for the rules that come after it."""

    class Doubled(BaseConverter):
        regex = "[0-9]+"

        def to_python(self, value: str) -> int:
            return 2 * int(value)

    url_map = Map([Rule("/before/<int:x>", endpoint="before")])
    url_map.converters["int"] = Doubled
    url_map.add(Rule("/after/<int:x>", endpoint="after"))
    adapter = url_map.bind("example.com")
    assert adapter.match("/before/2")[1] == {"x": 2}
    assert adapter.match("/after/2")[1] == {"x": 4}


def test_subclassed_converter() -> None:
    """A subclass of a built-in converter counts, its conversion and its expression."""

    class Slug(UnicodeConverter):
        def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().__init__(*args, **kwargs)
            self.regex = "[a-z]+"

        def to_python(self, value: str) -> str:
            return value.title()

    adapter = bind("/<slug:x>", converters={"slug": Slug})
    assert adapter.match("/abc")[1] == {"x": "Abc"}
    with pytest.raises(NotFound):
        adapter.match("/ab1")


def test_converter_arguments() -> None:
    """A converter gets the arguments from the rule, by position and by name."""

    class Listed(BaseConverter):
        part_isolating = False
        regex = ".+"

        def __init__(self, map: t.Any, separator: str, limit: int = 9) -> None:
            super().__init__(map)
            self.separator, self.limit = separator, limit

        def to_python(self, value: str) -> list[str]:
            return value.split(self.separator, self.limit)

    adapter = bind("/<list('/', limit=1):x>", converters={"list": Listed})
    assert adapter.match("/a/b/c")[1] == {"x": ["a", "b/c"]}


class TestSlashes:
    """A slash at the end, or several in a row."""

    def test_missing(self) -> None:
        """A missing slash redirects, with the query and the encoding kept."""
        adapter = bind("/a b/<x>/", "/")
        assert redirect(adapter, "/a b/ü") == "http://example.com/a%20b/%C3%BC/"
        assert redirect(adapter, "") == "http://example.com/"
        url = redirect(adapter, "/a b/1", query_args={"q": "1 2"})
        assert url == "http://example.com/a%20b/1/?q=1+2"

    def test_surplus(self) -> None:
        """A slash too many is not found."""
        with pytest.raises(NotFound):
            bind("/a").match("/a/")

    def test_lenient(self) -> None:
        """Without strict_slashes, a slash at the end does not matter."""
        adapter = bind("/leaf", "/branch/", "/x/<int:x>", "/y/<int:x>/", strict_slashes=False)
        for path in ["/leaf", "/branch", "/x/1", "/y/1"]:
            assert adapter.match(path) == adapter.match(f"{path}/")

    def test_lenient_rule(self) -> None:
        """A rule can be lenient on a strict map."""
        adapter = bind(Rule("/a/", endpoint="a", strict_slashes=False), "/b/")
        assert adapter.match("/a") == ("a", {})
        assert redirect(adapter, "/b") == "http://example.com/b/"

    def test_leaf_beside_branch(self) -> None:
        """With both rules there is no redirect."""
        adapter = bind("/a", "/a/", "/<x>/b", "/<x>/b/")
        for path in ["/a", "/a/"]:
            assert adapter.match(path)[0] == path
        assert adapter.match("/1/b")[0] == "/<x>/b"

    def test_method_of_the_branch(self) -> None:
        """A slash is only asked for where the method would do."""
        adapter = bind(Rule("/a/", endpoint="a", methods=["POST"]))
        with pytest.raises(NotFound):
            adapter.match("/a", "GET")
        assert redirect(adapter, "/a", method="POST") == "http://example.com/a/"

    def test_strict_before_lenient(self) -> None:
        """The first branch for the method decides whether there is a redirect."""
        adapter = bind(
            Rule("/a/", endpoint="strict", methods=["POST"]),
            Rule("/a/", endpoint="lenient", strict_slashes=False),
        )
        assert adapter.match("/a", "GET")[0] == "lenient"
        assert redirect(adapter, "/a", method="POST") == "http://example.com/a/"

    def test_merged(self) -> None:
        """Several slashes redirect to one, if that is where a rule is."""
        adapter = bind("/a/b", "/n/<int:x>/")
        assert redirect(adapter, "/a//b") == "http://example.com/a/b"
        assert redirect(adapter, "/n//1///") == "http://example.com/n/1/"
        assert redirect(adapter, "/n//1") == "http://example.com/n/1/"
        with pytest.raises(NotFound):
            adapter.match("/a//c")

    def test_merged_around_paths(self) -> None:
        """Slashes before and after the value of a path converter are merged."""
        adapter = bind("/p/<path:x>", "/q/<path:x>/")
        assert redirect(adapter, "/p//a") == "http://example.com/p/a"
        assert redirect(adapter, "/q/a//") == "http://example.com/q/a/"

    def test_empty_segment(self) -> None:
        """An empty segment is a segment: lenient rules do not swallow it."""
        adapter = bind("/a", strict_slashes=False, merge_slashes=False)
        assert adapter.match("/a/")[0] == "/a"
        for path in ["/a//", "/a//b"]:
            with pytest.raises(NotFound):
                adapter.match(path)

    def test_beginning(self) -> None:
        """No path begins with two slashes, whatever a rule says."""

        class Word(BaseConverter):
            regex = "[a-z]*"

        rules = ["//a", "/<word:x>/b", "/<word:x>"]
        adapter = bind(*rules, merge_slashes=False, converters={"word": Word})
        assert adapter.match("//a") == ("/<word:x>", {"x": "a"})
        assert adapter.match("//b") == ("/<word:x>", {"x": "b"})
        assert adapter.match("/") == ("/<word:x>", {"x": ""})

    def test_kept_in_paths(self) -> None:
        """The value of a path converter keeps its slashes."""
        assert bind("/<path:x>").match("/a//b")[1] == {"x": "a//b"}

    def test_not_merged(self) -> None:
        """Without merge_slashes, of the map or the rule, there is no such redirect."""
        for adapter in [
            bind("/a/b", merge_slashes=False),
            bind(Rule("/a/b", endpoint="ab", merge_slashes=False)),
        ]:
            with pytest.raises(NotFound):
                adapter.match("/a//b")

    def test_slashes_in_front(self) -> None:
        """Slashes in front count as one."""
        assert bind("/a/<x>").match("//a/1")[1] == {"x": "1"}

    def test_path_and_slash(self) -> None:
        """A path converter leaves the slash at the end to its rule."""
        adapter = bind("/<path:x>/", "/f/<path:x>/edit/")
        assert adapter.match("/a/b/")[1] == {"x": "a/b"}
        assert redirect(adapter, "/a/b") == "http://example.com/a/b/"
        assert redirect(adapter, "/f/a/edit") == "http://example.com/f/a/edit/"


class TestMethods:
    """Rules for some methods only."""

    def test_head_comes_with_get(self) -> None:
        """A rule for GET answers HEAD."""
        rule = Rule("/", endpoint="a", methods=["get"])
        assert rule.methods == {"GET", "HEAD"}
        assert bind(rule).match("/", "HEAD")[0] == "a"

    def test_not_allowed(self) -> None:
        """Of all rules that match, the methods are told."""
        adapter = bind(
            Rule("/a", endpoint="a", methods=["POST"]),
            Rule("/a", endpoint="b", methods=["GET"]),
            Rule("/<x>", endpoint="c", methods=["PUT"]),
        )
        with pytest.raises(MethodNotAllowed) as caught:
            adapter.match("/a", "DELETE")
        assert caught.value.valid_methods == ["GET", "HEAD", "POST", "PUT"]
        assert list(adapter.allowed_methods("/a")) == caught.value.valid_methods
        assert list(adapter.allowed_methods("/nothing/here")) == []

    def test_falls_through(self) -> None:
        """A rule of lower priority answers for the methods that the better one does not take."""
        adapter = bind(Rule("/a", endpoint="a", methods=["POST"]), "/<x>")
        assert adapter.match("/a", "GET") == ("/<x>", {"x": "a"})

    def test_lower_case(self) -> None:
        """An adapter takes methods in lower case."""
        assert bind(Rule("/", endpoint="a", methods=["POST"])).match("/", "post")[0] == "a"

    def test_added_method(self) -> None:
        """A method that is added to a rule counts at once."""
        rule = Rule("/<x>", endpoint="a", methods=["GET"])
        adapter = bind(rule)
        with pytest.raises(MethodNotAllowed):
            adapter.match("/1", "PUT")
        assert rule.methods is not None
        rule.methods.add("PUT")
        assert adapter.match("/1", "PUT")[0] == "a"

    def test_text_for_methods(self) -> None:
        """Methods in one text are a mistake."""
        with pytest.raises(TypeError):
            Rule("/", methods="GET")


class TestWebsockets:
    """Rules for WebSockets."""

    def test_apart(self) -> None:
        """Requests find the rules of their kind."""
        adapter = bind(Rule("/a", endpoint="ws", websocket=True), Rule("/a", endpoint="http"))
        assert adapter.match("/a")[0] == "http"
        assert adapter.match("/a", websocket=True)[0] == "ws"

    def test_mismatch(self) -> None:
        """A rule of the other kind alone is an error of its own."""
        adapter = bind(Rule("/ws/<x>", endpoint="ws", websocket=True), "/http/<x>")
        with pytest.raises(WebsocketMismatch):
            adapter.match("/ws/1")
        with pytest.raises(WebsocketMismatch):
            adapter.match("/http/1", websocket=True)

    def test_scheme(self) -> None:
        """The adapter's scheme says which kind is wanted."""
        url_map = Map([Rule("/", endpoint="ws", websocket=True)])
        assert url_map.bind("example.com", url_scheme="wss").match("/")[0] == "ws"


class TestDomains:
    """Subdomains and hosts."""

    def test_subdomains(self) -> None:
        """A rule answers on its subdomain only; one with a variable after the literal ones."""
        url_map = Map(
            [
                Rule("/", subdomain="<user>", endpoint="user"),
                Rule("/", subdomain="www", endpoint="www"),
                Rule("/", endpoint="bare"),
                Rule("/<int:x>", subdomain="<user>", endpoint="number"),
            ]
        )
        found = {
            domain: url_map.bind("example.com", subdomain=domain).match("/")
            for domain in ["", "www", "ann"]
        }
        assert found == {"": ("bare", {}), "www": ("www", {}), "ann": ("user", {"user": "ann"})}
        adapter = url_map.bind("example.com", subdomain="www")
        assert adapter.match("/3") == ("number", {"user": "www", "x": 3})

    def test_default_subdomain(self) -> None:
        """Rules without a subdomain have the map's."""
        url_map = Map([Rule("/", endpoint="a")], default_subdomain="www")
        assert url_map.bind("example.com").match("/")[0] == "a"
        with pytest.raises(NotFound):
            url_map.bind("example.com", subdomain="").match("/")

    def test_hosts(self) -> None:
        """With host_matching, the host decides, its port too."""
        url_map = Map(
            [
                Rule("/", host="a.example:8080", endpoint="a"),
                Rule("/<x>", host="<name>.org", endpoint="b"),
                Rule("/", endpoint="nowhere"),
            ],
            host_matching=True,
        )
        assert url_map.bind("A.example:8080").match("/")[0] == "a"
        assert url_map.bind("b.org").match("/1") == ("b", {"name": "b", "x": "1"})
        with pytest.raises(NotFound):
            url_map.bind("example.com").match("/")

    def test_domain_without_match(self) -> None:
        """No rule answers for a domain with slashes in its pattern."""
        url_map = Map([Rule("/", subdomain="<path:x>", endpoint="a")])
        with pytest.raises(NotFound):
            url_map.bind("example.com", subdomain="a").match("/")


class TestRedirects:
    """Rules that lead to other rules."""

    def test_default(self) -> None:
        """The URL without its default value is the right one."""
        adapter = bind(
            Rule("/all/", defaults={"page": 1}, endpoint="all"),
            Rule("/all/page/<int:page>", endpoint="all"),
        )
        assert adapter.match("/all/") == ("all", {"page": 1})
        assert adapter.match("/all/page/2") == ("all", {"page": 2})
        assert redirect(adapter, "/all/page/1") == "http://example.com/all/"

    def test_default_added_later(self) -> None:
        """A default also counts for the older rules of its endpoint."""
        url_map = Map([Rule("/all/page/<int:page>", endpoint="all")])
        adapter = url_map.bind("example.com")
        assert adapter.match("/all/page/1") == ("all", {"page": 1})
        url_map.add(Rule("/all/", defaults={"page": 1}, endpoint="all"))
        assert redirect(adapter, "/all/page/1") == "http://example.com/all/"

    def test_no_default_redirect(self) -> None:
        """A map can do without these redirects."""
        adapter = bind(
            Rule("/all/", defaults={"page": 1}, endpoint="all"),
            Rule("/all/<int:page>", endpoint="all"),
            Rule("/every/", defaults={"page": 1}, endpoint="all", alias=True),
            redirect_defaults=False,
        )
        assert adapter.match("/all/1") == ("all", {"page": 1})
        assert adapter.match("/every/") == ("all", {"page": 1})

    def test_alias(self) -> None:
        """An alias redirects to the endpoint's URL, with the query."""
        adapter = bind(
            Rule("/users/<int:x>", endpoint="user"),
            Rule("/u-<int:x>", endpoint="user", alias=True),
        )
        assert redirect(adapter, "/u-3", query_args="a=1") == "http://example.com/users/3?a=1"

    def test_target(self) -> None:
        """redirect_to has placeholders, or is called with the adapter and the values."""
        adapter = bind(
            Rule("/old/<int:x>", redirect_to="new/<x>"),
            Rule("/called/<x>", redirect_to=lambda adapter, x: f"/{x}@{adapter.server_name}"),
            Rule("/plain", redirect_to="http://other.example/"),
        )
        assert redirect(adapter, "/old/3") == "http://example.com/new/3"
        assert redirect(adapter, "/called/a") == "http://example.com/a@example.com"
        assert redirect(adapter, "/plain") == "http://other.example/"

    def test_script_name(self) -> None:
        """Redirects stay below the application's root, on its subdomain and scheme."""
        url_map = Map([Rule("/a/", endpoint="a"), Rule("/b", redirect_to="a/")])
        adapter = url_map.bind("example.com", "/app", url_scheme="https")
        assert redirect(adapter, "/a") == "https://example.com/app/a/"
        assert redirect(adapter, "/b") == "https://example.com/app/a/"

    def test_adapter_query(self) -> None:
        """Redirects keep the adapter's query."""
        adapter = Map([Rule("/a/", endpoint="a")]).bind("example.com", query_args="q=1")
        assert redirect(adapter, "/a") == "http://example.com/a/?q=1"


def test_build_only() -> None:
    """A rule for building only does not match."""
    adapter = bind(Rule("/a/<x>", endpoint="a", build_only=True))
    with pytest.raises(NotFound):
        adapter.match("/a/1")
    assert adapter.build("a", {"x": 1}) == "/a/1"


def test_line_breaks() -> None:
    """A line break is a character of a segment, and does not end the path."""
    adapter = bind("/hello", "/s/<x>", "/p/<path:x>")
    assert adapter.match("/s/a\nb")[1] == {"x": "a\nb"}
    for path in ["/hello\n", "/p/a\nb"]:
        with pytest.raises(NotFound):
            adapter.match(path)


def test_adapter_tells() -> None:
    """test() says whether a path matches, redirects included."""
    adapter = bind("/a/", Rule("/b", endpoint="b", methods=["POST"]))
    assert [adapter.test(path) for path in ["/a/", "/a", "/b", "/c"]] == [True, True, False, False]


def test_return_rule() -> None:
    """match() gives the rule where it is asked to."""
    rule = Rule("/<x>", endpoint="a")
    found, values = bind(rule).match("/1", return_rule=True)
    assert found is rule
    assert values == {"x": "1"}
