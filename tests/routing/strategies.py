"""Random maps, paths and values, for the property tests of routing."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from uuid import UUID

import werkzeug.routing
from hypothesis import strategies as st

LITERALS = ["a", "b", "ab", "1", "x.y", "a-b", "é", "v1", "a b", "%"]
UUID_TEXT = "12345678-1234-5678-1234-567812345678"
SEGMENTS = [*LITERALS, "", "", "12", "345", "-3", "1.5", "007", "1-2", "v2", "a.b.c", UUID_TEXT]
METHODS = ["GET", "POST", "PUT", "HEAD"]
ENDPOINTS = ["one", "two", "three"]

#: Placeholders with room for the names of their variables.
SHAPES = [
    "<{0}>",
    "<{0}>",
    "<string:{0}>",
    "<int:{0}>",
    "<int:{0}>",
    "<path:{0}>",
    "<path:{0}>",
    "<float:{0}>",
    "<uuid:{0}>",
    "<any(a,b,ab):{0}>",
    "<string(length=2):{0}>",
    "<string(minlength=2, maxlength=3):{0}>",
    "<int(signed=True):{0}>",
    "<int(fixed_digits=3):{0}>",
    "<int(min=2, max=50):{0}>",
    "<float(signed=True, max=2):{0}>",
    "<word:{0}>",
    "<pair:{0}>",
    "<shout:{0}>",
    "v<int:{0}>",
    "<{0}>.y",
    "<{0}>-<{1}>",
    "<int:{0}>-<int:{1}>",
    "<{0}>.<{1}>.<{2}>",
    "<path:{0}>.<{1}>",
    "<any(a,ab):{0}><{1}>",
    "a<path:{0}>",
]


class Word(werkzeug.routing.BaseConverter):
    """A converter with an expression of its own, that may be empty."""

    regex = "[a-z]*"
    weight = 80


class Pair(werkzeug.routing.BaseConverter):
    """A converter for two segments."""

    regex = "[a-z]+/[a-z]+"

    def to_python(self, value: str) -> t.Any:
        return value.split("/")

    def to_url(self, value: t.Any) -> str:
        return "/".join(value)


class Shout(werkzeug.routing.UnicodeConverter):
    """A converter that refuses some of what its expression accepts."""

    def to_python(self, value: str) -> str:
        if "1" in value:
            raise werkzeug.routing.ValidationError
        return value.upper()


CONVERTERS = {"word": Word, "pair": Pair, "shout": Shout}


@dataclass
class RuleSpec:
    """The arguments of a rule, for Werkzeug's class or for ours."""

    string: str
    options: dict[str, t.Any] = field(default_factory=dict)

    def make(self, rule_class: t.Any) -> t.Any:
        return rule_class(self.string, **self.options)


@dataclass
class MapSpec:
    """The arguments of a map, for Werkzeug's class or for ours."""

    rules: list[RuleSpec]
    options: dict[str, t.Any] = field(default_factory=dict)

    def make(self, map_class: t.Any, rule_class: t.Any) -> t.Any:
        rules = [rule.make(rule_class) for rule in self.rules]
        return map_class(rules, converters=CONVERTERS, **self.options)


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """The path of a rule."""
    count = 0
    segments = []
    for _ in range(draw(st.integers(0, 4))):
        segment = draw(st.sampled_from(LITERALS) | st.sampled_from(SHAPES))
        names = [f"v{count + number}" for number in range(3)]
        count += sum(f"{{{number}}}" in segment for number in range(3))
        segments.append(segment.format(*names) if "{" in segment else segment)
    separator = draw(st.sampled_from(["/"] * 9 + ["//"]))
    end = draw(st.sampled_from(["", "/"])) if segments else ""
    return f"/{separator.join(segments)}{end}"


DEFAULTS: st.SearchStrategy[dict[str, t.Any]] = st.dictionaries(
    st.sampled_from(["v0", "v1", "extra"]), st.sampled_from([1, 2, "a", "ab"]), max_size=2
)


DOMAIN_PATTERNS = ["", "a", "b", "<v7>", "a-<int:v7>", "<v7>.example.com"]


@st.composite
def rule_specs(draw: st.DrawFn) -> RuleSpec:
    """A rule, plain more often than not."""
    options: dict[str, t.Any] = {"endpoint": draw(st.sampled_from(ENDPOINTS))}
    choices: dict[str, st.SearchStrategy[t.Any]] = {
        "methods": st.lists(st.sampled_from(METHODS), max_size=2),
        "strict_slashes": st.sampled_from([None, True, False]),
        "merge_slashes": st.sampled_from([None, True, False]),
        "defaults": DEFAULTS,
        "alias": st.just(True),
        "build_only": st.just(True),
        "redirect_to": st.sampled_from(["target", "/other/<v0>", "x/<v1>/<v0>"]),
        "subdomain": st.sampled_from(DOMAIN_PATTERNS),
        "host": st.sampled_from(DOMAIN_PATTERNS),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(choices)), max_size=3, unique=True))
    for name in chosen:
        options[name] = draw(choices[name])
    if "methods" not in options and draw(st.integers(0, 5)) == 0:
        options["websocket"] = True
    return RuleSpec(draw(patterns()), options)


@st.composite
def map_specs(draw: st.DrawFn) -> MapSpec:
    """A map of up to eight rules."""
    options = {
        name: draw(st.booleans())
        for name in ["strict_slashes", "merge_slashes", "redirect_defaults", "sort_parameters"]
        if draw(st.integers(0, 3)) == 0
    }
    options["host_matching"] = draw(st.integers(0, 4)) == 0
    rules = draw(st.lists(rule_specs(), min_size=1, max_size=8))
    return MapSpec(rules, options)


PLACEHOLDER = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?\w+>")
TEXTS = {
    "int": ["1", "12", "345", "007", "-3"],
    "float": ["1.5", "-0.5", "3.0"],
    "uuid": [UUID_TEXT],
    "any": ["a", "ab"],
    "path": ["a", "a/b", "x.y/1/", "a//b", "a.b/c.d"],
    "pair": ["a/b", "ab/ab"],
}


@st.composite
def filled(draw: st.DrawFn, pattern: str) -> str:
    """A text that the pattern may well match."""

    def fill(placeholder: re.Match[str]) -> str:
        texts = TEXTS.get(placeholder[1], SEGMENTS)
        return draw(st.sampled_from(texts) | st.sampled_from(texts) | st.sampled_from(SEGMENTS))

    return PLACEHOLDER.sub(fill, pattern)


@st.composite
def paths(draw: st.DrawFn, spec: MapSpec) -> str:
    """The path of a request: what a rule matches, that with a change, or anything."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        segments = draw(st.lists(st.sampled_from(SEGMENTS), max_size=5))
        return draw(st.sampled_from(["/", "", "//"])) + "/".join(segments)
    path = draw(filled(draw(st.sampled_from(spec.rules)).string))
    if kind == 1:
        path = path.replace("/", "//", 1 + draw(st.integers(0, 2)))
    elif kind == 2:
        path += "/"
    elif kind == 3:
        path = path.rstrip("/")
    return path


@st.composite
def domains(draw: st.DrawFn, spec: MapSpec) -> str:
    """A subdomain or host, often that of a rule."""
    known = [
        rule.options.get("host" if spec.options["host_matching"] else "subdomain") or ""
        for rule in spec.rules
    ]
    return draw(filled(draw(st.sampled_from([*known, *DOMAINS]))))


@st.composite
def requests(draw: st.DrawFn) -> tuple[MapSpec, list[tuple[str, str, str, bool]]]:
    """A map, and the domain, path, method and WebSocket flag of requests to it."""
    spec = draw(map_specs())
    request = st.tuples(
        domains(spec),
        paths(spec),
        st.sampled_from(METHODS),
        st.sampled_from([False, False, False, True]),
    )
    return spec, draw(st.lists(request, min_size=1, max_size=8))


DOMAINS = ["", "a", "b", "a-5", "a.example.com"]

VALUES: st.SearchStrategy[dict[str, t.Any]] = st.dictionaries(
    st.sampled_from(["v0", "v1", "v2", "v7", "extra", "q"]),
    st.sampled_from(
        [1, 2, 30, "a", "ab", "a/b", "a b?", "é", None, ["a", "b"], 1.5, UUID(UUID_TEXT)]
    ),
    max_size=6,
)
