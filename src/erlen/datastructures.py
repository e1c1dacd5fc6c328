"""Werkzeug's data structures, with quicker ways for what each request does with them."""

from __future__ import annotations

import typing as t
from urllib.parse import unquote_to_bytes

from werkzeug.datastructures import EnvironHeaders, Headers, ImmutableMultiDict, MultiDict

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# The error handler that Werkzeug registers for URLs.
_KEEP_ESCAPED = "werkzeug.url_quote"
# The keys of headers in a WSGI environment, by the names they were asked for; bounded.
_ENVIRON_KEYS: dict[str, str] = {}
_MAX_KEYS = 1024


class RequestHeaders(EnvironHeaders):
    """The headers in a WSGI environment.

    :param environ: the environment.
    """

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.environ = environ
        # What the base class keeps headers in; here they stay in the environment.
        self._list = []

    def get(  # type: ignore[override]
        self, key: str, default: t.Any = None, type: t.Callable[[str], t.Any] | None = None
    ) -> t.Any:
        """Return a header, or *default*.

        :param key: its name, in any case.
        :param default: what to return where it is missing, or *type* refuses it.
        :param type: called with the value; its result is returned.
        """
        name = _ENVIRON_KEYS.get(key)
        if name is None:
            if not isinstance(t.cast(object, key), str):
                return default
            name = _environ_key(key)
        value = self.environ.get(name)
        if value is None:
            return default
        if type is None:
            return value
        try:
            return type(value)
        except ValueError:
            return default


def _environ_key(header: str) -> str:
    name = header.upper().replace("-", "_")
    if name not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
        name = f"HTTP_{name}"
    if len(_ENVIRON_KEYS) >= _MAX_KEYS:
        _ENVIRON_KEYS.clear()
    _ENVIRON_KEYS[header] = name
    return name


class ResponseHeaders(Headers):
    """The headers of a response.

    :param pairs: the list to keep them in; it is not copied.
    """

    def __init__(self, pairs: list[tuple[str, str]] | None = None) -> None:
        self._list: list[tuple[str, str]] = [] if pairs is None else pairs

    def __setitem__(self, key: t.Any, value: t.Any) -> None:
        # PERF: a header that is not there yet, which most are that somebody sets.
        if type(value) is str and type(key) is str and value.isprintable():
            lower = key.lower()
            for name, _ in self._list:
                if name.lower() == lower:
                    break
            else:
                self._list.append((key, value))
                return
        super().__setitem__(key, value)

    def __contains__(self, key: object) -> bool:
        # PERF: the base class raises and catches an exception for a header that is not there.
        if type(key) is not str:
            return super().__contains__(t.cast(str, key))
        lower = key.lower()
        return any(name.lower() == lower for name, _ in self._list)

    def copy(self) -> t.Self:
        """Return a copy with a list of its own."""
        return type(self)(list(self._list))


def parse_pairs(data: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a query string or a form that is written like one.

    Bytes that are no UTF-8 stay in the text as escapes, so that nothing is lost and nothing fails.

    :param data: the bytes as they were sent.
    """
    text = data.decode("utf-8", _KEEP_ESCAPED).replace("+", " ")
    pairs = []
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            # PERF: the standard library's parser unquotes names and values without escapes.
            if "%" in pair:
                name, value = _unquote(name), _unquote(value)
            pairs.append((name, value))
    return pairs


def _unquote(text: str) -> str:
    if "%" not in text:
        return text
    return unquote_to_bytes(text).decode("utf-8", _KEEP_ESCAPED)


D = t.TypeVar("D", bound="MultiDict[str, t.Any]")


def parse_values(data: bytes, storage: type[D]) -> D:
    """Return a query string or a form as a multi-dict.

    :param data: the bytes as they were sent.
    :param storage: the multi-dict's class.
    """
    pairs = parse_pairs(data)
    if storage is not ImmutableMultiDict and storage is not MultiDict:
        return storage(pairs)
    # PERF: what MultiDict does with pairs, without asking what it was given.
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in lists:
            lists[name].append(value)
        else:
            lists[name] = [value]
    values = storage.__new__(storage)
    dict.update(values, lists)
    return values
