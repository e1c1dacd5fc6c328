"""Werkzeug's data structures, with quicker ways for what each request does with them."""

from __future__ import annotations

import typing as t
from urllib.parse import unquote_to_bytes

import werkzeug.datastructures
from werkzeug.datastructures import EnvironHeaders, Headers, MultiDict
from werkzeug.exceptions import BadRequestKeyError

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


# The lower case of each name of a header that was asked for; bounded.
# PERF: a look-up takes a third of the time of a call.
_LOWER: dict[str, str] = {}


def _remember_lower(key: str, pairs: list[tuple[str, str]]) -> None:
    if len(_LOWER) >= _MAX_KEYS:
        _LOWER.clear()
    _LOWER.update((name, name.lower()) for name, _ in (*pairs, (key, "")))


class ResponseHeaders(Headers):
    """The headers of a response.

    :param pairs: the list to keep them in; it is not copied.
    """

    def __init__(self, pairs: list[tuple[str, str]] | None = None) -> None:
        self._list: list[tuple[str, str]] = [] if pairs is None else pairs

    def __setitem__(self, key: t.Any, value: t.Any) -> None:
        # PERF: a header that is not there yet, which most are that somebody sets.
        if type(value) is str and type(key) is str and value.isprintable():
            pairs = self._list
            try:
                lower = _LOWER[key]
                for name, _ in pairs:
                    if _LOWER[name] == lower:
                        break
                else:
                    pairs.append((key, value))
                    return
            except KeyError:
                _remember_lower(key, pairs)
        super().__setitem__(key, value)

    def __contains__(self, key: object) -> bool:
        # PERF: the base class raises and catches an exception for a header that is not there.
        if type(key) is not str:
            return super().__contains__(t.cast(str, key))
        try:
            lower = _LOWER[key]
            for name, _ in self._list:
                if _LOWER[name] == lower:
                    return True
        except KeyError:
            _remember_lower(key, self._list)
            lower = key.lower()
            return any(name.lower() == lower for name, _ in self._list)
        return False

    def copy(self) -> t.Self:
        """Return a copy with a list of its own."""
        return type(self)(list(self._list))


K = t.TypeVar("K")
V = t.TypeVar("V")
_lists_of: t.Any = dict.get


class ImmutableMultiDict(werkzeug.datastructures.ImmutableMultiDict[K, V]):
    """Werkzeug's class of the same name, with quicker ways to read a value.

    The query and the fields of a form are of this class.
    """

    def __getitem__(self, key: K) -> V:
        # PERF: the base class looks the key up twice, the second time by way of super().
        values = _lists_of(self, key)
        if values:
            value: V = values[0]
            return value
        raise BadRequestKeyError(key)

    def get(  # type: ignore[override]
        self, key: K, default: t.Any = None, type: t.Callable[[V], t.Any] | None = None
    ) -> t.Any:
        """Return the first value of a key, or *default*.

        :param key: the key.
        :param default: what to return where it is missing, or *type* refuses it.
        :param type: called with the value; its result is returned.
        """
        values = _lists_of(self, key)
        if not values:
            return default
        if type is None:
            return values[0]
        try:
            return type(values[0])
        except (ValueError, TypeError):
            return default


# What the usual escapes stand for. The others, and those beyond ASCII, of which several make one
# character, are left to the standard library.
_ESCAPES = {f"{code:02{form}}": chr(code) for code in range(128) for form in "xX"}


def _unquote(text: str) -> str:
    """Return text with its escapes replaced by what they stand for."""
    if "%" not in text:
        return text
    # PERF: the standard library takes three times as long for one escape.
    plain, *parts = text.split("%")
    for part in parts:
        character = _ESCAPES.get(part[:2])
        if character is None:
            return unquote_to_bytes(text).decode("utf-8", _KEEP_ESCAPED)
        plain += character + part[2:]
    return plain


def parse_pairs(data: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a query string or a form that is written like one.

    Bytes that are no UTF-8 stay in the text as escapes, so that nothing is lost and nothing fails.

    :param data: the bytes as they were sent.
    """
    text = data.decode("utf-8", _KEEP_ESCAPED)
    if "+" in text:
        text = text.replace("+", " ")
    pairs = []
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            if "%" in pair:
                name, value = _unquote(name), _unquote(value)
            pairs.append((name, value))
    return pairs


D = t.TypeVar("D", bound="MultiDict[str, t.Any]")


def parse_values(data: bytes, storage: type[D]) -> D:
    """Return a query string or a form as a multi-dict.

    :param data: the bytes as they were sent.
    :param storage: the multi-dict's class.
    """
    if storage is not ImmutableMultiDict:
        return storage(parse_pairs(data))
    return _parse_text(data.decode("utf-8", _KEEP_ESCAPED), storage)


def parse_query(query: str, storage: type[D]) -> D:
    """Return a query string as a multi-dict.

    :param query: the query as an environment of WSGI has it: a character for each byte.
    :param storage: the multi-dict's class.
    """
    if storage is ImmutableMultiDict and query.isascii():
        # PERF: as bytes it would be the same.
        return _parse_text(query, storage)
    return parse_values(query.encode("latin1"), storage)


def _parse_text(text: str, storage: type[D]) -> D:
    values = storage.__new__(storage)
    if not text:
        return values
    # PERF: the pairs and what the initializer does with them, in one go.
    if "+" in text:
        text = text.replace("+", " ")
    lists: dict[str, list[str]] = {}
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            if "%" in name:
                name = _unquote(name)
            if "%" in value:
                value = _unquote(value)
            if name in lists:
                lists[name].append(value)
            else:
                lists[name] = [value]
    dict.update(values, lists)
    return values


def no_values(storage: type[D]) -> D:
    """Return an empty multi-dict.

    :param storage: its class.
    """
    # PERF: an empty one is all that the initializer would leave.
    return storage.__new__(storage) if storage is ImmutableMultiDict else storage()
