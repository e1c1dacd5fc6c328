"""Matching a built URL gives the values back, and building from a match gives the path back."""

from __future__ import annotations

import typing as t
from urllib.parse import quote, unquote, urlsplit

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from erlen.routing import Map, NoMatch, RoutingException, Rule
from erlen.routing.converters import SEGMENT_SAFE

from .strategies import LITERALS, MapSpec, requests

BOUNDED = settings(max_examples=300, deadline=None, derandomize=True)

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="/")
TEXTS = st.text(CHARACTERS, min_size=1, max_size=8)
#: A dash divides two variables of one segment, so that their values may not have it.
NO_DASH = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/-"), min_size=1, max_size=4
)
PATHS = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), min_size=1)
    .filter(lambda text: not text.startswith("/"))
    .filter(lambda text: not text.endswith("/"))
)
FLOATS = st.decimals(0, 1000, places=3).map(float).filter(lambda x: "e" not in str(x))

#: Placeholders, and the values that their variables may have.
SLOTS: list[tuple[str, st.SearchStrategy[t.Any]]] = [
    ("<{}>", TEXTS),
    ("<string(length=3):{}>", st.text(CHARACTERS, min_size=3, max_size=3)),
    ("<string(minlength=2, maxlength=4):{}>", st.text(CHARACTERS, min_size=2, max_size=4)),
    ("<int:{}>", st.integers(0, 10**100)),
    ("<int(signed=True):{}>", st.integers()),
    ("<int(fixed_digits=4):{}>", st.integers(0, 9999)),
    ("<int(min=5, max=50):{}>", st.integers(5, 50)),
    ("<float:{}>", FLOATS),
    ("<float(signed=True):{}>", FLOATS.map(lambda value: -value)),
    ("<uuid:{}>", st.uuids()),
    ("<any(a, b, 'c d'):{}>", st.sampled_from(["a", "b", "c d"])),
    ("v<int:{}>", st.integers(0, 99)),
    ("<{}>-end", NO_DASH),
    ("<int:{}>-x", st.integers(0, 99)),
]


@st.composite
def built_cases(draw: st.DrawFn) -> tuple[str, dict[str, t.Any], str, dict[str, t.Any]]:
    """A rule with values for it, and a subdomain with its own."""
    segments: list[str] = []
    values: dict[str, t.Any] = {}
    for number in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            segments.append(draw(st.sampled_from(LITERALS)))
            continue
        shape, strategy = draw(st.sampled_from(SLOTS))
        segments.append(shape.format(f"v{number}"))
        values[f"v{number}"] = draw(strategy)
    if draw(st.integers(0, 3)) == 0:
        segments.append("<path:rest>")
        values["rest"] = draw(PATHS)
    end = draw(st.sampled_from(["", "/"])) if segments else ""
    domain = draw(st.sampled_from(["", "www", "<sub>"]))
    domain_values = {"sub": draw(TEXTS)} if domain == "<sub>" else {}
    return f"/{'/'.join(segments)}{end}", values, domain, domain_values


@BOUNDED
@given(built_cases(), st.lists(st.sampled_from(LITERALS), max_size=3))
def test_match_after_build(
    case: tuple[str, dict[str, t.Any], str, dict[str, t.Any]], others: list[str]
) -> None:
    """The URL of some values leads back to the rule and these values."""
    pattern, values, domain, domain_values = case
    rule = Rule(pattern, endpoint="a", subdomain=domain)
    # Rules that cannot match the same, for the tree to have more than one way.
    more = [Rule(f"/other-{number}/{text}", endpoint="b") for number, text in enumerate(others)]
    more += [Rule(f"{pattern.rstrip('/')}/never/never", subdomain=domain, endpoint="c")]
    url_map = Map([*more, rule])
    values = {**values, **domain_values}
    built = rule.build(values)
    assert built is not None
    adapter = url_map.bind("example.com", subdomain=unquote(built[0]))
    assert adapter.match(unquote(built[1]), return_rule=True) == (rule, values)
    url = adapter.build("a", {**values, "q": "1&2"}, force_external=True)
    assert urlsplit(url).path == built[1]
    assert urlsplit(url).query == "q=1%262"


@settings(BOUNDED, max_examples=120)
@given(requests())
def test_build_after_match(case: tuple[MapSpec, list[tuple[str, str, str, bool]]]) -> None:
    """What a path matched builds that path again."""
    spec, asked = case
    spec.options.pop("strict_slashes", None)
    for rule in spec.rules:
        rule.options.pop("strict_slashes", None)
        # A default stands in the URL in place of what was matched.
        rule.options.pop("defaults", None)
    url_map: Map = spec.make(Map, Rule)
    for domain, path, method, websocket in asked:
        try:
            found, values = url_map.lookup(path, method, domain, websocket)
        except Exception as error:
            assert isinstance(error, (RoutingException, NoMatch)) or hasattr(error, "code")
            continue
        # One value has several texts here: 7 is 007, and A is a.
        assume("shout" not in found.rule and "007" not in path)
        expected = f"/{path.lstrip('/')}" if path else ""
        assert found.build(values) == (
            quote(domain, safe=SEGMENT_SAFE),
            quote(expected, safe=SEGMENT_SAFE),
        )
