"""Tagged JSON: types that JSON does not have, kept."""

from __future__ import annotations

import typing as t
from collections import OrderedDict
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from erlen import Flask
from erlen.json.tag import JSONTag, TagDict, TaggedJSONSerializer

AN_ID = UUID("12345678123456781234567812345678")
A_DATE = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, "b": [None, True, 1.5, "x"]}, '{"a":1,"b":[null,true,1.5,"x"]}'),
        ((1, 2), '{" t":[1,2]}'),
        ([(1,)], '[{" t":[1]}]'),
        (b"\xff", '{" b":"/w=="}'),
        (Markup("<b>"), '{" m":"<b>"}'),
        (AN_ID, '{" u":"12345678123456781234567812345678"}'),
        (A_DATE, '{" d":"Thu, 29 Feb 2024 12:00:00 GMT"}'),
        ({" t": "x"}, '{" di":{" t__":"x"}}'),
        ({" t": (1,), "y": 1}, '{" t":{" t":[1]},"y":1}'),
        ({" di": {" di": 1}}, '{" di":{" di__":{" di":{" di__":1}}}}'),
        ({" x": 1}, '{" x":1}'),
    ],
)
def test_form_on_the_wire(value: t.Any, text: str) -> None:
    """Each type has its form, which is Flask's, and comes back from it."""
    serializer = TaggedJSONSerializer()
    assert serializer.dumps(value) == text
    back = serializer.loads(text)
    assert back == value
    assert type(back) is type(value)


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
dates = st.datetimes(min_value=datetime(1970, 1, 1)).map(
    lambda date: date.replace(microsecond=0, tzinfo=UTC)
)
keys = st.text() | st.sampled_from([" t", " t__", " di", " di__", " b", " d", " u", " m"])
values = st.recursive(
    plain | st.binary() | st.uuids() | dates | st.text().map(Markup),
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=15,
)


@given(values)
def test_what_is_written_is_read(value: t.Any) -> None:
    """Reading gives back what was written, whatever it was."""
    serializer = TaggedJSONSerializer()
    assert serializer.loads(serializer.dumps(value)) == value


@given(values)
def test_the_quick_way_of_tagging_gives_the_same(value: t.Any) -> None:
    """The way past the tags, for types that none of them takes, changes nothing."""
    serializer = TaggedJSONSerializer()
    assert serializer._tag_plainly(value) == serializer.tag(value)


class TagOrdered(JSONTag):
    """A tag for a subclass of ``dict``."""

    __slots__ = ()
    key = " od"

    def check(self, value: t.Any) -> bool:
        return isinstance(value, OrderedDict)

    def to_json(self, value: t.Any) -> t.Any:
        return [[key, self.serializer.tag(item)] for key, item in value.items()]

    def to_python(self, value: t.Any) -> t.Any:
        return OrderedDict(value)


def test_a_tag_of_ones_own() -> None:
    """A registered tag is asked in its place, for values inside others too."""
    serializer = TaggedJSONSerializer()
    serializer.register(TagOrdered, index=0)
    value = {"order": [OrderedDict(b=(1,), a=2)]}
    assert serializer.dumps(value) == '{"order":[{" od":[["b",{" t":[1]}],["a",2]]}]}'
    assert serializer.loads(serializer.dumps(value)) == value


def test_a_tag_for_a_plain_type() -> None:
    """A tag may take what the default ones let pass."""

    class TagText(JSONTag):
        key = " s"

        def check(self, value: t.Any) -> bool:
            return isinstance(value, str)

        def to_json(self, value: t.Any) -> t.Any:
            return value[::-1]

        def to_python(self, value: t.Any) -> t.Any:
            return value[::-1]

    serializer = TaggedJSONSerializer()
    serializer.register(TagText)
    assert serializer.dumps(["ab"]) == '[{" s":"ba"}]'
    assert serializer.loads('[{" s":"ba"}]') == ["ab"]


def test_a_tag_put_into_the_order_by_hand() -> None:
    """The list of tags may be edited directly."""
    serializer = TaggedJSONSerializer()
    serializer.order.insert(0, TagOrdered(serializer))
    assert serializer.dumps([OrderedDict(a=1)]) == '[{" od":[["a",1]]}]'


def test_a_subclass_may_tag_otherwise() -> None:
    """A subclass's own ``tag`` is asked for each value."""

    class Shouting(TaggedJSONSerializer):
        def tag(self, value: t.Any) -> t.Any:
            return value.upper() if isinstance(value, str) else super().tag(value)

    assert Shouting().dumps({"a": ["b"]}) == '{"a":["B"]}'


def test_a_key_is_registered_once() -> None:
    """A second tag with the same key is an error, unless it is meant."""

    class Other(JSONTag):
        key = " di"

    serializer = TaggedJSONSerializer()
    with pytest.raises(KeyError, match="' di' is already registered"):
        serializer.register(Other)
    serializer.register(Other, force=True, index=0)
    assert isinstance(serializer.tags[" di"], Other)
    assert isinstance(serializer.order[0], Other)
    assert isinstance(serializer.order[1], TagDict)


def test_places_in_the_order() -> None:
    """A tag goes to its index, from the end if negative, or to the end."""

    class One(JSONTag):
        key = " 1"

    class Two(JSONTag):
        key = " 2"

    serializer = TaggedJSONSerializer()
    serializer.register(One, index=-1)
    serializer.register(Two)
    assert isinstance(serializer.order[-3], One)
    assert isinstance(serializer.order[-1], Two)


def test_the_base_class_leaves_all_to_subclasses() -> None:
    """A tag has to say what it is for."""
    tag = JSONTag(TaggedJSONSerializer())
    for method in (tag.check, tag.to_json, tag.to_python):
        with pytest.raises(NotImplementedError):
            method(1)


def test_the_applications_provider_writes(app: Flask) -> None:
    """In an application context the JSON is written by ``app.json``."""
    app.json.sort_keys = False  # type: ignore[attr-defined]
    serializer = TaggedJSONSerializer()
    with app.app_context():
        assert serializer.dumps({"b": 1, "a": 2}) == '{"b":1,"a":2}'
