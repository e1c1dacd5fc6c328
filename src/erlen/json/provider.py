"""How an application writes and reads JSON: the interface, and the default on Python's ``json``."""

from __future__ import annotations

import dataclasses
import json
import json.encoder
import typing as t
import uuid
import weakref
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType

from werkzeug.http import http_date

if t.TYPE_CHECKING:
    from werkzeug.sansio.response import Response

    from erlen.typing import Application


Encode = Callable[[t.Any], str]

# For how many combinations of settings a provider keeps encoders. An application uses two or
# three; the bound is for one that makes a new ``default`` function for each call.
_KEPT_ENCODERS = 32

# The scanner's name is the same in C and in Python, but typeshed leaves it out.
_scan: t.Any = getattr(json.JSONDecoder(), "scan_once")  # noqa: B009


class JSONProvider:
    """The JSON operations of an application.

    Subclass it and write :meth:`dumps` and :meth:`loads` to use another JSON library; the other
    methods build on these two. Set :attr:`Flask.json_provider_class <erlen.Flask>` to the class,
    or ``app.json`` to an instance.

    :param app: the application, kept as a weak reference in ``_app``.

    .. code-block:: python

        class OrjsonProvider(JSONProvider):
            def dumps(self, obj, **kwargs):
                return orjson.dumps(obj).decode()

            def loads(self, s, **kwargs):
                return orjson.loads(s)

        app.json = OrjsonProvider(app)
    """

    def __init__(self, app: Application) -> None:
        self._app: Application = weakref.proxy(app)

    def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        """Return *obj* as JSON text.

        :param obj: the data.
        :param kwargs: options of the JSON library.
        """
        raise NotImplementedError

    def dump(self, obj: t.Any, fp: t.IO[str], **kwargs: t.Any) -> None:
        """Write *obj* as JSON to a text file.

        :param obj: the data.
        :param fp: a file open for writing text, which should be encoded as UTF-8.
        :param kwargs: options of the JSON library.
        """
        fp.write(self.dumps(obj, **kwargs))

    def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
        """Return the data in JSON text.

        :param s: text, or bytes in UTF-8.
        :param kwargs: options of the JSON library.
        :raises ValueError: if it is not JSON; a request then answers 400.
        """
        raise NotImplementedError

    def load(self, fp: t.IO[t.AnyStr], **kwargs: t.Any) -> t.Any:
        """Return the data in a JSON file.

        :param fp: a file open for reading text, or bytes in UTF-8.
        :param kwargs: options of the JSON library.
        """
        return self.loads(fp.read(), **kwargs)

    def _prepare_response_obj(self, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> t.Any:
        """Return the data that the arguments of :meth:`response` stand for."""
        if args and kwargs:
            raise TypeError("app.json.response() takes either args or kwargs, not both")
        if len(args) == 1:
            return args[0]
        return args or kwargs or None

    def response(self, *args: t.Any, **kwargs: t.Any) -> Response:
        """Return a response with the arguments as JSON; :func:`erlen.jsonify` calls it.

        One positional argument is the data; several are a list; keyword arguments are an object;
        none at all is ``null``.

        :raises TypeError: if positional and keyword arguments are mixed.
        """
        text = self.dumps(self._prepare_response_obj(args, kwargs))
        response: Response = self._app.response_class(text, mimetype="application/json")
        return response


def _default(o: t.Any) -> t.Any:
    """Return what JSON can hold in place of an object that it cannot."""
    if isinstance(o, date):
        return http_date(o)
    # PERF: importing decimal takes 3 ms, and most programs never do.
    from decimal import Decimal

    if isinstance(o, Decimal | uuid.UUID):
        return str(o)
    if dataclasses.is_dataclass(o):
        return dataclasses.asdict(t.cast(t.Any, o))
    if hasattr(o, "__html__"):
        return str(o.__html__())
    raise TypeError(f"Object of type {type(o).__name__} is not JSON serializable")


class DefaultJSONProvider(JSONProvider):
    """JSON with Python's :mod:`json`, and more types than that knows.

    - :class:`~datetime.datetime` and :class:`~datetime.date` become text in the form of HTTP
      dates, in UTC (RFC 9110, section 5.6.7);
    - :class:`~decimal.Decimal` and :class:`~uuid.UUID` become text;
    - data classes become objects, with :func:`dataclasses.asdict`;
    - anything with a method ``__html__``, such as :class:`~markupsafe.Markup`, becomes the text
      that it returns.
    """

    #: Called with each object that :mod:`json` does not know. Returns something that it does, or
    #: raises :exc:`TypeError`.
    default: Callable[[t.Any], t.Any] = staticmethod(_default)

    #: Write characters beyond ASCII as escape sequences.
    ensure_ascii = True

    #: Sort the keys of objects, so that equal data gives equal text. Keys must then be of types
    #: that compare with each other.
    sort_keys = True

    #: Whether :meth:`response` leaves out all white space. ``None``: unless in debug mode.
    compact: bool | None = None

    #: The media type that :meth:`response` sets.
    mimetype = "application/json"

    #: How many arrays and objects :meth:`loads` lets stand inside each other; ``None`` for as many
    #: as Python's recursion limit allows. Far below that limit, so that what was read can be
    #: written, copied and walked through, too.
    max_depth: int | None = 500

    # The encoders made so far, by their settings. An instance gets a dictionary of its own with
    # the first one: subclasses need not call this class's __init__.
    _encoders: Mapping[t.Any, Encode] = MappingProxyType({})
    _kept_compact: tuple[t.Any, t.Any, t.Any, Encode] | None = None

    def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        """Return *obj* as JSON text.

        :param obj: the data.
        :param kwargs: as for :func:`json.dumps`; :attr:`default`, :attr:`ensure_ascii` and
            :attr:`sort_keys` hold where they are not given.
        :raises TypeError: if the data holds an object of an unknown type.
        :raises ValueError: if the data holds itself.
        """
        # PERF: json.dumps makes an encoder, in Python and in C, for each call that has any
        # setting of its own: half the time for a small object.
        key = (self.default, self.ensure_ascii, self.sort_keys, *kwargs.items())
        try:
            encode = self._encoders[key]
        except (KeyError, TypeError):  # TypeError: a setting has no hash, such as a list
            encode = self._add_encoder(key, kwargs)
        return encode(obj)

    def _dumps_compact(self, obj: t.Any) -> str:
        """Return *obj* as JSON text without white space."""
        # PERF: dumps looks its encoder up by all settings; here the last one is kept, as long as
        # the settings stay what they were and no subclass has a dumps of its own.
        kept = self._kept_compact
        if (
            kept is None
            or kept[0] is not self.default
            or kept[1] is not self.ensure_ascii
            or kept[2] is not self.sort_keys
            or "dumps" in self.__dict__
        ):
            return self._keep_compact(obj)
        return kept[3](obj)

    def _keep_compact(self, obj: t.Any) -> str:
        separators = (",", ":")
        text = self.dumps(obj, separators=separators)
        if type(self).dumps is DefaultJSONProvider.dumps and "dumps" not in self.__dict__:
            settings = (self.default, self.ensure_ascii, self.sort_keys)
            encode = self._encoders.get((*settings, ("separators", separators)))
            if encode is not None:
                self._kept_compact = (*settings, encode)
        return text

    def _add_encoder(self, key: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> Encode:
        options = {
            "default": self.default,
            "ensure_ascii": self.ensure_ascii,
            "sort_keys": self.sort_keys,
            **kwargs,
        }
        if "cls" in options:
            return lambda obj: json.dumps(obj, **options)
        encode = make_encoder(json.JSONEncoder(**options))
        try:
            hash(key)
        except TypeError:
            return encode
        kept = self._encoders if len(self._encoders) < _KEPT_ENCODERS else {}
        # Replaced as a whole: other threads may be reading the one before.
        self._encoders = {**kept, key: encode}
        return encode

    def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
        """Return the data in JSON text.

        :param s: text, or bytes in UTF-8.
        :param kwargs: as for :func:`json.loads`.
        :raises ValueError: if it is not JSON, is nested too deeply, or holds an integer of too
            many digits (:func:`sys.set_int_max_str_digits`).
        """
        try:
            value = json.loads(s, **kwargs) if kwargs else decode(s)
        except RecursionError:
            raise ValueError("The JSON data is nested too deeply.") from None
        limit = self.max_depth
        # Each level takes two characters at least.
        if limit is not None and len(s) > 2 * limit and is_deeper(value, s, limit):
            raise ValueError(f"The JSON data is nested more than {limit} deep.")
        return value

    def response(self, *args: t.Any, **kwargs: t.Any) -> Response:
        """Return a response with the arguments as JSON; :func:`erlen.jsonify` calls it.

        The text has no white space where :attr:`compact` says so, else an indentation of two; it
        ends with a line break. The media type is :attr:`mimetype`.

        One positional argument is the data; several are a list; keyword arguments are an object;
        none at all is ``null``.

        :raises TypeError: if positional and keyword arguments are mixed.
        """
        # PERF: the one argument of almost every call is the data itself.
        if len(args) == 1 and not kwargs:
            data = args[0]
        else:
            data = self._prepare_response_obj(args, kwargs)
        app = self._app
        compact = not app.config["DEBUG"] if self.compact is None else self.compact
        text = self._dumps_compact(data) if compact else self.dumps(data, indent=2)
        response: Response = app.response_class(text + "\n", mimetype=self.mimetype)
        return response


def make_encoder(settings: json.JSONEncoder) -> Encode:
    """Return a function that encodes as ``settings.encode`` does, without setting up each time.

    :param settings: an encoder of the standard class itself.
    """
    build: t.Any = getattr(json.encoder, "c_make_encoder", None)
    indent: object = settings.indent
    if build is None or indent is not None or not settings.check_circular:
        return settings.encode

    write_text = (
        json.encoder.encode_basestring_ascii
        if settings.ensure_ascii
        else json.encoder.encode_basestring
    )

    def build_one() -> t.Any:
        return build(
            {},  # the containers that are open, by which it knows a circle
            settings.default,
            write_text,
            None,
            settings.key_separator,
            settings.item_separator,
            settings.sort_keys,
            settings.skipkeys,
            settings.allow_nan,
        )

    # An encoder's note of open containers serves one call at a time, and an exception leaves it
    # dirty. So a call takes an encoder from this list and puts it back if all went well. The
    # methods of lists are atomic: threads need no lock here.
    idle = [build_one()]

    def encode(obj: t.Any) -> str:
        try:
            run = idle.pop()
        except IndexError:
            run = build_one()
        text = "".join(run(obj, 0))
        idle.append(run)
        return text

    return encode


def decode(s: str | bytes) -> t.Any:
    """Return what :func:`json.loads` returns, or raise what it raises.

    PERF: the usual input, without white space before it, goes to the scanner in C at once.
    """
    text = s
    # UTF-16, UTF-32 and a byte order mark show in the first four bytes.
    if type(s) is bytes and s[:4].isascii() and 0 not in s[:4]:
        text = s.decode("utf-8", "surrogatepass")
    if type(text) is not str:
        return json.loads(s)
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return json.loads(text)  # says what is wrong, if anything
    if end != len(text):
        rest = text[end:].lstrip(" \t\n\r")
        if rest:
            raise json.JSONDecodeError("Extra data", text, len(text) - len(rest))
    return value


_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

# How many levels are looked for in the text before the value itself is walked through.
_USUAL_DEPTH = 32


def is_deeper(value: t.Any, source: str | bytes, limit: int) -> bool:
    """Tell whether more than *limit* lists and dictionaries stand inside each other.

    :param value: the data.
    :param source: the JSON that it was read from.
    :param limit: the depth still allowed.
    """
    # PERF: brackets are counted in C; few documents have so many, and few of those are deep.
    if isinstance(source, str):
        if source.count("[") + source.count("{") <= limit:
            return False
        source = source.encode("ascii", "ignore")
    elif source.count(b"[") + source.count(b"{") <= limit:
        return False
    return not _is_shallow(source, limit) and _has_level(value, limit)


def _is_shallow(source: bytes, limit: int) -> bool:
    """Tell whether taking out empty pairs of brackets soon leaves none.

    That proves it; brackets in texts may keep it from being seen.
    """
    brackets = source.translate(None, _NO_BRACKETS)
    for _ in range(min(limit, _USUAL_DEPTH)):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not brackets:
            return True
    return False


def _has_level(value: t.Any, level: int) -> bool:
    containers = [value] if isinstance(value, (dict, list)) else []
    for _ in range(level):
        containers = [
            item
            for container in containers
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, (dict, list))
        ]
        if not containers:
            return False
    return True
