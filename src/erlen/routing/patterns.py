"""The text of a rule, taken apart: ``/users/<int:id>`` into segments, literals and variables."""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.routing import Rule


class Variable(t.NamedTuple):
    """A placeholder in a rule, such as ``<int(min=1):page>``."""

    name: str
    converter: str
    arguments: str


Piece: t.TypeAlias = str | Variable

#: What stands between two slashes: plain text, or pieces with at least one variable among them.
Segment: t.TypeAlias = str | tuple[Piece, ...]

_TOKEN = re.compile(
    r"""
    (?P<slash>/)
    | (?P<text>[^</]+)
    | <
        (?:
            (?P<converter>[a-zA-Z_][a-zA-Z0-9_]*)
            (?:\((?P<arguments>.*?)\))?
            :
        )?
        (?P<name>[a-zA-Z_][a-zA-Z0-9_]*)
      >
    """,
    re.VERBOSE,
)
_SIMPLE_VARIABLE = re.compile(r"<([^>]+)>")
_SLASHES = re.compile("/{2,}")


def merge_slashes(path: str) -> str:
    """Return the path with each run of slashes made one."""
    return _SLASHES.sub("/", path) if "//" in path else path


def rule_texts(rule: Rule) -> tuple[str, str]:
    """Return the domain and the path that a bound rule matches, as patterns.

    :param rule: a rule that belongs to a map.
    """
    domain = rule.host if rule.map.host_matching else rule.subdomain
    path = merge_slashes(rule.rule) if rule.merge_slashes else rule.rule
    return domain or "", path


def parse(text: str) -> list[Segment]:
    """Take a pattern apart at its slashes.

    :param text: the path or the domain of a rule.
    :raises ValueError: if a placeholder is malformed.
    """
    if "<" not in text:
        return [*text.split("/")]
    try:
        # Only the arguments of a converter can hide a slash.
        if "(" in text:
            return _scan(text)
        return [_parse_segment(part) if "<" in part else part for part in text.split("/")]
    except ValueError:
        raise ValueError(
            f"malformed url rule: {text!r}. A placeholder looks like"
            " '<name>', '<converter:name>' or '<converter(argument=1):name>'."
        ) from None


def variables(segments: list[Segment]) -> Iterator[Variable]:
    """Yield the placeholders of a pattern in their order."""
    for segment in segments:
        if not isinstance(segment, str):
            for piece in segment:
                if isinstance(piece, Variable):
                    yield piece


def trace(text: str) -> list[tuple[bool, str]]:
    """Return the pattern as a flat list of ``(is a variable, name or literal text)``."""
    steps: list[tuple[bool, str]] = []
    for number, segment in enumerate(parse(text)):
        if number:
            steps.append((False, "/"))
        for piece in (segment,) if isinstance(segment, str) else segment:
            if isinstance(piece, Variable):
                steps.append((True, piece.name))
            elif piece:
                steps.append((False, piece))
    return steps


def replace_variables(text: str, make_text: Callable[[str], str]) -> str:
    """Put texts in the place of the ``<name>`` placeholders of a redirect's target.

    :param text: the target.
    :param make_text: returns the text for a name.
    """
    return _SIMPLE_VARIABLE.sub(lambda found: make_text(found[1]), text)


# PERF: the same few segments (<int:id>, <slug>) come back in most rules of an application.
@lru_cache(maxsize=1024)
def _parse_segment(text: str) -> Segment:
    return _scan(text)[0]


def _scan(text: str) -> list[Segment]:
    segments: list[list[Piece]] = [[]]
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise ValueError(text)
        position = token.end()
        if token["slash"]:
            segments.append([])
        elif token["text"]:
            segments[-1].append(token["text"])
        else:
            variable = Variable(
                token["name"], token["converter"] or "default", token["arguments"] or ""
            )
            segments[-1].append(variable)
    return [_simplify(pieces) for pieces in segments]


def _simplify(pieces: list[Piece]) -> Segment:
    if not pieces:
        return ""
    if len(pieces) == 1 and isinstance(pieces[0], str):
        return pieces[0]
    return tuple(pieces)
