"""Random requests, part by part."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .target import Target

FUZZ = settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"])
#: Values of headers as servers pass them on: no line ends, no NUL.
VALUES = st.binary(max_size=200).map(
    lambda value: bytes(byte for byte in value if byte not in b"\r\n\x00")
)
SEGMENTS = st.one_of(
    st.sampled_from(
        [b"items", b"api", b"number", b"slash", b"paths", b"x", b"y", b"files", b"..", b".", b""]
    ),
    st.integers().map(lambda number: str(number).encode()),
    st.floats().map(lambda number: str(number).encode()),
    st.uuids().map(lambda value: str(value).encode()),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=20),
)
PATHS = st.one_of(
    st.binary(max_size=200).map(lambda path: b"/" + path),
    st.lists(SEGMENTS, max_size=12).map(lambda segments: b"/" + b"/".join(segments)),
)
PARSED_HEADERS = [
    "Accept",
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "Date",
    "Host",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Max-Forwards",
    "Origin",
    "Pragma",
    "Range",
    "Referer",
    "Transfer-Encoding",
    "Upgrade",
    "User-Agent",
    "X-Forwarded-For",
]
HEADER_WORDS = st.sampled_from(
    'q=0.5 text/html */* ; , = " \\ bytes=0-5 bytes=-1 bytes=5- W/"tag" * Basic Bearer YTpi'
    " Digest charset=utf-16 boundary=x multipart/form-data application/json no-cache max-age=9"
    " session=. Sun, 06 Nov 1994 08:49:37 GMT 99999999999999999999 -1 1e400 %ff utf-8''%e4".split()
).map(str.encode)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(PARSED_HEADERS),
        st.one_of(VALUES, st.lists(HEADER_WORDS, max_size=8).map(b" ".join)),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def target() -> Target:
    return Target()


@FUZZ
@given(method=METHODS, path=PATHS)
@example("GET", b"/paths/" + b"x/y/" * 1500)
@example("GET", b"//evil.example/..//")
@example("GET", b"/api/items/" + b"9" * 5000)
@example("GET", b"/number/5/" + b"1" * 400 + b".5/00000000-0000-0000-0000-000000000000")
@example("GET", b"/files/..%2f..%2fetc/passwd")
@example("GET", b"/files/\x00")
def test_paths(target: Target, method: str, path: bytes) -> None:
    """Paths of any bytes."""
    target.send(method, path)


@FUZZ
@given(
    path=st.sampled_from([b"/", b"/redirect", b"/session", b"/slash/a"]),
    query=st.one_of(
        VALUES,
        st.lists(
            st.sampled_from(
                [b"next=", b"message=", b"a=", b"&", b";", b"%", b"%ff", b"%0d%0a", b"+", b"//x"]
            ),
            max_size=20,
        ).map(b"".join),
    ),
)
@example(b"/redirect", b"next=%0d%0aSet-Cookie:%20a=b")
@example(b"/redirect", b"next=//[")
@example(b"/redirect", b"next=http://[::1")
@example(b"/redirect", b"next=%ed%a0%80")
@example(b"/", b"&" * 100_000)
@example(b"/", b"a=1&" * 25_000)
def test_queries(target: Target, path: bytes, query: bytes) -> None:
    """Query strings of any bytes."""
    target.send("GET", path, query)


@FUZZ
@given(path=st.sampled_from([b"/", b"/file", b"/session", b"/slash/a"]), headers=HEADERS)
@example(b"/", [("Host", b"[")])
@example(b"/", [("Host", b"a:99999999999999999999")])
@example(b"/slash/a", [("Host", b"a" * 300)])
@example(b"/", [("Content-Type", b"multipart/form-data; boundary=\xff")])
@example(b"/", [("Authorization", b"Basic \xff\xff")])
@example(b"/file", [("Range", b"bytes=0-" + b"9" * 5000)])
@example(b"/file", [("Range", b"bytes=" + b"0-," * 5000)])
@example(b"/", [("Accept", b"a/b;q=" + b"9" * 5000)])
@example(b"/", [("Cookie", b"a=" * 10_000)])
@example(b"/", [("Cookie", b'a="' + b"\\" * 10_000)])
@example(b"/", [("If-Modified-Since", b"Sun, 06 Nov 99999999 08:49:37 GMT")])
@example(b"/", [("Cache-Control", b"max-age=x")])
@example(b"/", [("Content-Length", b"9" * 5000)])
@example(b"/", [("Content-Length", b"-5")])
def test_headers(target: Target, path: bytes, headers: list[tuple[str, bytes]]) -> None:
    """Headers that the framework reads, with any values."""
    target.send("GET", path, headers=headers)


@FUZZ
@given(cookie=VALUES)
@example(b"session=" + b"." * 5000)
@example(b"session=eyJhIjoxfQ.AAAA.AAAA")
@example(b"session=.eJwDAAAAAAE.AAAA.AAAA")
def test_sessions(target: Target, cookie: bytes) -> None:
    """Session cookies that nobody signed."""
    target.send("GET", b"/session", headers=[("Cookie", cookie)])
    target.send("GET", b"/session", headers=[("Cookie", b"session=" + cookie)])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4)
    ),
    max_leaves=10,
)


@FUZZ
@given(
    body=st.one_of(
        st.binary(max_size=300),
        JSON.map(lambda value: __import__("json").dumps(value).encode()),
        st.sampled_from([b"[" * 50_000, b'{"a":' * 50_000, b"1" * 50_000, b"NaN", b'"\\ud800"']),
    ),
    content_type=st.sampled_from([b"application/json", b"application/x+json", b"text/plain", b""]),
    cut=st.integers(-3, 3),
)
def test_json(target: Target, body: bytes, content_type: bytes, cut: int) -> None:
    """JSON, broken JSON, other things, and lengths that are wrong."""
    length = max(0, len(body) + cut)
    headers = [("Content-Type", content_type)]
    target.send("POST", b"/json", headers=headers, body=body, length=length)
    target.send("POST", b"/data", headers=headers, body=body, length=length)


MULTIPART = st.lists(
    st.sampled_from(
        [
            b"--x",
            b"--x--",
            b"\r\n",
            b"\n",
            b'Content-Disposition: form-data; name="a"',
            b'Content-Disposition: form-data; name="a"; filename="b"',
            b"Content-Disposition: form-data",
            b"Content-Disposition: form-data; name*=utf-8''%ff; filename*=x''",
            b"Content-Type: text/plain; charset=nonsense",
            b"Content-Length: -1",
            b"Content-Transfer-Encoding: base64",
            b": ",
            b"\x00",
            b"value",
        ]
    )
    | st.binary(max_size=20),
    max_size=30,
).map(b"".join)


@FUZZ
@given(
    body=MULTIPART,
    boundary=st.one_of(st.just(b"x"), VALUES),
    cut=st.integers(-2, 2),
)
@example(b"--x\r\n" * 1000, b"x", 0)
@example(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"-" * 100_000, b"x", 0)
@example(b"--x\r\n" + b"A" * 150_000, b"x", 0)
@example(b"--" + b"-" * 50_000, b"-" * 70, 0)
def test_multipart(target: Target, body: bytes, boundary: bytes, cut: int) -> None:
    """Multipart bodies with parts in any order, any boundary, and wrong lengths."""
    headers = [("Content-Type", b"multipart/form-data; boundary=" + boundary)]
    target.send("POST", b"/", headers=headers, body=body, length=max(0, len(body) + cut))


@FUZZ
@given(body=st.binary(max_size=300), charset=st.sampled_from([b"", b"; charset=utf-16"]))
@example(b"a=" * 50_000, b"")
@example(b"%" * 50_000, b"")
def test_urlencoded(target: Target, body: bytes, charset: bytes) -> None:
    """Forms of any bytes."""
    content_type = b"application/x-www-form-urlencoded" + charset
    target.send("POST", b"/", headers=[("Content-Type", content_type)], body=body)


@FUZZ
@given(method=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20))
def test_methods(target: Target, method: str) -> None:
    """Methods that nobody knows."""
    target.send(method, b"/")
    target.send(method, b"/api/items/1")


@FUZZ
@given(method=METHODS, path=PATHS, query=VALUES, headers=HEADERS, body=st.binary(max_size=100))
def test_everything_at_once(target: Target, **request: t.Any) -> None:
    """Whole random requests."""
    target.send(**request)
