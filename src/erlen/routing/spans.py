"""Matching several variables in one text, in time that grows only with the text's length.

A regular expression finds where ``<path:a>/x/<path:b>/y/<path:c>`` splits by trying: with three
such variables the time grows with the cube of the length, and a path of 6 kB takes minutes. Here
each piece is asked once, from the last to the first, at which positions it and all that follows
can begin. Then the pieces are laid out from the left, each as long (or, for ``path``, as short) as
the positions behind it allow. That is the split the regular expression would have found.

The pieces are those of the built-in converters. One with a regular expression of its own makes the
whole text a case for :mod:`re`.
"""

from __future__ import annotations

import re
import typing as t

from .converters import ANY_PATH, DECIMAL, DIGITS, UUID

if t.TYPE_CHECKING:
    from collections.abc import Sequence

#: A regular expression as it stands in a rule's content, beside literal text.
Content: t.TypeAlias = "tuple[str | tuple[str], ...]"

_LENGTHS = re.compile(r"\[\^/\](?:(\+)|\{(\d+)(,(\d*))?\})")
_ONE_LITERAL = r"(?:[^\\()\[\]{}?*+.^$|]|\\[^A-Za-z0-9])*"
_LITERALS = re.compile(rf"\(\?:({_ONE_LITERAL}(?:\|{_ONE_LITERAL})*)\)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BAR = re.compile(r"(?<!\\)\|")


class Span(t.Protocol):
    """One piece of a text: something that begins at a position and ends at a later one."""

    def starts(self, text: str, ends: bytearray) -> bytearray:
        """Mark the positions where this piece can begin.

        :param text: the whole text.
        :param ends: one byte per position: whether the rest can begin there.
        """
        ...

    def end(self, text: str, start: int, ends: bytearray) -> int:
        """Return where the piece that begins at ``start`` should end.

        :param text: the whole text.
        :param start: a position that :meth:`starts` marked.
        :param ends: as for :meth:`starts`.
        """
        ...


class OneOf:
    """One of some literal texts, the first that fits."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def starts(self, text: str, ends: bytearray) -> bytearray:
        marks = bytearray(len(ends))
        for choice in self.choices:
            position = text.find(choice)
            while position >= 0:
                if ends[position + len(choice)]:
                    marks[position] = 1
                position = text.find(choice, position + 1)
        return marks

    def end(self, text: str, start: int, ends: bytearray) -> int:
        fitting = (choice for choice in self.choices if text.startswith(choice, start))
        return next(end for choice in fitting if ends[end := start + len(choice)])


class Fixed:
    """A regular expression all of whose matches have the same length."""

    def __init__(self, regex: str, length: int) -> None:
        self.match = re.compile(regex).match
        self.length = length

    def starts(self, text: str, ends: bytearray) -> bytearray:
        marks = bytearray(len(ends))
        for position in range(len(text) - self.length + 1):
            if ends[position + self.length] and self.match(text, position):
                marks[position] = 1
        return marks

    def end(self, text: str, start: int, ends: bytearray) -> int:
        return start + self.length


class Run:
    """As many characters of one kind as possible, between a least and a greatest number."""

    def __init__(self, character: str, least: int = 1, most: int | None = None) -> None:
        self.accepts = re.compile(character).match
        self.reach = re.compile(f"{character}*").match
        self.least = least
        self.most = most

    def starts(self, text: str, ends: bytearray) -> bytearray:
        length = len(text)
        most = length if self.most is None else self.most
        marks = bytearray(length + 1)
        # Both are worked out from the right: where the run must stop, and the nearest good end.
        stop = length
        nearest = length + 1
        for position in range(length, -1, -1):
            if position < length and not self.accepts(text, position):
                stop = position
            least_end = position + self.least
            if least_end <= length and ends[least_end]:
                nearest = least_end
            if nearest <= min(stop, position + most):
                marks[position] = 1
        return marks

    def end(self, text: str, start: int, ends: bytearray) -> int:
        found = self.reach(text, start)
        stop = found.end() if found else start
        if self.most is not None:
            stop = min(stop, start + self.most)
        return ends.rfind(1, start + self.least, stop + 1)


class AnyPath:
    """As few characters as possible, slashes too, but no slash first and no line break after."""

    def starts(self, text: str, ends: bytearray) -> bytearray:
        length = len(text)
        marks = bytearray(length + 1)
        stop = length
        nearest = length + 1
        for position in range(length - 1, -1, -1):
            if ends[position + 1]:
                nearest = position + 1
            if nearest <= stop and text[position] != "/":
                marks[position] = 1
            if text[position] == "\n":
                stop = position
        return marks

    def end(self, text: str, start: int, ends: bytearray) -> int:
        return ends.find(1, start + 1)


class Spans:
    """A text of several pieces, some of them the values of variables.

    :param pieces: for each literal or variable in order: whether it is a variable, and its spans.
    """

    def __init__(self, pieces: Sequence[tuple[bool, Sequence[Span]]]) -> None:
        self.spans = [span for _, spans in pieces for span in spans]
        self.pieces = [(is_variable, len(spans)) for is_variable, spans in pieces]

    def match(self, text: str) -> list[str] | None:
        """Return the values of the variables, or ``None`` where the text does not fit."""
        table = [bytearray(len(text)) + b"\1"]
        for span in reversed(self.spans):
            table.append(span.starts(text, table[-1]))
        if not table.pop()[0]:
            return None
        return self._values(text, table)

    def _values(self, text: str, table: list[bytearray]) -> list[str]:
        values = []
        spans = iter(self.spans)
        position = 0
        for is_variable, count in self.pieces:
            start = position
            for _ in range(count):
                position = next(spans).end(text, position, table.pop())
            if is_variable:
                values.append(text[start:position])
        return values


def spans_of(content: Content) -> Spans | None:
    """Make the pieces for some content, or ``None`` if only :mod:`re` can match it.

    :param content: literal texts, and in tuples of one the regular expressions of variables.
    """
    pieces: list[tuple[bool, Sequence[Span]]] = []
    for item in content:
        if isinstance(item, str):
            pieces.append((False, [OneOf(item)]))
            continue
        spans = _spans_of_regex(item[0])
        if spans is None:
            return None
        pieces.append((True, spans))
    return Spans(pieces)


def _spans_of_regex(regex: str) -> list[Span] | None:
    if regex == ANY_PATH:
        return [AnyPath()]
    if regex == UUID:
        return [Fixed(UUID, 36)]
    if regex in (f"-?{DIGITS}", f"-?{DECIMAL}"):
        return [OneOf("-", ""), *_number_spans(regex[2:])]
    if regex in (DIGITS, DECIMAL):
        return _number_spans(regex)
    if lengths := _LENGTHS.fullmatch(regex):
        return [_text_span(lengths)]
    if literals := _LITERALS.fullmatch(regex):
        return [OneOf(*(_ESCAPE.sub(r"\1", choice) for choice in _split_bars(literals[1])))]
    return None


def _number_spans(regex: str) -> list[Span]:
    digits = Run("[0-9]")
    return [digits] if regex == DIGITS else [digits, OneOf("."), digits]


def _text_span(lengths: re.Match[str]) -> Span:
    plus, least, comma, most = lengths.groups()
    if plus:
        return Run("[^/]")
    if comma is None:
        return Run("[^/]", int(least), int(least))
    return Run("[^/]", int(least), int(most) if most else None)


def _split_bars(text: str) -> list[str]:
    return _BAR.split(text)
