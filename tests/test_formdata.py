"""Forms: both kinds are taken apart as Werkzeug does it, within their limits, in linear time."""

from __future__ import annotations

import io
import time
import typing as t
from tempfile import SpooledTemporaryFile
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser, default_stream_factory

from erlen import Flask, Request, multipart, request
from erlen.datastructures import parse_pairs
from erlen.formdata import FormParser

BOUNDARY = "frontier"

Part: t.TypeAlias = "tuple[bytes, bytes]"
Form: t.TypeAlias = "tuple[list[tuple[str, str]], list[tuple[t.Any, ...]]]"


def encode(parts: t.Iterable[Part], boundary: str = BOUNDARY) -> bytes:
    """Return a well-formed body of parts, each of which is its headers and its content."""
    mark = b"--" + boundary.encode()
    pieces = [mark + b"\r\n" + headers + b"\r\n\r\n" + body + b"\r\n" for headers, body in parts]
    return b"".join(pieces) + mark + b"--\r\n"


def field(name: str, value: bytes, *more: str) -> Part:
    """Return a part that is a field."""
    headers = [f'Content-Disposition: form-data; name="{name}"', *more]
    return "\r\n".join(headers).encode(), value


def upload(name: str, filename: str, data: bytes, *more: str) -> Part:
    """Return a part that is a file."""
    headers = [f'Content-Disposition: form-data; name="{name}"; filename="{filename}"', *more]
    return "\r\n".join(headers).encode(), data


class Slow(io.BytesIO):
    """A stream that gives at most so many bytes at a time."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self.most = most

    def read(self, size: int | None = -1) -> bytes:
        """Return some of the bytes that were asked for."""
        return super().read(self.most if size is None or size < 0 else min(size, self.most))


def plain(fields: t.Any, files: t.Any) -> Form:
    """Return all there is to know of a form, in values that can be compared."""
    known = []
    for name, file in files.items(multi=True):
        assert isinstance(file, FileStorage)
        assert file.name == name
        known.append((name, file.filename, list(file.headers), file.content_length, file.read()))
        file.close()
    return list(fields.items(multi=True)), known


def ours(body: bytes, boundary: str = BOUNDARY, most: int = 1 << 30, **limits: t.Any) -> Form:
    """Take a form apart with the parser under test; errors come through."""
    parser = FormParser(silent=False, **limits)
    options = {"boundary": boundary}
    _, fields, files = parser.parse(Slow(body, most), "multipart/form-data", len(body), options)
    return plain(fields, files)


def reference(body: bytes, boundary: str = BOUNDARY) -> Form:
    """Take a form apart with Werkzeug's parser."""
    parser = MultiPartParser(buffer_size=max(len(body), 1024))
    return plain(*parser.parse(io.BytesIO(body), boundary.encode(), len(body)))


PARTS: list[Part] = [
    field("a", b"1"),
    field("empty", b""),
    field("", b"no name"),
    field("lines", b"\r\n\r\none\r\ntwo\n\n\r\r"),
    field("dashes", b"--\r\n--\r\n--frontie\r\n--frontierx\r\n-- frontier\r\nx--frontier\r\n"),
    field("utf8", "grüße".encode()),
    field("bad utf8", b"\xff\xfe"),
    field("latin", b"gr\xfc\xdfe", "Content-Type: text/plain; charset=ISO-8859-1"),
    field("other", b"gr\xfc\xdfe", "Content-Type: text/plain; charset=utf-16"),
    field("mixed", b"x", "content-type: text/plain", "X-More: 1"),
    (b"content-disposition:form-data;name=token", b"x"),
    (b'Content-Disposition: form-data; name="es\\"caped"', b"x"),
    (b'Content-Disposition: form-data; name="per%22cent"', b"x"),
    (b"Content-Disposition: form-data; name*=UTF-8''gr%C3%BC%C3%9Fe", b"x"),
    (b'Content-Disposition: form-data;\r\n name="folded"', b"x"),
    (b'Content-Disposition: form-data;\r\n\tname="folded";\r\n filename="f.txt"', b"x"),
    (b'Content-Type: text/plain\r\nContent-Disposition: form-data; name="later"', b"x"),
    (b'Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name=b', b"x"),
    (b"Content-Disposition: form-data", b"nameless"),
    (b"Content-Disposition", b"valueless"),
    (b'Content-Disposition: form-data; name="a"\r\nno colon\r\n: no name', b"x"),
    upload("f", "a.txt", b"data", "Content-Type: text/plain"),
    upload("f", "a.txt", b"data", "Content-Type: text/plain", "Content-Length: 4"),
    upload("f", "a.txt", b"data", "Content-Length: many"),
    upload("f", "", b"", "Content-Type: application/octet-stream"),
    upload("f", "..\\..\\a b;c.txt", b"\0\r\n\xff"),
    upload("f", "grüße.txt", b"x"),
    upload("f", "large", bytes(range(256)) * 2500),
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: repr(part[0])[:60])
def test_each_kind_of_part_is_read_as_by_werkzeug(part: Part) -> None:
    """Names, values, headers and files are the same."""
    body = encode([part, field("after", b"2")])
    assert ours(body) == reference(body)


def test_the_order_of_parts_is_kept() -> None:
    """Fields and files of one name keep their order."""
    body = encode(PARTS)
    assert ours(body) == reference(body)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 50])
def test_the_size_of_reads_does_not_matter(most: int) -> None:
    """A form may come in pieces of any size."""
    parts = [part for part in PARTS if len(part[1]) < 1000]
    body = b"preamble --fron\r\n" + encode(parts) + b"epilogue"
    assert ours(body, most=most) == reference(body)


@pytest.mark.parametrize("offset", range(-12, 13))
def test_a_delimiter_may_lie_across_chunks(offset: int) -> None:
    """Wherever a chunk ends, delimiters are found and data is not."""
    size = multipart._CHUNK - len(encode([upload("f", "a", b"")])) + 14 + offset
    data = (b"\r\n--frontie" * (size // 11 + 1))[:size]
    body = encode([upload("f", "a", data), field("after", b"2")])
    assert ours(body)[1][0][-1] == data
    assert ours(body)[0] == [("after", "2")]


@pytest.mark.parametrize(
    "body",
    [
        b"--frontier--",
        b"--frontier--\r\n",
        b"--frontier-- and more",
        b"preamble--frontier--\r\n",
        b'--frontier \t\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--frontier--',
        b'--frontier\nContent-Disposition: form-data; name="a"\n\n1\n--frontier--',
        b'--frontier\rContent-Disposition: form-data; name="a"\r\r1\r--frontier--',
        b'--frontier\rContent-Disposition: form-data; name="a"\r\r\n1\r--frontier--',
        b'--frontier\r\nContent-Disposition: form-data; name="a"\r\n\r\n--frontier--',
        b'--frontier\r\n\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--frontier--',
        b'--frontier\r\nContent-Disposition: form-data; name="a"\n\n1\r--frontier\n'
        b'Content-Disposition: form-data; name="b"\r\r2\n--frontier--\r\n',
        b'--frontier\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\r\n--frontier--',
    ],
)
@pytest.mark.parametrize("most", [1, 1 << 20])
def test_odd_forms_are_read_as_by_werkzeug(body: bytes, most: int) -> None:
    """Line ends may be CR or LF, and a boundary may be padded or end the form at once."""
    assert ours(body, most=most) == reference(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing",
        b"--frontier",
        b"--frontier\r\n",
        b"--frontierx\r\n",
        b"--frontier\r\nContent-Disposition: form-data; name=a",
        b"--frontier\r\nContent-Disposition: form-data; name=a\r\n\r\n",
        b"--frontier\r\nContent-Disposition: form-data; name=a\r\n\r\n1",
        b"--frontier\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--frontier\r\n",
        b"--frontier\r\nContent-Disposition: form-data; name=a\r\n\r\n1--frontier--\r\n",
        b"--frontier\r\nContent-Type: text/plain\r\n\r\n1\r\n--frontier--\r\n",
        b"--frontier\r\nContent-Disposition: form-data; name=\xff\r\n\r\n1\r\n--frontier--\r\n",
        b'--frontier\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n--frontier--\r\n',
    ],
)
@pytest.mark.parametrize("most", [1, 1 << 20])
def test_malformed_forms_are_refused_as_by_werkzeug(body: bytes, most: int) -> None:
    """They raise ValueError, which a request takes for an empty form."""
    with pytest.raises(ValueError):
        reference(body)
    with pytest.raises(ValueError):
        ours(body, most=most)
    parser = FormParser()
    _, fields, files = parser.parse(
        Slow(body, most), "multipart/form-data", len(body), {"boundary": BOUNDARY}
    )
    assert not fields
    assert not files


@pytest.mark.parametrize("options", [None, {}, {"boundary": ""}, {"boundary": "grüße"}])
def test_a_form_without_a_boundary_is_malformed(options: dict[str, str] | None) -> None:
    """What separates the parts must be told, in ASCII."""
    parser = FormParser(silent=False)
    with pytest.raises(ValueError):
        parser.parse(io.BytesIO(encode([])), "multipart/form-data", None, options)


snippets = st.sampled_from(
    [
        b"--frontier",
        b"--frontier--",
        b"--frontie",
        b"--",
        b"-",
        b"\r\n",
        b"\r",
        b"\n",
        b" ",
        b"\t",
        b"x",
        b"\xff",
        b":",
        b"Content-Disposition: form-data; name=a",
        b'Content-Disposition: form-data; name="b"; filename="c"',
        b"Content-Type: text/plain; charset=iso-8859-1",
        b"Content-Length: 3",
    ]
)
soup = st.lists(snippets, max_size=30).map(b"".join)
contents = st.one_of(st.binary(max_size=40), soup)
valid_parts = st.builds(
    lambda headers, data: (headers[0], data.replace(b"--frontier", b"")),
    st.sampled_from([part for part in PARTS if len(part[0]) < 200]),
    contents,
)


@settings(max_examples=300, deadline=None)
@given(
    parts=st.lists(valid_parts, max_size=5),
    before=st.binary(max_size=9).map(lambda data: data.replace(b"-", b"")),
    after=contents,
    most=st.integers(1, 200),
)
def test_any_form_is_read_as_by_werkzeug(
    parts: list[Part], before: bytes, after: bytes, most: int
) -> None:
    """Whatever the parts contain, both find the same in them."""
    body = before + encode(parts) + after
    assert ours(body, most=most) == reference(body)


@settings(max_examples=500, deadline=None)
@given(body=soup)
@example(b"--frontier\r\n\r\n")
def test_any_bytes_are_treated_as_by_werkzeug(body: bytes) -> None:
    """Neither accepts what the other refuses, and nothing but ValueError is raised."""
    try:
        wanted: Form | None = reference(body)
    except ValueError:
        wanted = None
    try:
        found: Form | None = ours(body)
    except ValueError:
        found = None
    assert found == wanted


@settings(max_examples=300, deadline=None)
@given(body=soup, most=st.integers(1, 9))
def test_any_bytes_in_any_pieces_do_no_harm(body: bytes, most: int) -> None:
    """In small pieces, too, a form is read or refused."""
    try:
        ours(body, most=most)
    except ValueError:
        pass


def test_many_parts_are_too_many() -> None:
    """Fields and files count together."""
    body = encode([field("a", b"1"), upload("f", "a", b""), field("b", b"2")])
    assert len(ours(body, max_form_parts=3)[0]) == 2
    with pytest.raises(RequestEntityTooLarge):
        ours(body, max_form_parts=2)


@pytest.mark.parametrize("most", [1, 1 << 20])
def test_large_fields_are_too_large(most: int) -> None:
    """The limit is for each field; files may be larger."""
    body = encode([field("a", b"x" * 100), field("b", b"x" * 100), upload("f", "a", b"x" * 200)])
    assert len(ours(body, most=most, max_form_memory_size=100)[0]) == 2
    with pytest.raises(RequestEntityTooLarge):
        ours(body, most=most, max_form_memory_size=99)


@pytest.mark.parametrize("most", [100, 1 << 20])
@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_large_headers_are_too_large(most: int, end: bytes) -> None:
    """The headers of a part are few; no client may fill the memory with them."""
    body = b"--frontier\r\nContent-Disposition: form-data; name=" + b"x" * 200_000 + end
    with pytest.raises(RequestEntityTooLarge):
        ours(body, most=most)


def test_reading_stops_at_the_limit() -> None:
    """No more is read than is needed to see that there is too much."""
    stream = io.BytesIO(encode([field("a", b"x" * 5_000_000)]))
    parser = FormParser(max_form_memory_size=1000)
    with pytest.raises(RequestEntityTooLarge):
        parser.parse(stream, "multipart/form-data", None, {"boundary": BOUNDARY})
    assert stream.tell() <= multipart._CHUNK + 1000


MIB = 1 << 20


@pytest.mark.parametrize(
    ("piece", "boundary"),
    [
        (b"\r", BOUNDARY),
        (b"\n", BOUNDARY),
        (b"\r\n", BOUNDARY),
        (b"-", BOUNDARY),
        (b"-", "-" * 60),
        (b"\r\n--", BOUNDARY),
        (b"\r\n--frontie", BOUNDARY),
        (b"--frontier", BOUNDARY),
        (b"\r\n--frontierx", BOUNDARY),
        (b"\r\n--frontier" + b" " * 127 + b"x", BOUNDARY),
        (b"\r\n--frontier" + b" " * 1000, BOUNDARY),
        (b"--a", "a"),
        (b"\r\n--ab", "a"),
        (b" ", BOUNDARY),
    ],
    ids=repr,
)
@pytest.mark.parametrize("where", ["preamble", "file", "field", "headers", "epilogue"])
def test_no_form_takes_long(piece: bytes, boundary: str, where: str) -> None:
    """What looks like a delimiter again and again costs little more than what does not."""
    noise = piece * (MIB // len(piece))
    # The noise must not end in what makes the following line break part of a delimiter.
    noise += b"x"
    body = {
        "preamble": noise + b"\r\n" + encode([field("a", b"1")], boundary),
        "file": encode([upload("f", "a", noise)], boundary),
        "field": encode([field("a", noise)], boundary),
        "headers": encode([(b"X: " + noise, b"")], boundary),
        "epilogue": encode([field("a", b"1")], boundary) + noise,
    }[where]
    started = time.process_time()
    try:
        ours(body, boundary)
    except (ValueError, RequestEntityTooLarge):
        pass
    # Milliseconds; time in the square of the noise would be minutes.
    assert time.process_time() - started < 20


def test_boundaries_are_text_not_patterns() -> None:
    """A boundary may contain what a regular expression would take for a command."""
    boundary = "'()+_,-./:=? a(b*[c"
    noise = f"\r\n--{boundary}x".encode()
    body = encode([field("a", noise), field("b", b"2")], boundary)
    assert ours(body, boundary) == reference(body, boundary)


def test_files_go_where_the_request_says() -> None:
    """``_get_file_stream`` is asked for each file, and given what is known of it."""
    asked = []

    class Keeper:
        """The least that a stream must be."""

        def __init__(self) -> None:
            self.pieces: list[bytes] = []

        def write(self, data: bytes) -> None:
            assert type(data) is bytes
            self.pieces.append(data)

        def seek(self, position: int) -> None:
            assert position == 0

        def close(self) -> None:
            pass

    class OwnRequest(Request):
        def _get_file_stream(self, *args: t.Any, **kwargs: t.Any) -> t.IO[bytes]:
            assert not args
            asked.append(kwargs)
            return t.cast("t.IO[bytes]", Keeper())

    app = Flask(__name__)
    app.request_class = OwnRequest
    data = b"x" * 300_000
    body = encode(
        [upload("f", "a.txt", data, "Content-Type: text/plain", "Content-Length: 300000")]
    )

    @app.post("/")
    def take() -> str:
        keeper = t.cast(Keeper, request.files["f"].stream)
        assert b"".join(keeper.pieces) == data
        return ""

    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    assert app.test_client().post("/", data=body, content_type=content_type).status_code == 200
    assert asked == [
        {
            "total_content_length": len(body),
            "filename": "a.txt",
            "content_type": "text/plain",
            "content_length": 300_000,
        }
    ]


@pytest.mark.parametrize(("size", "on_disk"), [(400_000, False), (600_000, True)])
def test_large_files_go_to_disk(size: int, on_disk: bool) -> None:
    """Files are kept in memory up to 500 kB each."""
    body = encode([upload("f", "a", b"x" * size)])
    _, _, files = FormParser().parse(
        io.BytesIO(body), "multipart/form-data", len(body), {"boundary": BOUNDARY}
    )
    with files["f"].stream as stream:
        assert isinstance(stream, SpooledTemporaryFile)
        assert t.cast(t.Any, stream)._rolled is on_disk
        assert stream.tell() == 0


def test_files_of_a_broken_form_are_closed() -> None:
    """When a form cannot be read to its end, nothing of it stays open."""
    opened: list[t.IO[bytes]] = []

    def open_file(*args: t.Any, **kwargs: t.Any) -> t.IO[bytes]:
        opened.append(default_stream_factory(*args, **kwargs))
        return opened[-1]

    body = encode([upload("f", "a", b"x"), upload("f", "b", b"x" * 600_000)])[:-20]
    parser = FormParser(open_file)
    parser.parse(io.BytesIO(body), "multipart/form-data", len(body), {"boundary": BOUNDARY})
    assert [file.closed for file in opened] == [True, True]


def test_limits_of_the_application_hold_for_forms() -> None:
    """What is too much is answered with 413."""
    app = Flask(__name__)
    app.config.update(MAX_FORM_PARTS=2, MAX_FORM_MEMORY_SIZE=10)

    @app.post("/")
    def count() -> str:
        return str(len(request.form))

    client = app.test_client()
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    for parts, status in (
        ([field("a", b"x" * 10)], 200),
        ([field("a", b"x" * 11)], 413),
        ([field("a", b"1")] * 2, 200),
        ([field("a", b"1")] * 3, 413),
    ):
        response = client.post("/", data=encode(parts), content_type=content_type)
        assert response.status_code == status


@settings(max_examples=500, deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=60),
        st.lists(
            st.sampled_from(
                [b"&", b"=", b"+", b"%", b"%20", b"%C3", b"%BC", b"%zz", b"\xfc", b"a"]
            ),
            max_size=30,
        ).map(b"".join),
    )
)
def test_pairs_are_those_of_the_standard_library(data: bytes) -> None:
    """Names and values come out as Werkzeug has them from :func:`urllib.parse.parse_qsl`."""
    text = data.decode("utf-8", "werkzeug.url_quote")
    wanted = parse_qsl(text, keep_blank_values=True, errors="werkzeug.url_quote")
    assert parse_pairs(data) == wanted
