"""The map as an object that applications and extensions work with."""

from __future__ import annotations

import gc
import sys
import threading
import typing as t
import weakref

import pytest
import werkzeug.routing
from werkzeug.exceptions import BadHost, NotFound
from werkzeug.test import create_environ
from werkzeug.wrappers import Request

import erlen.routing
from erlen.routing import (
    BaseConverter,
    EndpointPrefix,
    Map,
    MapAdapter,
    RequestAliasRedirect,
    RequestPath,
    RequestRedirect,
    Rule,
    RuleFactory,
    RuleRedirect,
    RuleTemplate,
    Subdomain,
    Submount,
)


def match(url_map: werkzeug.routing.Map, path: str, **options: t.Any) -> t.Any:
    """Match a path on the map's default domain."""
    return url_map.bind("example.com").match(path, **options)


def test_is_werkzeugs() -> None:
    """Whoever asks for Werkzeug's classes gets ours."""
    url_map = Map()
    adapter = url_map.bind("example.com")
    assert isinstance(url_map, werkzeug.routing.Map)
    assert isinstance(adapter, werkzeug.routing.MapAdapter)
    assert isinstance(Rule("/"), werkzeug.routing.Rule)
    for name, converter in Map.default_converters.items():
        assert issubclass(converter, werkzeug.routing.Map.default_converters[name])
    for name in ["BuildError", "RequestRedirect", "ValidationError", "RuleFactory"]:
        assert getattr(erlen.routing, name) is getattr(werkzeug.routing, name)


def test_names() -> None:
    """What Werkzeug's module has, ours has, its matcher aside."""
    names = {name for name in vars(werkzeug.routing) if name[0].isupper()}
    assert names - set(vars(erlen.routing)) == {"StateMachineMatcher"}


def test_attributes() -> None:
    """The map keeps its settings and its rules under Werkzeug's names."""
    index, user = Rule("/", endpoint="index"), Rule("/users/<x>", endpoint="user")
    url_map = Map([user, index], default_subdomain="www", strict_slashes=False, merge_slashes=False)
    assert (url_map.default_subdomain, url_map.strict_slashes) == ("www", False)
    assert url_map.merge_slashes is False
    assert url_map._rules == [user, index]
    assert list(url_map.iter_rules("index")) == [index]
    assert url_map._rules_by_endpoint["user"] == [user]
    assert url_map.is_endpoint_expecting("user", "x")
    assert not url_map.is_endpoint_expecting("user", "x", "y")
    assert repr(url_map) == "Map([<Rule 'www|/users/<x>' -> user>, <Rule 'www|/' -> index>])"


def test_rule_attributes() -> None:
    """A rule has what it was made from, what its map added, and what it was found to need."""
    rule = Rule("/a/<int:x>/", defaults={"y": 1}, endpoint="a", methods=["POST"])
    assert (rule.arguments, rule.is_leaf, rule.is_branch) == ({"y"}, False, True)
    assert repr(rule) == "<Rule (unbound)>"
    Map([rule], strict_slashes=False)
    assert rule.arguments == {"x", "y"}
    assert (rule.strict_slashes, rule.merge_slashes, rule.subdomain) == (False, True, "")
    assert list(rule._converters) == ["x"]
    assert repr(rule) == "<Rule '/a/<x>/' (POST) -> a>"
    assert str(rule) == "/a/<int:x>/"


def test_rules_compare() -> None:
    """Rules are equal that have the same pattern."""
    same, other = Rule("/<x>"), Rule("/<y>")
    rule = Rule("/<x>")
    Map([rule, same, other])
    assert rule == same
    assert rule != other
    with pytest.raises(TypeError):
        hash(rule)


def test_bound_once() -> None:
    """A rule belongs to one map; an empty copy goes into another."""
    rule = Rule("/a", endpoint="a", websocket=True, merge_slashes=False)
    Map([rule])
    with pytest.raises(RuntimeError, match="already bound"):
        Map([rule])
    copy = rule.empty()
    Map([copy])
    assert (copy.endpoint, copy.websocket, copy.merge_slashes) == ("a", True, False)


@pytest.mark.parametrize("text", ["/<int()>", "/<a", "/<1x>", "/<a:b:c>", "/a<>b", "/<a(:x>"])
def test_malformed(text: str) -> None:
    """A malformed rule is refused when it is added, by name."""
    with pytest.raises(ValueError, match="malformed url rule: '/"):
        Map([Rule(text)])


def test_mistakes() -> None:
    """Mistakes in rules show when they are made or added."""
    with pytest.raises(ValueError, match="must start with a slash"):
        Rule("a")
    with pytest.raises(ValueError, match="two variables of the name 'x'"):
        Map([Rule("/<x>/<x>")])
    with pytest.raises(LookupError, match="'nope' does not exist"):
        Map([Rule("/<nope:x>")])


def test_bad_expression() -> None:
    """A regular expression that does not compile is refused with its converter's name."""

    class Broken(BaseConverter):
        regex = "(["

    with pytest.raises(ValueError, match="the converter of <x>, Broken"):
        Map([Rule("/<broken:x>")], converters={"broken": Broken})


@pytest.mark.parametrize("expression", ["(?P<name>a)", "(?i)a"])
def test_expressions_together(expression: str) -> None:
    """Expressions that only work alone are refused in a segment of several variables."""

    class Own(BaseConverter):
        regex = expression

    url_map = Map([Rule("/<own:x>/<own:y>", endpoint="a")], converters={"own": Own})
    with pytest.raises(ValueError, match="in '/b/<own:x>-<own:y>' do not compile together"):
        url_map.add(Rule("/b/<own:x>-<own:y>", endpoint="b"))
    assert match(url_map, "/a/a") == ("a", {"x": "a", "y": "a"})


def test_added_after_match() -> None:
    """Rules that are added later count at the next match, with their priority."""
    url_map = Map([Rule("/<x>", endpoint="any")])
    assert match(url_map, "/a")[0] == "any"
    url_map.add(Rule("/a", endpoint="literal"))
    assert match(url_map, "/a")[0] == "literal"
    url_map.add(Rule("/<int:x>", endpoint="number"))
    assert match(url_map, "/1")[0] == "number"
    assert match(url_map, "/b")[0] == "any"
    assert url_map.bind("example.com").build("number", {"x": 1}) == "/1"


def test_better_rule_added() -> None:
    """A rule that is added takes over from one that only answered for its path leniently."""
    url_map = Map([Rule("/a/", endpoint="branch")], strict_slashes=False)
    assert match(url_map, "/a")[0] == "branch"
    url_map.add(Rule("/a", endpoint="leaf"))
    assert match(url_map, "/a")[0] == "leaf"


def test_refresh() -> None:
    """A rule that was changed counts as changed after refresh()."""
    rule = Rule("/a/<x>", endpoint="a", methods=["GET", "POST"])
    url_map = Map([rule, Rule("/c", endpoint="c")])
    adapter = url_map.bind("example.com")
    assert adapter.match("/a/1", "POST")[0] == "a"
    assert adapter.build("a", {"x": 1}) == "/a/1"
    rule.rule = "/b/<int:y>"
    rule.refresh()
    assert adapter.match("/b/1") == ("a", {"y": 1})
    assert adapter.build("a", {"y": 1}) == "/b/1"
    assert repr(rule).startswith("<Rule '/b/<y>'")
    assert adapter.match("/c")[0] == "c"
    with pytest.raises(NotFound):
        adapter.match("/a/1")


def test_refresh_build_only() -> None:
    """A rule that only builds is changed like any other."""
    rule = Rule("/a", endpoint="a", build_only=True)
    adapter = Map([rule]).bind("example.com")
    assert adapter.build("a") == "/a"
    rule.rule = "/b"
    rule.refresh()
    assert adapter.build("a") == "/b"
    with pytest.raises(NotFound):
        adapter.match("/b")


def test_factories() -> None:
    """Factories put their rules below a path, a subdomain or a name."""
    resource = RuleTemplate([Rule("/$name/<int:id>", endpoint="$name", methods=["GET"])])
    url_map = Map(
        [
            Submount("/blog", [EndpointPrefix("blog.", [Rule("/<slug>", endpoint="post")])]),
            Subdomain("api", [Rule("/", endpoint="api", websocket=True)]),
            resource(name="user"),
        ]
    )
    assert match(url_map, "/blog/a") == ("blog.post", {"slug": "a"})
    assert match(url_map, "/user/1") == ("user", {"id": 1})
    adapter = url_map.bind("example.com", subdomain="api")
    assert adapter.match("/", websocket=True)[0] == "api"
    assert {type(rule) for rule in url_map.iter_rules()} == {Rule}


def test_foreign_rules() -> None:
    """Werkzeug's own rules, and factories of them, work in our map."""

    class Foreign(RuleFactory):
        def get_rules(self, map: werkzeug.routing.Map) -> t.Iterator[werkzeug.routing.Rule]:
            yield werkzeug.routing.Rule("/f/<int:x>", endpoint="f", methods=["GET"])
            yield werkzeug.routing.Rule("/<path:x>/g/", endpoint="g")

    url_map = Map([Foreign(), werkzeug.routing.Rule("/s", endpoint="s")])
    assert match(url_map, "/f/3") == ("f", {"x": 3})
    assert match(url_map, "/a/b/g/") == ("g", {"x": "a/b"})
    assert match(url_map, "/s") == ("s", {})
    assert url_map.bind("example.com").build("f", {"x": 3, "q": 1}) == "/f/3?q=1"


def test_in_foreign_map() -> None:
    """Our rules work in Werkzeug's map."""
    url_map = werkzeug.routing.Map([Rule("/a/<int:x>", endpoint="a"), Rule("/b", endpoint="b")])
    assert match(url_map, "/a/1") == ("a", {"x": 1})
    assert match(url_map, "/b") == ("b", {})
    assert url_map.bind("example.com").build("a", {"x": 1}) == "/a/1"


def test_subclasses() -> None:
    """Overridden methods of maps and rules are called."""

    class OwnRule(Rule):
        def get_converter(self, *args: t.Any) -> BaseConverter:
            converter = super().get_converter(*args)
            converter.to_python = lambda value: f"<{value}>"  # type: ignore[method-assign]
            return converter

        def suitable_for(self, *args: t.Any) -> bool:
            return False

    class OwnMap(Map):
        def lookup(self, *args: t.Any, **options: t.Any) -> t.Any:
            rule, values = super().lookup(*args, **options)
            return rule, {**values, "seen": True}

    url_map = OwnMap([OwnRule("/<x>", endpoint="a")])
    assert match(url_map, "/1") == ("a", {"x": "<1>", "seen": True})
    with pytest.raises(werkzeug.routing.BuildError):
        url_map.bind("example.com").build("a", {"x": 1})


class TestLookup:
    """The way of a request without an adapter."""

    def test_found(self) -> None:
        """It gives the rule itself, and the values."""
        rule = Rule("/users/<int:x>", endpoint="a")
        url_map = Map([rule], default_subdomain="www")
        assert url_map.lookup("/users/1", "GET", "www") == (rule, {"x": 1})
        with pytest.raises(NotFound):
            url_map.lookup("/users/1", "GET")

    def test_signals(self) -> None:
        """What an adapter would redirect is a signal."""
        url_map = Map(
            [
                Rule("/a/", endpoint="a"),
                Rule("/b", endpoint="a", alias=True),
                Rule("/c/<x>", redirect_to="a"),
            ]
        )
        with pytest.raises(RequestPath) as path:
            url_map.lookup("/a", "GET")
        assert path.value.path_info == "/a/"
        with pytest.raises(RequestAliasRedirect):
            url_map.lookup("/b", "GET")
        with pytest.raises(RuleRedirect) as rule:
            url_map.lookup("/c/1", "GET")
        assert rule.value.values == {"x": "1"}

    def test_odd_paths(self) -> None:
        """A path may lack its slash, or have several."""
        url_map = Map([Rule("/a/<x>", endpoint="a"), Rule("/", endpoint="b")])
        for path in ["/a/1", "a/1", "//a/1"]:
            assert url_map.lookup(path, "GET")[1] == {"x": "1"}
        assert url_map.lookup("//", "GET")[0].endpoint == "b"


class TestBind:
    """Adapters for a server."""

    def test_server_name(self) -> None:
        """A name is kept in lower case and IDNA, its port beside it."""
        url_map = Map()
        assert url_map.bind("Example.COM:80").server_name == "example.com:80"
        assert url_map.bind("☃.example.com").server_name == "xn--n3h.example.com"
        assert url_map.bind(f"{'a' * 63}:8443").server_name == f"{'a' * 63}:8443"
        for name in ["a..b", ".a", "a" * 64, "ü" * 64]:
            with pytest.raises(BadHost):
                url_map.bind(name)

    def test_host_and_subdomain(self) -> None:
        """A map that matches hosts has no subdomains."""
        url_map = Map(host_matching=True)
        with pytest.raises(RuntimeError, match="matches hosts"):
            url_map.bind("a", subdomain="b")
        with pytest.raises(RuntimeError, match="matches hosts"):
            url_map.bind_to_environ(create_environ(), subdomain="b")
        assert url_map.bind_to_environ(create_environ(base_url="http://a.b")).domain == "a.b"

    def test_without_subdomain(self) -> None:
        """An adapter without a subdomain matches its server name."""
        url_map = Map([Rule("/", endpoint="a", subdomain="example.com")])
        adapter = MapAdapter(url_map, "example.com", "/", None, "http", "/", "GET")
        assert adapter.match() == ("a", {})

    def test_dispatch(self) -> None:
        """dispatch() calls the view, or gives the redirect as a response."""
        adapter = Map([Rule("/a/", endpoint="a")]).bind("example.com")
        called: list[t.Any] = []

        def view(endpoint: str, values: t.Mapping[str, t.Any]) -> t.Any:
            called.append((endpoint, values))

        adapter.dispatch(view, "/a/")
        assert isinstance(adapter.dispatch(view, "/a"), RequestRedirect)
        assert isinstance(adapter.dispatch(view, "/b", catch_http_exceptions=True), NotFound)
        assert called == [("a", {})]


class TestEnviron:
    """Adapters for a request."""

    def test_all(self) -> None:
        """Everything comes from the environment."""
        environ = create_environ(
            "/ü/x?q=1", "https://www.example.com/app", method="POST", data={"a": "b"}
        )
        adapter = Map().bind_to_environ(environ, "example.com")
        assert (adapter.server_name, adapter.subdomain) == ("example.com", "www")
        assert (adapter.script_name, adapter.path_info) == ("/app/", "/ü/x")
        assert (adapter.url_scheme, adapter.default_method) == ("https", "POST")
        assert (adapter.query_args, adapter.websocket) == ("q=1", False)

    def test_request(self) -> None:
        """An object with an environ does in its place."""
        request = Request(create_environ("/a"))
        assert Map([Rule("/a", endpoint="a")]).bind_to_environ(request).match()[0] == "a"

    def test_bare(self) -> None:
        """What the environment lacks has defaults."""
        environ = {
            "wsgi.url_scheme": "http",
            "SERVER_NAME": "a.b",
            "SERVER_PORT": "80",
            "REQUEST_METHOD": "GET",
        }
        adapter = Map().bind_to_environ(environ)
        assert (adapter.script_name, adapter.path_info, adapter.query_args) == ("/", "/", None)

    @pytest.mark.parametrize(
        ("connection", "upgrade", "scheme"),
        [
            ("Upgrade", "websocket", "ws"),
            ("keep-alive, upgrade", "WebSocket", "ws"),
            ("keep-alive", "websocket", "http"),
            ("upgrade", "h2c", "http"),
        ],
    )
    def test_websocket(self, connection: str, upgrade: str, scheme: str) -> None:
        """A request to become a WebSocket has that scheme."""
        headers = {"Connection": connection, "Upgrade": upgrade}
        adapter = Map().bind_to_environ(create_environ(headers=headers))
        assert (adapter.url_scheme, adapter.websocket) == (scheme, scheme == "ws")
        environ = create_environ(base_url="https://a", headers=headers)
        assert Map().bind_to_environ(environ).url_scheme == scheme.replace("http", "https").replace(
            "ws", "wss"
        )

    @pytest.mark.parametrize(
        ("base", "name"),
        [
            ("http://a.org", "A.org:80"),
            ("https://a.org", "a.org:443"),
            ("http://a.org:8080", "a.org:8080"),
        ],
    )
    def test_port(self, base: str, name: str) -> None:
        """The scheme's own port does not count."""
        assert Map().bind_to_environ(create_environ(base_url=base), name).subdomain == ""

    @pytest.mark.filterwarnings("default")
    def test_other_host(self) -> None:
        """A host that is not below the server's name has no valid subdomain."""
        environ = create_environ(base_url="http://other.org")
        with pytest.warns(UserWarning, match="doesn't match") as caught:
            adapter = Map([Rule("/", endpoint="a")]).bind_to_environ(environ, "example.com")
        assert caught[0].filename == __file__
        assert adapter.subdomain == "<invalid>"
        with pytest.raises(NotFound):
            adapter.match()

    def test_bad_host(self) -> None:
        """A host that cannot be one is an error where it is needed."""
        environ = create_environ()
        environ["HTTP_HOST"] = "a..b"
        url_map = Map([Rule("/", endpoint="a")])
        with pytest.raises(BadHost):
            url_map.bind_to_environ(environ)
        assert url_map.adapt(environ, subdomain="").match() == ("a", {})

    def test_lazy(self) -> None:
        """An adapter from adapt() reads nothing that it does not need."""

        class Watched(dict[str, t.Any]):
            def __getitem__(self, key: str) -> t.Any:
                read.add(key)
                return super().__getitem__(key)

            def get(self, key: str, default: t.Any = None) -> t.Any:
                read.add(key)
                return super().get(key, default)

        read: set[str] = set()
        url_map = Map([Rule("/a/<x>", endpoint="a"), Rule("/b/", endpoint="b")])
        adapter = url_map.adapt(Watched(create_environ("/a/1")), subdomain="")
        assert adapter.match() == ("a", {"x": "1"})
        assert "HTTP_HOST" not in read
        assert not {"SERVER_NAME", "SCRIPT_NAME", "QUERY_STRING"} & read

    def test_same_lazy(self) -> None:
        """adapt() and bind_to_environ() give the same."""
        url_map = Map([Rule("/a/<x>", endpoint="a"), Rule("/b/", endpoint="b", methods=["GET"])])
        for path in ["/a/1", "/a/é", "/b", "/b/?q=1", "/c", ""]:
            environ = create_environ(path, "http://example.com/app/")
            outcomes = []
            for adapter in [url_map.adapt(environ, subdomain=""), url_map.bind_to_environ(environ)]:
                try:
                    outcomes.append(repr(adapter.match()))
                except Exception as error:
                    outcomes.append(repr(error))
                outcomes.append(adapter.build("b", force_external=True))
            assert outcomes[:2] == outcomes[2:]

    def test_set_attributes(self) -> None:
        """What is set on an adapter counts for its matches."""
        url_map = Map([Rule("/a", endpoint="a", methods=["POST"])])
        adapter = url_map.adapt(create_environ("/b"), subdomain="")
        adapter.path_info = "/a"
        adapter.default_method = "POST"
        assert adapter.match() == ("a", {})


def test_threads() -> None:
    """Threads that match while rules are added find what was there before, each time."""
    url_map = Map([Rule(f"/r{number}/<int:x>", endpoint=str(number)) for number in range(50)])
    errors: list[BaseException] = []
    done = threading.Event()

    def look() -> None:
        try:
            while not done.is_set():
                for number in range(50):
                    rule, values = url_map.lookup(f"/r{number}/3", "GET")
                    assert (rule.endpoint, values) == (str(number), {"x": 3})
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=look) for _ in range(4)]
    try:
        for thread in threads:
            thread.start()
        for number in range(50):
            url_map.add(Rule(f"/r{number}/<x>", endpoint="text"))
            url_map.add(Rule(f"/r{number}/<int:x>/more", endpoint="more"))
            url_map.add(Rule(f"/s{number}", endpoint=str(number), defaults={"y": 1}))
    finally:
        done.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    assert errors == []
    assert url_map.lookup("/r49/abc", "GET")[0].endpoint == "text"


def test_collected() -> None:
    """A map that is no longer used goes away with its rules."""
    url_map = Map([Rule("/<x>", endpoint="a")])
    match(url_map, "/1")
    alive = weakref.ref(url_map)
    del url_map
    gc.collect()
    assert alive() is None
