"""What may stand in the headers of a response, checked on its way out."""

from __future__ import annotations

import re
import typing as t
from operator import itemgetter
from urllib.parse import quote

from werkzeug.datastructures import Headers, ImmutableDict
from werkzeug.http import parse_date
from werkzeug.urls import iri_to_uri
from werkzeug.utils import get_content_type

if t.TYPE_CHECKING:
    from datetime import datetime

    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.wrappers import Response as ResponseBase

name_of = itemgetter(0)

# How many names and types are remembered; applications make few, but could make them of input.
# What is full starts over, so that input cannot keep the usual ones out for good.
_MAX_KNOWN = 1024

# The headers for media types that were used, without control characters; bounded.
TYPE_HEADERS: dict[str | None, tuple[str, str]] = {}
KNOWN_TYPES: set[str | None] = {None}


def type_header(mimetype: str | None) -> tuple[str, str] | None:
    """Return the header for a media type, and remember it."""
    full_content_type(mimetype)
    return TYPE_HEADERS.get(mimetype)


def full_content_type(mimetype: str | None) -> str | None:
    """Return the content type for a media type: with a charset, if it is one of text."""
    if mimetype is None:
        return None
    content_type = get_content_type(mimetype, "utf-8")
    check_value("Content-Type", content_type)
    if len(TYPE_HEADERS) >= _MAX_KNOWN:
        TYPE_HEADERS.clear()
        KNOWN_TYPES.clear()
        KNOWN_TYPES.add(None)
    TYPE_HEADERS[mimetype] = ("Content-Type", content_type)
    KNOWN_TYPES.add(content_type)
    return content_type


OTHER, LENGTH, LOCATION = range(3)
HEADER_KINDS: dict[str, int] = {}
# RFC 9110, 5.6.2: the characters of a token, of which a header's name is made.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# RFC 9110, 5.5: a value has visible characters, spaces and tabs, and bytes over 127.
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")


def header_kind(name: str) -> int:
    """Return what a header means for the response, and remember it for a bounded number."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"The header name {name!r} is not a token of RFC 9110.")
    kinds = {"content-length": LENGTH, "location": LOCATION, "content-location": LOCATION}
    kind = kinds.get(name.lower(), OTHER)
    if len(HEADER_KINDS) >= _MAX_KNOWN:
        HEADER_KINDS.clear()
    HEADER_KINDS[name] = kind
    return kind


# What the headers of a response are by their names; bounded.
_SHAPES: dict[tuple[str, ...], int] = {}


def headers_shape(names: tuple[str, ...]) -> int:
    """Return what the headers of a response mean for it, all in one.

    :param names: their names, in order.
    :returns: ``LOCATION`` where one of them is of that kind, else ``LENGTH`` where one is of that
        kind, else ``OTHER``.
    :raises ValueError: where a name is not one.
    """
    shape = _SHAPES.get(names)
    if shape is None:
        shape = max(map(header_kind, names), default=OTHER)
        if len(_SHAPES) >= _MAX_KNOWN:
            _SHAPES.clear()
        _SHAPES[names] = shape
    return shape


def parseable(location: str) -> str:
    """Return a URL such that taking it apart cannot fail, as it does for ``http://[``.

    :param location: the URL.
    """
    try:
        iri_to_uri(location)
    except ValueError:
        # Lone surrogates, as from JSON, are no text; with its colons escaped too, the rest is a
        # path relative to the current one.
        text = location.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return quote(text, safe="%/?#&=+")
    return location


def escape_controls(location: str) -> str:
    """Return a URL with its control characters escaped, which no header may contain.

    :param location: the URL, perhaps as a client sent it.
    """
    if location.isprintable():
        return location
    return _CONTROL.sub(lambda match: quote(match[0]), location)


def check_value(name: str, value: str) -> None:
    """Refuse a value that could end its header early.

    :param name: the header's name, for the message.
    :param value: its value.
    :raises ValueError: for control characters, and for text beyond Latin-1.
    """
    bad = _BAD_VALUE.search(value)
    if bad:
        raise ValueError(
            f"The value of the header {name!r} contains {bad[0]!r}. Control characters are not"
            " allowed in headers, and text beyond Latin-1 must be encoded first, for example"
            " percent-encoded."
        )


def refuse_bad_headers(headers: Headers) -> None:
    """Raise :exc:`ValueError` for what must not reach the wire (response splitting)."""
    for name, value in headers:
        if name not in HEADER_KINDS:
            header_kind(name)
        # Locations are turned into ASCII on their way out.
        plain = value.isascii() and value.isprintable()
        if not plain and HEADER_KINDS.get(name) != LOCATION:
            check_value(name, value)


def read_date(value: str | None) -> datetime | None:
    """Return the date in a header; ``None`` where it is none or beyond the calendar.

    :param value: the header's value.
    """
    try:
        return parse_date(value)
    except OverflowError:
        # A year, or an offset from UTC, of more than 31 bits.
        return None


def without_bad_dates(environ: WSGIEnvironment) -> WSGIEnvironment:
    """Return an environment without conditions whose dates cannot be read (RFC 9110, 13.1).

    :param environ: the WSGI environment of a request.
    :returns: the same, or a copy without such headers; the whole body is then sent.
    """
    if "HTTP_IF_MODIFIED_SINCE" not in environ and "HTTP_IF_RANGE" not in environ:
        return environ
    bad: set[str] = set()
    if _is_unreadable(environ.get("HTTP_IF_MODIFIED_SINCE")):
        bad.add("HTTP_IF_MODIFIED_SINCE")
    if _is_unreadable(environ.get("HTTP_IF_RANGE")):
        # The condition does not hold, so no part is sent.
        bad |= {"HTTP_IF_RANGE", "HTTP_RANGE"}
    return {key: value for key, value in environ.items() if key not in bad} if bad else environ


def _is_unreadable(date: str | None) -> bool:
    try:
        parse_date(date)
    except OverflowError:
        return True
    return False


def real_headers(response: ResponseBase) -> Headers:
    """Return the headers of a response as the object they should be."""
    headers: object = response.headers
    if isinstance(headers, Headers):
        return headers
    # An application has put a dictionary or a list in their place.
    response.headers = Headers(t.cast(t.Any, headers))
    return response.headers


class DefaultHeaders:
    """Headers to add to responses that do not have them.

    :param source: the headers by name.
    :raises ValueError: for a name or a value that no header may have.
    """

    def __init__(self, source: t.Mapping[str, str]) -> None:
        # What cannot be edited is the same as long as it is the same object.
        self.origin = source if isinstance(source, ImmutableDict) else None
        self.source = dict(source)
        self._pairs = list(source.items())
        refuse_bad_headers(Headers(self._pairs))
        names = {name.lower() for name in source}
        self._are_others = names.isdisjoint({"content-type", "content-length"})
        # Which are to be added, by the names that are there; bounded.
        self._missing: dict[tuple[str, ...], list[tuple[str, str]]] = {}

    def add_to(self, response: ResponseBase) -> None:
        """Add the headers to a response."""
        checked: int = getattr(response, "_checked_headers", -1)
        if self._are_others and checked > 0:
            # PERF: with the headers that the initializer set, the type and the length, there is
            # nothing to look for and nothing to check again.
            made: t.Any = response
            fresh = [] if "headers" in made.__dict__ else made._header_list
            if len(fresh) == checked:
                fresh.extend(self._pairs)
                made._checked_headers = len(fresh)
                return
        # PERF: straight into the list, since the pairs were checked when the setting was read.
        pairs = real_headers(response)._list
        names = tuple(map(name_of, pairs))
        missing = self._missing.get(names)
        if missing is None:
            missing = self._find_missing(names)
        pairs.extend(missing)

    def _find_missing(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        present = {name.lower() for name in names}
        missing = [pair for pair in self._pairs if pair[0].lower() not in present]
        if len(self._missing) >= _MAX_KNOWN:
            self._missing.clear()
        self._missing[names] = missing
        return missing
