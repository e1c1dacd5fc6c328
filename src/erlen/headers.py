"""What may stand in the headers of a response, checked on its way out."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

from werkzeug.urls import iri_to_uri
from werkzeug.utils import get_content_type

if t.TYPE_CHECKING:
    from werkzeug.datastructures import Headers

# How many names and types are remembered; applications make few, but could make them of input.
# What is full starts over, so that input cannot keep the usual ones out for good.
_MAX_KNOWN = 1024

# The full content types of media types that were used, without control characters; bounded.
CONTENT_TYPES: dict[str | None, str] = {}
KNOWN_TYPES: set[str | None] = {None}


def full_content_type(mimetype: str | None) -> str | None:
    """Return the content type for a media type: with a charset, if it is one of text."""
    if mimetype is None:
        return None
    content_type = get_content_type(mimetype, "utf-8")
    check_value("Content-Type", content_type)
    if len(CONTENT_TYPES) >= _MAX_KNOWN:
        CONTENT_TYPES.clear()
        KNOWN_TYPES.clear()
        KNOWN_TYPES.add(None)
    CONTENT_TYPES[mimetype] = content_type
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
