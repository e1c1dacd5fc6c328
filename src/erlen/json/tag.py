"""Tagged JSON: a compact form that keeps types which JSON does not have.

A value of such a type becomes an object with one key, the tag: ``(1, 2)`` is ``{" t": [1, 2]}``.
The session cookie is written this way. A new type takes a :class:`JSONTag` of its own::

    from erlen.json.tag import JSONTag

    class TagOrderedDict(JSONTag):
        __slots__ = ()
        key = " od"

        def check(self, value):
            return isinstance(value, OrderedDict)

        def to_json(self, value):
            return [[k, self.serializer.tag(v)] for k, v in value.items()]

        def to_python(self, value):
            return OrderedDict(value)

    # Before the tags for dict, which would take an OrderedDict too.
    app.session_interface.serializer.register(TagOrderedDict, index=0)
"""

from __future__ import annotations

import typing as t
from base64 import b64decode, b64encode
from datetime import datetime
from uuid import UUID

from markupsafe import Markup
from werkzeug.http import http_date, parse_date

from . import dumps, loads

# The types that none of the default tags takes, and that hold no other values.
_PLAIN = frozenset({str, int, float, bool, type(None)})


class JSONTag:
    """How one type is written, marked and read back.

    :param serializer: the serializer that the tag belongs to, for the values inside a value.
    """

    __slots__ = ("serializer",)

    #: The key that marks a value of the type. Empty for a tag that only passes through values
    #: JSON knows, to reach what is inside them.
    key: str = ""

    def __init__(self, serializer: TaggedJSONSerializer) -> None:
        self.serializer = serializer

    def check(self, value: t.Any) -> bool:
        """Tell whether *value* is of the type that this tag is for."""
        raise NotImplementedError

    def to_json(self, value: t.Any) -> t.Any:
        """Return *value* as something that JSON knows, without the mark."""
        raise NotImplementedError

    def to_python(self, value: t.Any) -> t.Any:
        """Return the value of the type for what :meth:`to_json` returned."""
        raise NotImplementedError

    def tag(self, value: t.Any) -> t.Any:
        """Return *value* as something that JSON knows, with the mark around it."""
        return {self.key: self.to_json(value)}


def _only_key(value: dict[str, t.Any]) -> str:
    (key,) = value
    return key


class TagDict(JSONTag):
    """For a dictionary that looks like a tagged value: its one key is a registered tag.

    The key is written with two underscores at its end, which reading takes off.
    """

    __slots__ = ()
    key = " di"

    def check(self, value: t.Any) -> bool:
        return (
            isinstance(value, dict) and len(value) == 1 and _only_key(value) in self.serializer.tags
        )

    def to_json(self, value: t.Any) -> t.Any:
        key = _only_key(value)
        return {f"{key}__": self.serializer.tag(value[key])}

    def to_python(self, value: t.Any) -> t.Any:
        key = _only_key(value)
        return {key.removesuffix("__"): value[key]}


class PassDict(JSONTag):
    """For any other dictionary: tags its values. Its keys become text, as JSON has it."""

    __slots__ = ()

    def check(self, value: t.Any) -> bool:
        return isinstance(value, dict)

    def to_json(self, value: t.Any) -> t.Any:
        tag = self.serializer.tag
        return {key: tag(item) for key, item in value.items()}

    tag = to_json


class TagTuple(JSONTag):
    """For tuples."""

    __slots__ = ()
    key = " t"

    def check(self, value: t.Any) -> bool:
        return isinstance(value, tuple)

    def to_json(self, value: t.Any) -> t.Any:
        return list(map(self.serializer.tag, value))

    def to_python(self, value: t.Any) -> t.Any:
        return tuple(value)


class PassList(JSONTag):
    """For lists: tags their items."""

    __slots__ = ()

    def check(self, value: t.Any) -> bool:
        return isinstance(value, list)

    def to_json(self, value: t.Any) -> t.Any:
        return list(map(self.serializer.tag, value))

    tag = to_json


class TagBytes(JSONTag):
    """For bytes, in base 64."""

    __slots__ = ()
    key = " b"

    def check(self, value: t.Any) -> bool:
        return isinstance(value, bytes)

    def to_json(self, value: t.Any) -> t.Any:
        return b64encode(value).decode("ascii")

    def to_python(self, value: t.Any) -> t.Any:
        return b64decode(value)


class TagMarkup(JSONTag):
    """For anything with a method ``__html__``; it comes back as :class:`~markupsafe.Markup`."""

    __slots__ = ()
    key = " m"

    def check(self, value: t.Any) -> bool:
        return callable(getattr(value, "__html__", None))

    def to_json(self, value: t.Any) -> t.Any:
        return str(value.__html__())

    def to_python(self, value: t.Any) -> t.Any:
        return Markup(value)


class TagUUID(JSONTag):
    """For UUIDs, in 32 hexadecimal digits."""

    __slots__ = ()
    key = " u"

    def check(self, value: t.Any) -> bool:
        return isinstance(value, UUID)

    def to_json(self, value: t.Any) -> t.Any:
        return value.hex

    def to_python(self, value: t.Any) -> t.Any:
        return UUID(value)


class TagDateTime(JSONTag):
    """For dates with a time, as HTTP dates: whole seconds, in UTC."""

    __slots__ = ()
    key = " d"

    def check(self, value: t.Any) -> bool:
        return isinstance(value, datetime)

    def to_json(self, value: t.Any) -> t.Any:
        return http_date(value)

    def to_python(self, value: t.Any) -> t.Any:
        return parse_date(value)


class TaggedJSONSerializer:
    """Writes and reads tagged JSON.

    It knows dictionaries, lists, tuples, bytes, markup, UUIDs and dates with a time; further types
    with :meth:`register`.
    """

    __slots__ = ("_plain_order", "order", "tags")

    #: The tags that a new serializer has, in the order in which they are asked.
    default_tags: t.ClassVar[list[type[JSONTag]]] = [
        TagDict,
        PassDict,
        TagTuple,
        PassList,
        TagBytes,
        TagMarkup,
        TagUUID,
        TagDateTime,
    ]
    _plain_tags = tuple(default_tags)

    def __init__(self) -> None:
        self.tags: dict[str, JSONTag] = {}
        self.order: list[JSONTag] = []
        for tag_class in self.default_tags:
            self.register(tag_class)
        # The order under which _tag_plainly gives what tag would.
        self._plain_order = self.order.copy() if self._is_plain() else []

    def _is_plain(self) -> bool:
        return (
            type(self).tag is TaggedJSONSerializer.tag
            and tuple(self.default_tags) == self._plain_tags
        )

    def register(
        self, tag_class: type[JSONTag], force: bool = False, index: int | None = None
    ) -> None:
        """Add a tag.

        :param tag_class: the tag's class.
        :param force: replace a tag that has the same key.
        :param index: where in the order to put it; at the end where ``None``. A tag for a subclass
            belongs before the one for its base.
        :raises KeyError: if there is a tag with the same key, unless *force* is true.
        """
        tag = tag_class(self)
        if tag.key:
            if tag.key in self.tags and not force:
                raise KeyError(f"Tag '{tag.key}' is already registered.")
            self.tags[tag.key] = tag
        self.order.insert(len(self.order) if index is None else index, tag)

    def tag(self, value: t.Any) -> t.Any:
        """Return *value* as JSON knows it, marked where it has to be."""
        for tag in self.order:
            if tag.check(value):
                return tag.tag(value)
        return value

    def untag(self, value: dict[str, t.Any]) -> t.Any:
        """Return what a dictionary stands for, if it is a marked value; else itself."""
        if len(value) != 1:
            return value
        key = _only_key(value)
        tag = self.tags.get(key)
        return value if tag is None else tag.to_python(value[key])

    def dumps(self, value: t.Any) -> str:
        """Return *value* as compact tagged JSON."""
        tagged = self._tag_plainly(value) if self.order == self._plain_order else self.tag(value)
        return dumps(tagged, separators=(",", ":"))

    def loads(self, value: str) -> t.Any:
        """Return the value that tagged JSON stands for."""
        return self._untag_scan(loads(value))

    def _tag_plainly(self, value: t.Any) -> t.Any:
        """Tag a value under the default tags.

        PERF: :meth:`tag` asks eight tags about each text or number in a session, in vain.
        """
        kind = type(value)
        if kind in _PLAIN:
            return value
        tag = self._tag_plainly
        if kind is dict and (len(value) != 1 or _only_key(value) not in self.tags):
            return {key: item if type(item) in _PLAIN else tag(item) for key, item in value.items()}
        if kind is list:
            return list(map(tag, value))
        return self.tag(value)

    def _untag_scan(self, value: t.Any) -> t.Any:
        """Return *value* with all marked values in it replaced, the innermost first."""
        if isinstance(value, dict):
            scan = self._untag_scan
            return self.untag(
                {key: item if type(item) in _PLAIN else scan(item) for key, item in value.items()}
            )
        if isinstance(value, list):
            return list(map(self._untag_scan, value))
        return value
