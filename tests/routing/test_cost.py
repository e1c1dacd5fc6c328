"""What matching costs: it does not grow with the number of routes."""

from __future__ import annotations

import gc
import sys
import typing as t

import pytest

from erlen.routing import BaseConverter, Map, Rule

TARGETS = [
    Rule("/about/us", endpoint="static", methods=["GET"]),
    Rule("/users/<int:id>/posts/<slug>", endpoint="dynamic", methods=["GET"]),
    Rule("/assets/<path:name>", endpoint="path", methods=["GET"]),
    Rule("/items/<uuid:id>", endpoint="checked", methods=["GET"]),
    Rule("/three/<a>/<b>/<c>", endpoint="three", methods=["GET"]),
    Rule("/either/<int:id>", endpoint="number", methods=["GET"]),
    Rule("/either/<name>", endpoint="second", methods=["GET"]),
]
PATHS = {
    "static": "/about/us",
    "dynamic": "/users/42/posts/hello",
    "path": "/assets/css/site.css",
    "checked": "/items/2b5b0911-fdcf-4dd2-921b-28ace88db8a0",
    "three": "/three/1/2/3",
    "second": "/either/name",
    "missing": "/users/42/nothing/here",
    "slash": "/about",
}


def make_map(count: int) -> Map:
    """Return a map of the targets amid other rules, of which some share their segments."""
    rules = [rule.empty() for rule in TARGETS]
    shapes = [
        "/section{}/list",
        "/section{}/<int:id>",
        "/users/<int:id>/kind{}",
        "/area/thing{}/<int:id>/edit",
        "/users/<int:id>/posts/<slug>/part{}",
        "/assets/part{}/<path:name>",
    ]
    for number in range(count):
        text = shapes[number % len(shapes)].format(number)
        rules.append(Rule(text, endpoint=f"e{number}", methods=["GET", "POST"]))
    return Map([*rules, Rule("/about/", endpoint="branch")])


def count_calls(call: t.Callable[[], t.Any]) -> int:
    """Return how many Python functions a call runs, itself not counted."""
    count = 0

    def profile(frame: t.Any, event: str, argument: t.Any) -> None:
        nonlocal count
        count += event == "call"

    # What the garbage collector finds in the meantime may call functions of its own.
    gc.disable()
    sys.setprofile(profile)
    try:
        call()
    except Exception:
        pass
    finally:
        sys.setprofile(None)
        gc.enable()
    return count - 1


@pytest.fixture(scope="module")
def small() -> Map:
    """A map of few rules."""
    return make_map(10)


@pytest.fixture(scope="module")
def large() -> Map:
    """A map of many rules."""
    return make_map(10_000)


#: Python calls of one lookup, itself included. Raise a number knowingly.
CALLS = {
    "static": 1,
    "dynamic": 1,
    "path": 2,
    "three": 1,
    "second": 2,
}


#: Python calls to add a rule to a map and to compile it.
CALLS_TO_BUILD = 55


@pytest.mark.parametrize("name", PATHS)
def test_calls(name: str, small: Map, large: Map) -> None:
    """A lookup makes as many Python calls among 10,000 rules as among 10."""

    def look(url_map: Map) -> int:
        for _ in range(2):  # the first one compiles
            count = count_calls(lambda: url_map.lookup(PATHS[name], "GET"))
        return count

    assert look(large) == look(small)
    if name in CALLS:
        assert look(large) <= CALLS[name]


def test_tried_converters() -> None:
    """Converters of rules elsewhere in the tree are not tried."""
    tried: list[str] = []

    class Counted(BaseConverter):
        def to_python(self, value: str) -> str:
            tried.append(value)
            return value

    rules = [Rule(f"/s{number}/<counted:x>", endpoint=str(number)) for number in range(1000)]
    url_map = Map(rules, converters={"counted": Counted})
    assert url_map.lookup("/s7/a", "GET")[0].endpoint == "7"
    assert tried == ["a"]


def test_adapter_calls(large: Map) -> None:
    """An adapter for a request reads a few values, each by a call or two."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": PATHS["dynamic"], "wsgi.url_scheme": "http"}

    def match() -> None:
        large.adapt(environ, subdomain="").match(return_rule=True)

    match()  # the first one compiles
    assert count_calls(match) <= 17


def test_building_a_large_map() -> None:
    """Adding and compiling a rule takes as many calls among 10,000 as among 1,000."""

    def calls_per_rule(count: int) -> float:
        rules = [Rule(f"/s{number}/<int:id>/<x>", endpoint=str(number)) for number in range(count)]

        def build() -> None:
            Map(rules).lookup("/s7/1/a", "GET")

        return count_calls(build) / count

    calls_per_rule(10)  # what is made once
    assert calls_per_rule(10_000) <= calls_per_rule(1_000) <= CALLS_TO_BUILD
