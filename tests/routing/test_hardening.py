"""No path costs much, or raises anything but the exceptions of routing."""

from __future__ import annotations

import re
import time
import typing as t
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.test import create_environ

from erlen.routing import Map, RoutingException, Rule
from erlen.routing.parts import MAX_STEPS
from erlen.routing.spans import Content, spans_of

from .strategies import UUID_TEXT

BOUNDED = settings(max_examples=300, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("placeholder", "text"),
    [
        ("int", "\u0663"),
        ("int", "\uff11\uff12"),
        ("int", "²"),
        ("int", "9" * 129),
        ("int(signed=True)", "-" + "9" * 128),
        ("float", "\u0661.\u0665"),
        ("float", "9" * 400 + ".0"),
        ("float", "0." + "0" * 127),
    ],
)
@pytest.mark.parametrize("shape", ["/<{}:x>", "/v<{}:x>", "/p/<{}:x>/<path:y>"])
def test_numbers(placeholder: str, text: str, shape: str) -> None:
    """Numbers have ASCII digits, and not more of them than anyone needs."""
    adapter = Map([Rule(shape.format(placeholder), endpoint="a")]).bind("example.com")
    path = re.sub("<path.*?>", "y", shape).replace("<{}:x>", "{}").format(text)
    with pytest.raises(NotFound):
        adapter.match(path)


def test_too_long_for_all() -> None:
    """A number that is too long does not become the text of another rule."""
    rules = [Rule("/<int:x>", endpoint="a"), Rule("/<x>", endpoint="b")]
    adapter = Map(rules).bind("example.com")
    assert adapter.match("/x1")[0] == "b"
    with pytest.raises(NotFound):
        adapter.match(f"/{'9' * 129}")


def test_longest_number() -> None:
    """256 bits fit, and a rule that fixes its digits may have more."""
    longest = Rule("/n/<int(fixed_digits=200):x>", endpoint="b")
    adapter = Map([Rule("/<int:x>", endpoint="a"), longest]).bind("example.com")
    assert adapter.match(f"/{2**256}")[1] == {"x": 2**256}
    assert adapter.match(f"/n/{'9' * 200}")[1] == {"x": int("9" * 200)}


SIX_KB = 6 * 1024


@pytest.mark.parametrize(
    ("rule", "unit"),
    [
        ("/<path:a>/x/<path:b>/y/<path:c>/z", "/x/y"),
        ("/<path:a>/<path:b>/<path:c>", "a/"),
        ("/<path:a>/x/<path:b>/x/<path:c>!", "/x"),
        ("/<path:a>.<b>.<c>.<d>!", "."),
        ("/<a>-<b>-<c>-<d>!", "-"),
        ("/<path:a>/<int:b>/<path:c>/<float:d>/<path:e>!", "/1/1.0"),
        ("/<path:a>/<uuid:b>/<path:c>/<any(x,xx):d><path:e>!", "/x"),
        ("/<path:a>\nx/<path:b>\nx/<path:c>!", "\nx/"),
        ("/<path:a>/", "/"),
        ("/<path:a>.json", ".json"),
        ("/<path:a>/<path:b>/", "a//"),
    ],
)
def test_many_ways(rule: str, unit: str) -> None:
    """Variables that could split a long path in millions of ways take milliseconds."""
    url_map = Map([Rule(rule, endpoint="a"), Rule(f"{rule}/more/<path:z>", endpoint="b")])
    path = "/" + (unit * SIX_KB)[:SIX_KB]
    started = time.process_time()
    for ending in ["", "!", "/", "\n"]:
        try:
            url_map.lookup(path + ending, "GET")
        except (NotFound, RoutingException):
            pass
    # Some 40 ms, on however busy a machine far below this. Trying all ways takes minutes.
    assert time.process_time() - started < 20


def test_long_match_of_all_kinds() -> None:
    """Each built-in converter finds its place in a long path too."""
    rule = Rule(
        "/<path:a>/<uuid:b>/<any(x, xx):c>/<float:d>/<string(length=2):e>/<path:f>", endpoint="a"
    )
    values = Map([rule]).lookup(f"/{'p/' * 999}{UUID_TEXT}/xx/1.5/ab/end", "GET")[1]
    assert values.pop("a") == "p/" * 998 + "p"
    expected = {"b": UUID(UUID_TEXT), "c": "xx", "d": 1.5, "e": "ab", "f": "end"}
    assert values == expected


def test_long_match() -> None:
    """A long path is split as a short one is."""
    url_map = Map([Rule("/<path:a>/x/<path:b>/<int:c>", endpoint="a")])
    middle = "m/" * 3000
    assert url_map.lookup(f"/start/x/{middle}end/7", "GET")[1] == {
        "a": "start",
        "b": f"{middle}end",
        "c": 7,
    }


CONTENT_REGEXES = [
    "[^/].*?",
    "[^/]{1,}",
    "[^/]+",
    "[^/]{2}",
    "[^/]{2,3}",
    "[0-9]+",
    "-?[0-9]+",
    r"[0-9]+\.[0-9]+",
    r"-?[0-9]+\.[0-9]+",
    r"(?:a|ab|\.|\-x|)",
    "[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}",
]

CONTENTS: st.SearchStrategy[Content] = st.lists(
    st.sampled_from(["/", "-", "a", "/x/", "."])
    | st.sampled_from(CONTENT_REGEXES).map(lambda regex: (regex,)),
    min_size=1,
    max_size=6,
).map(lambda items: tuple(items))

PIECES = ["a", "ab", "x", "/", "//", "-", ".", "1", "23", "1.5", "\n", "é", UUID_TEXT]


@settings(BOUNDED, max_examples=1000)
@given(CONTENTS, st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_spans(content: Content, text: str) -> None:
    """Spans split a text as the regular expression does."""
    spans = spans_of(content)
    assert spans is not None
    regex = "".join(re.escape(i) if isinstance(i, str) else f"({i[0]})" for i in content)
    found = re.fullmatch(regex, text)
    assert spans.match(text) == (None if found is None else list(found.groups()))


@pytest.mark.parametrize("regex", ["[a-z]+", r"\d+", "(?:a|b+)", "(?:a|(b))", r"(?:\d|a)", "."])
def test_unknown_expressions(regex: str) -> None:
    """An expression that is none of the built-in converters' is left to re."""
    assert spans_of(((regex,), "/", (regex,))) is None


def test_both_ways_agree() -> None:
    """The length at which spans take over makes no difference."""
    rule = Rule("/<path:a>/x/<path:b>", endpoint="a")
    url_map = Map([rule])
    for length in [1, round(MAX_STEPS**0.5), 1000]:
        values = url_map.lookup(f"/a/x/{'b/x/' * length}c", "GET")[1]
        assert values == {"a": "a", "b": f"{'b/x/' * length}c"}


RULES = [
    "/",
    "/a/<b>",
    "/int/<int:x>/",
    "/float/<float(signed=True):x>",
    "/uuid/<uuid:x>",
    "/any/<any(a,b):x>",
    "/len/<string(minlength=2, maxlength=4):x>",
    "/path/<path:x>",
    "/path/<path:x>/<int:y>/",
    "/<a>-<b>/<c>.<int:d>",
]
BYTES = st.binary(max_size=40) | st.lists(
    st.sampled_from(
        [b"/", b"a", b"1", b"\xff", b"\0", b"\n", b"%", b"-", b".", b"\xd9\xa3", b"//"]
    ),
    max_size=12,
).map(b"".join)


@settings(BOUNDED, max_examples=500)
@given(st.sampled_from(["", *RULES]), BYTES, st.sampled_from(["GET", "PUT", "é", "\0", ""]))
def test_any_bytes(rule: str, tail: bytes, method: str) -> None:
    """Whatever bytes a path has, and whatever the method, the answer is one of routing's."""
    rules = [Rule(rule, endpoint=rule, methods=["GET"]) for rule in RULES]
    url_map = Map(rules)
    environ = create_environ()
    environ["PATH_INFO"] = rule.split("<")[0] + tail.decode("latin1")
    environ["REQUEST_METHOD"] = method
    for adapter in [url_map.bind_to_environ(environ), url_map.adapt(environ, subdomain="")]:
        try:
            found, values = adapter.match(return_rule=True)
        except HTTPException as error:
            assert error.code in (308, 404, 405)
        else:
            built = found.build(values)
            assert built is not None


def test_not_latin() -> None:
    """A server that breaks PEP 3333 and decodes the path itself does no harm."""
    environ: dict[str, t.Any] = create_environ()
    environ["PATH_INFO"] = "/☃"
    adapter = Map([Rule("/<x>", endpoint="a")]).bind_to_environ(environ)
    assert adapter.match()[0] == "a"
