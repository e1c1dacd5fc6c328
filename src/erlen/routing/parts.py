"""The dynamic parts of a pattern: what is matched against one segment, or the rest, of a path."""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache
from itertools import groupby

from .converters import ANY_PATH, ANY_TEXT, DECIMAL, DIGITS, UUID
from .patterns import Variable, parse
from .spans import Content, spans_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from werkzeug.routing import BaseConverter

    from .patterns import Piece, Segment

#: Where this part stands among its siblings; smaller comes first. Literals and their lengths, then
#: variables and the weights of their converters.
Weight: t.TypeAlias = "tuple[int, tuple[tuple[int, int], ...], int, tuple[int, ...]]"

# How a part with one variable and nothing else is checked; the matcher's loop knows these.
OTHER, TEXT, NUMBER, CHECKED, TAIL = range(5)

#: The regular expressions that need no check.
KNOWN = ANY_TEXT | {ANY_PATH, DIGITS, DECIMAL, UUID}

#: Above this many steps in the worst case, several variables are matched by spans, not by re.
MAX_STEPS = 50_000


class PartKey(t.NamedTuple):
    """What makes two parts of different rules the same step in the tree."""

    content: Content
    weight: Weight
    is_final: bool
    is_suffixed: bool


class Part:
    """A compiled part: its test, and how it divides the path with the parts after it.

    A *final* part takes all that is left of the path, because one of its variables may hold
    slashes. A *suffixed* one leaves a slash at the very end to the next, empty, segment.
    """

    __slots__ = ("check", "is_final", "is_suffixed", "key", "kind", "match")

    def __init__(self, key: PartKey) -> None:
        self.key = key
        self.is_final = key.is_final
        self.is_suffixed = key.is_suffixed
        self.kind, self.check = _checker(key)
        self.match = _values_matcher(key.content, self.check)


compile_part = lru_cache(maxsize=1024)(Part)


def split_parts(
    segments: Sequence[Segment], converters: Mapping[str, BaseConverter]
) -> Iterator[str | PartKey]:
    """Yield the steps of a pattern: literal segments, and keys of dynamic parts.

    :param segments: the pattern, parsed.
    :param converters: the converter of each variable in it.
    """
    for number, segment in enumerate(segments):
        if isinstance(segment, str):
            yield segment
        elif not _is_isolating(segment, converters):
            yield from _final_parts(segments[number:], converters)
            return
        elif len(segment) == 1 and isinstance(segment[0], Variable):
            converter = converters[segment[0].name]
            yield _variable_key(converter.regex, converter.weight)
        else:
            yield _part_key(segment, converters)


def _is_isolating(segment: tuple[Piece, ...], converters: Mapping[str, BaseConverter]) -> bool:
    for piece in segment:
        if isinstance(piece, Variable) and not converters[piece.name].part_isolating:
            return False
    return True


# PERF: nearly all dynamic segments are one of a few.
@lru_cache(maxsize=1024)
def _variable_key(regex: str, weight: int) -> PartKey:
    return PartKey(((regex,),), (0, (), -1, (weight,)), False, False)


def _final_parts(
    segments: Sequence[Segment], converters: Mapping[str, BaseConverter]
) -> Iterator[str | PartKey]:
    pieces: list[Piece] = []
    for segment in segments:
        if pieces:
            pieces.append("/")
        pieces.extend((segment,) if isinstance(segment, str) else segment)
    is_suffixed = segments[-1] == ""
    if is_suffixed:
        del pieces[-2:]
    yield _part_key(pieces, converters, is_final=True, is_suffixed=is_suffixed)
    if is_suffixed:
        yield ""


def _part_key(
    pieces: Sequence[Piece],
    converters: Mapping[str, BaseConverter],
    is_final: bool = False,
    is_suffixed: bool = False,
) -> PartKey:
    literals = [p for p in pieces if isinstance(p, str) and p != "/" and p]
    weights = [converters[p.name].weight for p in pieces if isinstance(p, Variable)]
    weight = (
        -len(literals),
        tuple((number, -len(literal)) for number, literal in enumerate(literals)),
        -len(weights),
        tuple(weights),
    )
    return PartKey(_content(pieces, converters), weight, is_final, is_suffixed)


def _content(pieces: Sequence[Piece], converters: Mapping[str, BaseConverter]) -> Content:
    if len(pieces) == 1 and isinstance(pieces[0], Variable):
        return ((converters[pieces[0].name].regex,),)
    content: list[str | tuple[str]] = []
    for is_literal, run in groupby(pieces, lambda piece: isinstance(piece, str)):
        if is_literal:
            content.append("".join(t.cast("Iterator[str]", run)))
        else:
            content.extend((converters[t.cast("Variable", v).name].regex,) for v in run)
    return tuple(content)


def check_regexes(texts: Iterable[str], converters: Mapping[str, BaseConverter]) -> None:
    """Make sure that the regular expressions of converters compile, each and together.

    :param texts: the patterns that they are in.
    :param converters: the converters of a rule, by name of the variable.
    :raises ValueError: naming what does not compile.
    """
    own = {name: item for name, item in converters.items() if item.regex not in KNOWN}
    for name, converter in own.items():
        try:
            compile_regex(converter.regex)
        except re.error as error:
            raise ValueError(
                f"the converter of <{name}>, {type(converter).__name__}, has a regular"
                f" expression that does not compile: {converter.regex!r} ({error})."
            ) from error
    for text in texts if own else ():
        try:
            for step in split_parts(parse(text), converters):
                if not isinstance(step, str):
                    compile_part(step)
        except re.error as error:
            raise ValueError(
                f"the regular expressions of the converters in {text!r} do not compile"
                f" together ({error}). Flags and named groups work only in a segment of one"
                " variable."
            ) from error


@lru_cache(maxsize=1024)
def compile_regex(regex: str) -> Callable[[str], t.Any]:
    """Return the test whether a whole text matches the regular expression."""
    return re.compile(regex).fullmatch


def _checker(key: PartKey) -> tuple[int, Callable[[str], t.Any] | None]:
    """Return the kind of a part that is a single variable, and the test of its text."""
    if len(key.content) != 1 or isinstance(key.content[0], str):
        return OTHER, None
    regex = key.content[0][0]
    if key.is_final:
        check = is_path if regex == ANY_PATH else compile_regex(regex)
        return (TAIL if check is is_path and not key.is_suffixed else OTHER), check
    if regex in ANY_TEXT:
        return TEXT, bool
    return (NUMBER if regex == DIGITS else CHECKED), compile_regex(regex)


def is_path(text: str) -> bool:
    """Whether the text is a value that the ``path`` converter accepts."""
    return text[:1] not in ("", "/") and text.find("\n", 1) < 0


def _values_matcher(
    content: Content, check: Callable[[str], t.Any] | None
) -> Callable[[str], Sequence[str] | None]:
    """Return the function that gives the values of all variables in a text, or ``None``."""
    if check is not None:
        return lambda text: [text] if check(text) else None
    by_regex = _regex_matcher(content)
    count = sum(not isinstance(item, str) for item in content)
    spans = spans_of(content) if count > 1 else None
    if spans is None:
        return by_regex

    def match(text: str) -> Sequence[str] | None:
        if len(text) ** count <= MAX_STEPS:
            return by_regex(text)
        return spans.match(text)

    return match


def _regex_matcher(content: Content) -> Callable[[str], Sequence[str] | None]:
    # Named groups, since a converter's expression may have groups of its own.
    names: list[str] = []
    regex = ""
    for item in content:
        if isinstance(item, str):
            regex += re.escape(item)
        else:
            names.append(f"erlen_{len(names)}")
            regex += f"(?P<{names[-1]}>{item[0]})"
    fullmatch = re.compile(regex).fullmatch

    def match(text: str) -> Sequence[str] | None:
        found = fullmatch(text)
        return None if found is None else [found[name] for name in names]

    return match
