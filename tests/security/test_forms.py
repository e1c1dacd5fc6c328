"""Forms and JSON: limits hold, time is linear, and bytes never make a 500."""

from __future__ import annotations

import json as standard_json
import typing as t

import pytest

from erlen import Flask, request

from .raw import cpu_limit, post_form, send

MULTIPART = "multipart/form-data; boundary=x"
URLENCODED = "application/x-www-form-urlencoded"
FIELD = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n'
END = b"\r\n--x--\r\n"
MEGA = 1_000_000


@pytest.fixture(autouse=True)
def routes(app: Flask) -> None:
    app.testing = False

    @app.post("/")
    def index() -> dict[str, t.Any]:
        form, files = request.form, request.files
        return {
            "fields": sorted(form),
            "sizes": [len(value) for value in form.values()],
            "files": [file.filename for file in files.values()],
            "bytes": sum(len(file.read()) for file in files.values()),
        }

    @app.post("/json")
    def json() -> dict[str, t.Any]:
        data = request.get_json()
        return {"type": type(data).__name__, "echo": data}


BODIES = {
    "CR in a field": FIELD + b"\r" * 400_000 + END,
    "CR in a file": FILE + b"\r" * MEGA * 2 + END,
    "CRLF in a file": FILE + b"\r\n" * MEGA + END,
    "CRLF and a dash": FILE + b"\r\n-" * (MEGA // 2) + END,
    "half a boundary": FILE + b"\r\n--" * (MEGA // 2) + END,
    "no end": FILE + b"a" * MEGA * 2,
    "CR and then none": FILE + b"\r" + b"a" * MEGA * 2 + END,
    "LF": FILE + b"\n" * MEGA * 2 + END,
    "a long preamble": b"a" * MEGA + END,
    "CRLF before": b"\r\n" * (MEGA // 2) + FIELD + b"v" + END,
    "dashes": b"-" * MEGA * 2,
    "a header without end": b"--x\r\n" + b"A" * MEGA * 2,
    "many headers": b"--x\r\n" + b"A: b\r\n" * 100_000 + b"\r\nv" + END,
    "folded headers": b"--x\r\nA: b\r\n" + b" c\r\n" * 100_000 + b"\r\nv" + END,
    "many parameters": FIELD.replace(b"form-data;", b"form-data;" + b' b="c";' * 50_000) + END,
    "escaped name": FIELD.replace(b'"a"', b'"' + b'\\"' * 100_000 + b'"') + b"v" + END,
    "open name": FIELD.replace(b'"a"', b'"' + b"a" * 200_000) + b"v" + END,
    "parts without names": b"--x\r\n\r\n" * 100_000,
    "empty": b"",
    "only the end": b"--x--",
}


@pytest.mark.parametrize("name", BODIES)
def test_multipart_takes_linear_time(app: Flask, name: str) -> None:
    """No body makes the parser start over (CVE-2023-46136, CVE-2024-53981, CVE-2026-54283)."""
    with cpu_limit():
        assert post_form(app, "/", BODIES[name], MULTIPART).status in {200, 400, 413}


@pytest.mark.parametrize("kind", [FIELD, FILE])
def test_many_parts(app: Flask, kind: bytes) -> None:
    """The number of parts is limited, of files as of fields (CVE-2023-25577, CVE-2026-31958)."""
    part = kind + b"v\r\n"
    assert post_form(app, "/", part * 1000 + b"--x--", MULTIPART).status == 200
    with cpu_limit():
        assert post_form(app, "/", part * 1001 + b"--x--", MULTIPART).status == 413
        assert post_form(app, "/", part * 30_000 + b"--x--", MULTIPART).status == 413


@pytest.mark.parametrize("parts", [1, 2, 100])
def test_memory_of_fields(app: Flask, parts: int) -> None:
    """Fields are limited alone, and in an urlencoded form together (CVE-2024-49767)."""
    big = FIELD + b"v" * 500_001 + b"\r\n"
    assert post_form(app, "/", big + b"--x--", MULTIPART).status == 413
    pairs = b"&".join(b"a=" + b"v" * (500_001 // parts) for _ in range(parts))
    assert post_form(app, "/", pairs, URLENCODED).status == 413


def test_the_limit_of_the_body_covers_all_parts(app: Flask) -> None:
    """MAX_CONTENT_LENGTH counts the whole form (CVE-2025-69228)."""
    app.config["MAX_CONTENT_LENGTH"] = 1000
    body = (FILE + b"v" * 200 + b"\r\n") * 10 + b"--x--"
    assert post_form(app, "/", body, MULTIPART).status == 413
    chunked: t.Any = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    answer = send(app, method="POST", body=body, CONTENT_TYPE=MULTIPART, **chunked)
    assert answer.status == 413


HEADERS = {
    "length": b"Content-Length: 99999999999999999999999999",
    "negative length": b"Content-Length: -1",
    "no length": b"Content-Length: many",
    "coding": b"Content-Transfer-Encoding: base64",
    "charset": b"Content-Type: text/plain; charset=no-such",
    "idna": b"Content-Type: text/plain; charset=idna",
    "rot13": b"Content-Type: text/plain; charset=rot13",
    "utf-7": b"Content-Type: text/plain; charset=utf-7",
    "zip": b"Content-Type: text/plain; charset=zlib",
    "no colon": b"Content-Length",
    "bytes": b"\xff\xfe: \xff",
    "NUL": b"X: \x00",
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_of_parts(app: Flask, name: str) -> None:
    """What a part says of itself neither breaks nor slows reading it (CVE-2022-45061)."""
    value = b"+ADw-" + b"a" * 400_000
    for start in (FIELD, FILE):
        body = start.replace(b"\r\n\r\n", b"\r\n" + HEADERS[name] + b"\r\n\r\n") + value + END
        with cpu_limit():
            answer = post_form(app, "/", body, MULTIPART)
        assert answer.status in {200, 400}


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "x" * 65_000,
        "multipart/form-data; boundary=\xff",
        "multipart/form-data; boundary=(.*)*x",
        "multipart/form-data; boundary=x; boundary=y",
        "multipart/mixed; boundary=x",
        "application/x-www-form-urlencoded; charset=no-such",
        "application/x-www-form-urlencoded; charset=\xff",
        "\xff/\xff; \xff=\xff",
    ],
)
def test_content_types(app: Flask, content_type: str) -> None:
    """A boundary or charset that makes no sense is no error of the server."""
    body = FIELD + b"v" + END
    with cpu_limit():
        assert post_form(app, "/", body, content_type).status in {200, 400}


def test_a_part_that_is_cut(app: Flask) -> None:
    """A form without its end is not taken for whole."""
    assert b'"fields":["a"]' not in post_form(app, "/", FIELD + b"v", MULTIPART).body


@pytest.mark.parametrize(
    "body",
    [
        b"&" * 400_000,
        b"a=b&" * 100_000,
        b"a=" + b"%" * 400_000,
        b"%e4" * 130_000,
        b"+" * 400_000,
        b"=" * 400_000,
        b"a=%00",
        b"a=%ff%fe%ed%a0%80",
        b"a[" * 200_000,
        b"\xff\xfe=\xff",
    ],
)
def test_urlencoded_forms(app: Flask, body: bytes) -> None:
    """Whatever stands between the limits is read in time, the query like the form."""
    with cpu_limit():
        assert post_form(app, "/", body, URLENCODED).status == 200
        query = body.decode("latin1")
        assert send(app, method="POST", query=query).status == 200


def test_semicolons_separate_nothing(app: Flask) -> None:
    """A cache in front and the application see the same fields (CVE-2021-23336)."""
    answer = post_form(app, "/", b"a=1;b=2", URLENCODED)
    assert standard_json.loads(answer.body)["fields"] == ["a"]


def test_colliding_names(app: Flask) -> None:
    """Names are hashed with a secret, so that none can be made to collide (CVE-2011-4885)."""
    # These collide under the unkeyed hash of small integers, were names ever turned into one.
    body = b"&".join(b"%d=" % (number * (2**61 - 1)) for number in range(20_000))
    with cpu_limit():
        assert post_form(app, "/", body, URLENCODED).status == 200


DEEP = 100_000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * DEEP, 400),
        (b"[" * DEEP + b"]" * DEEP, 400),
        (b'{"a":' * DEEP, 400),
        (b'{"a":' * 501 + b"1" + b"}" * 501, 400),
        (b"[" * 501 + b"]" * 501, 400),
        (b"9" * 5000, 400),
        (b"[" + b"9" * 5000 + b"]", 400),
        (b"-" + b"9" * 5000, 400),
        (b"1e999999999", 200),
        (b"1" * 4000 + b"e" + b"9" * 4000, 200),
        (b'"\\ud800"', 200),
        (b'"\xff"', 400),
        (b"\x00", 400),
        (b"{} {}", 400),
        (b"{a: 1}", 400),
        (b"", 400),
        (b" " * 400_000 + b"1", 200),
        (b'"' + b"\\u0041" * 80_000 + b'"', 200),
        (b"[" + b"0," * 200_000 + b"0]", 200),
    ],
)
def test_json(app: Flask, body: bytes, status: int) -> None:
    """Depth and digits are limited; bad JSON is a 400 (CVE-2018-1000656, CVE-2020-10735)."""
    with cpu_limit():
        assert post_form(app, "/json", body, "application/json").status == status


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "utf-16-le", "utf-32-be"])
def test_json_in_other_encodings(app: Flask, encoding: str) -> None:
    """Detecting the encoding cannot be used to take memory or to pass a check twice."""
    answer = post_form(app, "/json", '{"a":1}'.encode(encoding), "application/json")
    assert answer.status in {200, 400}
    # CVE-2019-1010083: zeros that look like UTF-32 were decoded into far more memory.
    with cpu_limit():
        assert post_form(app, "/json", b"\x00" * MEGA, "application/json").status == 400


@pytest.mark.parametrize("content_type", ["text/plain", "", URLENCODED, MULTIPART, "text/json"])
def test_json_by_its_type_only(app: Flask, content_type: str) -> None:
    """A form on another site can send JSON as text; it is not read as JSON (CSRF)."""
    assert post_form(app, "/json", b'{"a":1}', content_type).status == 415


def test_json_answers_are_no_html(app: Flask) -> None:
    """Markup in data stays data: the type is JSON, and nothing is guessed by Erlen's default."""
    answer = post_form(app, "/json", b'"<script>"', "application/json")
    assert answer.headers["Content-Type"] == "application/json"


def test_duplicate_keys_of_json(app: Flask) -> None:
    """The last one counts, as everywhere in Python."""
    body = b'{"a":1,"a":2}'
    assert b'"echo":{"a":2}' in post_form(app, "/json", body, "application/json").body


def test_prototypes_are_plain_keys(app: Flask) -> None:
    """No key of a form or of JSON reaches an attribute (CVE-2019-11358, class pollution)."""
    keys = ["__class__", "__proto__", "__init__.__globals__", "constructor", "self", "request"]
    body = standard_json.dumps(dict.fromkeys(keys, 1)).encode()
    assert post_form(app, "/json", body, "application/json").status == 200
    form = "&".join(f"{key}=1" for key in keys).encode()
    answer = post_form(app, "/", form, URLENCODED)
    assert standard_json.loads(answer.body)["fields"] == sorted(keys)
