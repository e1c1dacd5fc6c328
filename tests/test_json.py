"""JSON: what the provider writes and reads, and the functions that use it."""

from __future__ import annotations

import dataclasses
import decimal
import json as std_json
import threading
import typing as t
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from io import BytesIO, StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from erlen import Flask, json, jsonify, request
from erlen.json.provider import DefaultJSONProvider, JSONProvider, make_encoder
from erlen.testing import FlaskClient


@dataclasses.dataclass
class Point:
    """A data class with a value that JSON does not know."""

    x: int
    at: date


class Page:
    """Something that renders itself."""

    def __html__(self) -> str:
        return "<p>"


# What is written


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2024, 2, 29), '"Thu, 29 Feb 2024 00:00:00 GMT"'),
        (datetime(2024, 2, 29, 12, 30, 5, 999), '"Thu, 29 Feb 2024 12:30:05 GMT"'),
        (
            datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=2))),
            '"Thu, 29 Feb 2024 10:00:00 GMT"',
        ),
        (decimal.Decimal("1.10"), '"1.10"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Point(1, date(2024, 2, 29)), '{"at": "Thu, 29 Feb 2024 00:00:00 GMT", "x": 1}'),
        (Markup("<b>"), '"<b>"'),
        (Page(), '"<p>"'),
        ({"b": 1, "a": "é"}, '{"a": "\\u00e9", "b": 1}'),
        ("é", '"\\u00e9"'),
        (float("inf"), "Infinity"),
        ((1, [None, True, 1.5]), "[1, [null, true, 1.5]]"),
        ({1: 1, 2: 2}, '{"1": 1, "2": 2}'),
    ],
)
def test_values(app: Flask, value: t.Any, text: str) -> None:
    """Each type has the form that Flask gives it."""
    assert app.json.dumps(value) == text


@pytest.mark.parametrize("value", [object(), Point, {1, 2}, b"bytes", [{"a": object()}]])
def test_unknown_types(app: Flask, value: t.Any) -> None:
    """What has no form is a TypeError, and does not spoil the next call."""
    for _ in range(2):
        with pytest.raises(TypeError):
            app.json.dumps(value)
    assert app.json.dumps([1]) == "[1]"


def test_a_circle_is_an_error(app: Flask) -> None:
    """Data that holds itself is a ValueError; the same object twice is none."""
    part: list[t.Any] = []
    assert app.json.dumps([part, part]) == "[[], []]"
    part.append([part])
    for _ in range(2):
        with pytest.raises(ValueError, match="Circular reference"):
            app.json.dumps(part)
    part.clear()
    assert app.json.dumps([part, part]) == "[[], []]"


def test_a_default_that_dumps_itself(app: Flask) -> None:
    """An encoder in use is not used for a call inside that call."""
    shared = [1]

    class Nested:
        def __html__(self) -> str:
            return app.json.dumps(shared)

    assert app.json.dumps([shared, Nested(), shared]) == '[[1], "[1]", [1]]'


def test_threads_write_at_the_same_time(app: Flask) -> None:
    """Threads that write the same object do not take each other for a circle."""
    shared = {"a": [1, 2, 3]}
    meeting = threading.Barrier(8)
    results = []

    class Waiting:
        def __html__(self) -> str:
            meeting.wait(10)
            return "met"

    def write() -> None:
        results.append(app.json.dumps([shared, Waiting(), shared]))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ['[{"a": [1, 2, 3]}, "met", {"a": [1, 2, 3]}]'] * 8


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
documents = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
settings = st.fixed_dictionaries(
    {},
    optional={
        "ensure_ascii": st.booleans(),
        "sort_keys": st.booleans(),
        "indent": st.none() | st.integers(0, 4) | st.just("\t"),
        "separators": st.just((",", ":")) | st.just([";", "="]),
        "skipkeys": st.booleans(),
        "check_circular": st.booleans(),
    },
)


@given(documents, settings)
def test_writing_as_the_standard_library_does(document: t.Any, options: dict[str, t.Any]) -> None:
    """With each setting, the text is that of ``json.dumps``; reading gives the data back."""
    provider = DefaultJSONProvider(Flask("app"))
    text = provider.dumps(document, **options)
    assert text == provider.dumps(document, **options)
    assert text == std_json.dumps(document, **{"sort_keys": True, **options})
    if "separators" not in options:
        assert provider.loads(text) == provider.loads(text.encode()) == document


def test_without_the_compiled_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an interpreter without it, the encoder of the standard library is used."""
    monkeypatch.setattr("json.encoder.c_make_encoder", None)
    assert make_encoder(std_json.JSONEncoder(sort_keys=True))({"b": [1], "a": 2}) == (
        '{"a": 2, "b": [1]}'
    )


# Settings


def test_settings_of_the_instance_take_effect_at_once(app: Flask) -> None:
    """The attributes are read at each call."""
    provider = t.cast(DefaultJSONProvider, app.json)
    data = {"b": "é", "a": 1}
    assert provider.dumps(data) == '{"a": 1, "b": "\\u00e9"}'
    provider.sort_keys = False
    assert provider.dumps(data) == '{"b": "\\u00e9", "a": 1}'
    provider.ensure_ascii = False
    assert provider.dumps(data) == '{"b": "é", "a": 1}'
    provider.default = str
    assert provider.dumps(date(2024, 2, 29)) == '"2024-02-29"'


def test_settings_of_a_subclass(app: Flask) -> None:
    """A subclass sets attributes, and may write ``default`` as a method."""

    class Provider(DefaultJSONProvider):
        sort_keys = False
        mark = "!"

        def default(self, o: t.Any) -> t.Any:
            return f"{type(o).__name__}{self.mark}"

    app.json = Provider(app)
    assert app.json.dumps({"b": object(), "a": 1}) == '{"b": "object!", "a": 1}'
    with app.app_context():
        assert jsonify(b=1, a={2}).data == b'{"b":1,"a":"set!"}\n'


def test_a_subclass_without_our_initializer() -> None:
    """A provider need not call the initializer of its base class."""

    class Provider(DefaultJSONProvider):
        def __init__(self) -> None:
            pass

    assert Provider().dumps({"a": 1}) == '{"a": 1}'


def test_arguments_win_over_settings(app: Flask) -> None:
    """What a call says holds for the call."""
    dumps = app.json.dumps
    assert dumps({"b": 1, "a": 2}, sort_keys=False) == '{"b": 1, "a": 2}'
    assert dumps(["é"], ensure_ascii=False, separators=(",", ":")) == '["é"]'
    assert dumps([1], indent=1) == "[\n 1\n]"
    assert dumps(object(), default=lambda o: "x") == '"x"'
    assert dumps([1, 2], separators=["; ", ": "]) == "[1; 2]"
    with pytest.raises(TypeError):
        dumps([1], no_such_option=True)


def test_an_encoder_class(app: Flask) -> None:
    """``cls`` names an encoder, which gets the provider's settings."""

    class Shouting(std_json.JSONEncoder):
        def encode(self, o: t.Any) -> str:
            return super().encode(o).upper()

    assert app.json.dumps({"b": date(2024, 2, 29), "a": 1}, cls=Shouting) == (
        '{"A": 1, "B": "THU, 29 FEB 2024 00:00:00 GMT"}'
    )


def test_encoders_do_not_pile_up(app: Flask) -> None:
    """A new ``default`` for each call leaves no trail."""
    for number in range(200):
        assert app.json.dumps(object(), default=lambda o, n=number: n) == str(number)
    assert len(t.cast(DefaultJSONProvider, app.json)._encoders) < 50


# What is read


@pytest.mark.parametrize(
    "text", ['{"a": [1, "é"]}', " [1]\n", "1", '"x"', "[1] \t\r\n", "null", "NaN"]
)
@pytest.mark.parametrize("encoding", [None, "utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_reading_text_and_bytes(app: Flask, text: str, encoding: str | None) -> None:
    """Text is read, and bytes in each encoding of Unicode."""
    source = text if encoding is None else text.encode(encoding)
    assert repr(app.json.loads(source)) == repr(std_json.loads(text))


@pytest.mark.parametrize(
    "source",
    [
        "",
        " ",
        "[",
        "[1] x",
        "{'a': 1}",
        '{"a" 1}',
        "[1,]",
        "\ufeff1",
        "01",
        b"\xff",
        b"",
        "[1]\xa0",
    ],
)
def test_malformed_input(app: Flask, source: str | bytes) -> None:
    """What is no JSON is the error of the standard library, with its text."""
    with pytest.raises(ValueError) as expected:
        std_json.loads(source)
    with pytest.raises(type(expected.value)) as caught:
        app.json.loads(source)
    assert str(caught.value) == str(expected.value)


@given(st.text(alphabet='[]{}",:0123456789eE+-.tfn \n\\u\xa0') | st.binary(max_size=20))
def test_any_input(source: str | bytes) -> None:
    """Whatever comes in, it is read or refused as by the standard library."""
    provider = DefaultJSONProvider(Flask("app"))
    try:
        expected = std_json.loads(source)
    except ValueError as error:
        with pytest.raises(ValueError) as caught:
            provider.loads(source)
        assert str(caught.value) == str(error)
    else:
        assert repr(provider.loads(source)) == repr(expected)


def test_options_for_reading(app: Flask) -> None:
    """Arguments of ``json.loads`` are passed on."""
    assert app.json.loads("1.5", parse_float=decimal.Decimal) == decimal.Decimal("1.5")


@pytest.mark.parametrize("depth", [501, 900, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"[":', "}]")])
def test_nested_too_deeply(app: Flask, depth: int, opening: str, closing: str) -> None:
    """Deep nesting is a ValueError, not a RecursionError."""
    text = opening * depth + "1" + closing * depth
    with pytest.raises(ValueError, match="nested"):
        app.json.loads(text)
    with pytest.raises(ValueError, match="nested"):
        app.json.loads(text.encode(), parse_int=int)


def test_the_depth_allowed(app: Flask) -> None:
    """Nesting up to the limit is read and can be written; the limit can be moved."""
    provider = t.cast(DefaultJSONProvider, app.json)
    text = "[" * 500 + "]" * 500
    assert provider.dumps(provider.loads(text)) == text
    provider.max_depth = 499
    with pytest.raises(ValueError, match="more than 499 deep"):
        provider.loads(text)
    provider.max_depth = None
    assert provider.dumps(provider.loads(f"[{text}]")) == f"[{text}]"


@pytest.mark.parametrize(
    "document",
    [[[1]] * 1000, ["[" * 1000], [{"a": ["}"]}] * 1000, ["[[["] + [[]] * 600, 5, "[" * 900],
)
def test_many_brackets_are_not_depth(app: Flask, document: t.Any) -> None:
    """Many arrays beside each other, and brackets in texts, are fine."""
    assert app.json.loads(std_json.dumps(document)) == document


def test_numbers_of_many_digits(app: Flask) -> None:
    """An integer that would take too long to read is a ValueError."""
    with pytest.raises(ValueError, match="limit"):
        app.json.loads("9" * 5000)


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"9" * 5000, b"\xff", b"{", b"[" * 700 + b"]" * 700]
)
def test_a_request_with_bad_json_is_refused(
    app: Flask, gateway_client: FlaskClient, body: bytes
) -> None:
    """Bad JSON in a request is answered with 400."""

    @app.post("/")
    def index() -> t.Any:
        return jsonify(request.get_json())

    response = gateway_client.post("/", data=body, content_type="application/json")
    assert response.status_code == 400


# Responses


@pytest.mark.parametrize(
    ("debug", "compact", "body"),
    [
        (False, None, b'{"a":[1]}\n'),
        (True, None, b'{\n  "a": [\n    1\n  ]\n}\n'),
        (True, True, b'{"a":[1]}\n'),
        (False, False, b'{\n  "a": [\n    1\n  ]\n}\n'),
    ],
)
def test_white_space_of_a_response(
    app: Flask, debug: bool, compact: bool | None, body: bytes
) -> None:
    """A response is compact out of debug mode, unless the provider says otherwise."""
    app.debug = debug
    app.json.compact = compact  # type: ignore[attr-defined]
    with app.app_context():
        response = jsonify({"a": [1]})
    assert response.data == body
    assert response.mimetype == "application/json"


def test_arguments_of_jsonify(app_ctx: object) -> None:
    """One argument is the data, several are a list, keywords an object, none is null."""
    assert jsonify(1).json == 1
    assert jsonify(1, [2]).json == [1, [2]]
    assert jsonify(a=1).json == {"a": 1}
    assert jsonify().json is None
    assert jsonify({}).json == {}
    with pytest.raises(TypeError, match="either args or kwargs"):
        jsonify(1, a=1)


def test_the_media_type_can_be_changed(app: Flask, app_ctx: object) -> None:
    """The provider says which type its responses have."""
    app.json.mimetype = "application/vnd.api+json"  # type: ignore[attr-defined]
    assert jsonify(1).headers["Content-Type"] == "application/vnd.api+json"


def test_views_may_return_dicts_and_lists(app: Flask, gateway_client: FlaskClient) -> None:
    """A ``dict`` or ``list`` becomes a JSON response."""
    app.add_url_rule("/dict", "dict", lambda: {"b": 1, "a": date(2024, 2, 29)})
    app.add_url_rule("/list", "list", lambda: [1, "é"])
    assert gateway_client.get("/dict").data == (b'{"a":"Thu, 29 Feb 2024 00:00:00 GMT","b":1}\n')
    assert gateway_client.get("/list").data == b'[1,"\\u00e9"]\n'


def test_jsonify_outside_an_application() -> None:
    """Without an application there is no response to make."""
    with pytest.raises(RuntimeError, match="outside of application context"):
        jsonify(1)


# Providers of other libraries


class Backwards(JSONProvider):
    """A provider that writes texts backwards."""

    def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        return std_json.dumps(obj)[::-1]

    def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
        return std_json.loads(s[::-1])


def test_a_provider_of_ones_own(app: Flask) -> None:
    """Two methods are enough; everything goes through them."""
    app.json = Backwards(app)
    out = StringIO()
    with app.app_context():
        assert json.dumps([1, 2]) == "]2 ,1["
        assert json.loads("]2 ,1[") == [1, 2]
        json.dump("ab", out)
        assert out.getvalue() == '"ba"'
        assert json.load(BytesIO(b'"ba"')) == "ab"
        assert jsonify([1, 2]).data == b"]2 ,1["


def test_a_provider_class() -> None:
    """An application class names the class of its provider."""

    class App(Flask):
        json_provider_class = Backwards

    assert isinstance(App("app").json, Backwards)


def test_the_base_class_leaves_all_to_subclasses(app: Flask) -> None:
    """The interface itself neither writes nor reads."""
    provider = JSONProvider(app)
    with pytest.raises(NotImplementedError):
        provider.dumps(1)
    with pytest.raises(NotImplementedError):
        provider.loads("1")


# Without an application


def test_functions_without_an_application() -> None:
    """They follow Python's ``json``, but know the same types."""
    out = StringIO()
    assert json.dumps({"b": date(2024, 2, 29), "a": 1}) == (
        '{"b": "Thu, 29 Feb 2024 00:00:00 GMT", "a": 1}'
    )
    json.dump({"at": datetime(2024, 2, 29, tzinfo=UTC)}, out)
    assert out.getvalue() == '{"at": "Thu, 29 Feb 2024 00:00:00 GMT"}'
    assert json.loads(b"[1]") == json.load(StringIO("[1]")) == [1]
    assert json.dumps(object(), default=lambda o: 1) == "1"
