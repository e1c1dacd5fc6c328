"""Headers: parsed in time, written without what could end them."""

from __future__ import annotations

import io
import typing as t

import pytest
from werkzeug.datastructures import WWWAuthenticate

from erlen import Flask, Response, abort, make_response, request, send_file

from .raw import cpu_limit, send

# As long as Werkzeug's server and http.server accept. Gunicorn takes 8 KiB a line, and joins lines.
LONG = 60_000

NASTY = {
    "spaces": "a" + " " * LONG + "b",
    "tabs": "a" + "\t" * LONG + "b",
    "gaps": ("a" + " " * 1000 + ",") * (LONG // 1000),
    "commas": "," * LONG,
    "items": "a, " * (LONG // 3),
    "semicolons": ";" * LONG,
    "parameters": "a" + ";b=c" * (LONG // 4),
    "qualities": "a;q=0.5," * (LONG // 8),
    "digits": "1" * LONG,
    "fraction": "a;q=0." + "1" * LONG,
    "quotes": '"' * LONG,
    "open quote": 'a="' + "b" * LONG,
    "backslashes": 'a="' + "\\" * LONG,
    "escapes": 'a="' + '\\"' * (LONG // 2),
    "octets": 'a="' + "\\101" * (LONG // 4) + '"',
    "weak": 'W/"a",' * (LONG // 6),
    "unclosed": 'W/"' * (LONG // 3),
    "dashes": "-" * LONG,
    "equals": "=" * LONG,
    "continuations": "a" + ";b*0*=UTF-8''%" * (LONG // 14),
    "stars": "*" * LONG,
    "slashes": "/" * LONG,
    "percents": "%" * LONG,
    "parentheses": "(" * LONG,
    "cookies": "a=b;" * (LONG // 4),
    "subtags": "a-" * (LONG // 2),
}

PARSED: dict[str, t.Callable[[], object]] = {
    "Accept": lambda: (
        request.accept_mimetypes.best_match(["text/html", "application/json"]),
        request.accept_mimetypes.accept_html,
    ),
    "Accept-Language": lambda: request.accept_languages.best_match(["de", "en", "de-AT"]),
    "Accept-Charset": lambda: request.accept_charsets.best_match(["utf-8", "latin1"]),
    "Accept-Encoding": lambda: request.accept_encodings.best_match(["gzip", "br"]),
    "Authorization": lambda: request.authorization,
    "Cache-Control": lambda: request.cache_control.max_age,
    "Content-Type": lambda: (request.mimetype, request.mimetype_params, request.is_json),
    "Cookie": lambda: len(request.cookies),
    "Date": lambda: request.date,
    "If-Match": lambda: request.if_match.contains("a"),
    "If-Modified-Since": lambda: request.if_modified_since,
    "If-None-Match": lambda: request.if_none_match.contains_weak("a"),
    "If-Range": lambda: (request.if_range.etag, request.if_range.date),
    "If-Unmodified-Since": lambda: request.if_unmodified_since,
    "Max-Forwards": lambda: request.max_forwards,
    "Pragma": lambda: len(request.pragma),
    "Range": lambda: request.range and request.range.range_for_length(100),
    "User-Agent": lambda: request.user_agent.string,
    "X-Forwarded-For": lambda: len(request.access_route),
}
STARTS = {
    "Authorization": ["", "Basic ", "Digest ", "Bearer "],
    "Content-Type": ["", "text/plain; charset=", "multipart/form-data; boundary="],
    "Date": ["", "Sun, 06 Nov 1994 "],
    "If-Modified-Since": ["", "Sun, 06 Nov 1994 ", "Sunday, 06-Nov-"],
    "Range": ["", "bytes=", "bytes=0-"],
}


@pytest.fixture(autouse=True)
def production(app: Flask) -> None:
    app.testing = False
    app.logger.disabled = True


@pytest.mark.parametrize("header", sorted(PARSED))
def test_no_header_takes_long(app: Flask, header: str) -> None:
    """Each parser is linear, or nearly so (CVE-2023-23969, CVE-2024-52804)."""
    app.add_url_rule("/", "index", lambda: str(PARSED[header]())[:100])
    name = header.upper().replace("-", "_")
    variable = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
    for start in STARTS.get(header, [""]):
        for nasty in NASTY.values():
            with cpu_limit():
                assert send(app, **{variable: start + nasty}).status == 200


BAD_DATES = [
    "Sun, 06 Nov 999999999999 08:49:37 GMT",
    f"Sun, 06 Nov {'9' * 5000} 08:49:37 GMT",
    "Sun, 99 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 99999999999999:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 +99999999",
    f"Sun, 06 Nov 1994 08:49:37 +{'9' * 20}",
    "\u0660\u0661 Nov 1994",
    "0",
]


@pytest.mark.parametrize("date", BAD_DATES)
def test_dates_that_are_none(app: Flask, date: str) -> None:
    """A date beyond the calendar is no date, and no error."""

    @app.get("/")
    def index() -> str:
        dates = [request.date, request.if_modified_since, request.if_unmodified_since]
        return str([*dates, request.if_range.date])

    value = date.encode().decode("latin1")
    answer = send(
        app,
        HTTP_DATE=value,
        HTTP_IF_MODIFIED_SINCE=value,
        HTTP_IF_UNMODIFIED_SINCE=value,
        HTTP_IF_RANGE=value,
    )
    assert (answer.status, answer.text) == (200, "[None, None, None, None]")


@pytest.mark.parametrize("date", BAD_DATES)
def test_dates_that_are_none_and_files(app: Flask, date: str) -> None:
    """A condition with such a date is ignored, or does not hold: the whole file comes."""
    app.add_url_rule("/", "index", lambda: send_file(io.BytesIO(b"0123"), "text/plain"))
    value = date.encode().decode("latin1")
    since = send(app, HTTP_IF_MODIFIED_SINCE=value)
    assert (since.status, since.body) == (200, b"0123")
    part = send(app, HTTP_IF_RANGE=value, HTTP_RANGE="bytes=0-1")
    assert (part.status, part.body) == (200, b"0123")


def test_underscores_reach_no_other_header(app: Flask) -> None:
    """WSGI cannot tell X_A from X-A; names that it holds apart stay apart."""
    app.add_url_rule("/", "index", lambda: request.headers.get("Content-Length", "none"))
    assert send(app, HTTP_CONTENT_LENGTH="5", HTTP_CONTENT_TYPE="text/x").text == "none"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A\r\nX-Injected", "1"),
        ("X-A: 1\r\nX-Injected", "1"),
        ("X A", "1"),
        ("X-A:", "1"),
        ("", "1"),
        ("X-\xe9", "1"),
        ("X-A", "1\r\nX-Injected: 1"),
        ("X-A", "1\rX-Injected: 1"),
        ("X-A", "1\nX-Injected: 1"),
        ("X-A", "1\x00"),
        ("X-A", "\u010d\u010a"),
        ("Location", "/a\r\nX-Injected: 1"),
        ("Location", "/a\nX-Injected: 1"),
        ("Set-Cookie", "a=b\r\nX-Injected: 1"),
    ],
)
@pytest.mark.parametrize("way", ["tuple", "item", "list", "last"])
def test_responses_cannot_be_split(app: Flask, name: str, value: str, way: str) -> None:
    """Whatever way a header came in, it is checked on its way out (CVE-2026-34514, CWE-113)."""

    @app.get("/")
    def index() -> t.Any:
        if way == "tuple":
            return "text", {name: value}
        response = make_response("text")
        if way == "item":
            response.headers[name] = value
        elif way == "list":
            response.headers._list.append((name, value))
        return response

    @app.after_request
    def add(response: Response) -> Response:
        if way == "last":
            response.headers._list.append((name, value))
        return response

    try:
        answer = send(app)
    except ValueError:
        return
    assert answer.status == 500
    assert "X-Injected" not in answer.headers


@pytest.mark.parametrize("status", ["200 OK\r\nX-Injected: 1", "200 O\x00K", "200 OK\nX: 1"])
def test_the_status_line_cannot_be_split(app: Flask, status: str) -> None:
    """A reason phrase holds no line break (CVE-2025-67724)."""
    app.add_url_rule("/", "index", lambda: Response("text", status))
    assert send(app).status == 500


def test_reasons_are_escaped_in_pages(app: Flask) -> None:
    """The description of an error is text, not markup (CVE-2025-67724, CVE-2019-3498)."""
    app.add_url_rule("/", "index", lambda: abort(404, "<script>alert(1)</script>"))
    assert "<script>" not in send(app).text
    assert "no-such" not in send(app, "/no-such<script>page").text


@pytest.mark.parametrize(
    "options",
    [
        {"key": "a; Path=/evil"},
        {"key": "a=b"},
        {"key": ""},
        {"key": "a\r\nX-Injected: 1"},
        {"key": "a b"},
        {"key": "a", "domain": "example.com; Secure"},
        {"key": "a", "domain": "example.com\r\nX-Injected: 1"},
        {"key": "a", "samesite": "Lax; Secure"},
        {"key": "a", "max_age": "1; Secure"},
        {"key": "a", "expires": "Sun, 06 Nov 1994 08:49:37 GMT; Secure"},
    ],
)
def test_cookies_cannot_be_given_attributes(app: Flask, options: dict[str, t.Any]) -> None:
    """No part of a cookie can end early and add to it (CVE-2026-35536, GHSA-78cv-mqj4-43f7)."""

    @app.get("/")
    def index() -> Response:
        response = make_response("text")
        response.set_cookie(**options)
        return response

    answer = send(app)
    assert answer.status == 500
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "value", ["b; Secure", "b\r\nX-Injected: 1", 'b"; c="d', "b,c", "\xe9\x00"]
)
def test_values_of_cookies_are_escaped(app: Flask, value: str) -> None:
    """Any text is a value, comes back as it went, and adds nothing."""

    @app.get("/")
    def index() -> Response:
        response = make_response(request.cookies.get("a", ""))
        response.set_cookie("a", value, path="/; Secure")
        return response

    answer = send(app)
    cookie, _, attributes = answer.headers["Set-Cookie"].rpartition(";")
    assert attributes == " Path=/%3B%20Secure"
    assert "X-Injected" not in answer.headers
    assert send(app, HTTP_COOKIE=cookie).text == value


def test_challenges_cannot_be_split(app: Flask) -> None:
    """A realm is quoted, and refused where it would end the header."""

    @app.get("/")
    def index() -> Response:
        response = Response(status=401)
        realm = request.args["realm"]
        response.www_authenticate = WWWAuthenticate("basic", {"realm": realm})
        return response

    answer = send(app, query="realm=a%22%2C+Digest+b%3D%22")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="a\\", Digest b=\\""'
    assert send(app, query="realm=a%0D%0AX-Injected:+1").status == 500


@pytest.mark.parametrize("mimetype", ["text/html\r\nX-Injected: 1", "text/\x00html"])
def test_media_types_cannot_split(app: Flask, mimetype: str) -> None:
    """Neither a media type nor a content type holds a line break (CVE-2026-34514)."""
    app.add_url_rule("/m", "m", lambda: Response("text", mimetype=mimetype))
    app.add_url_rule("/c", "c", lambda: Response("text", content_type=mimetype))
    for path in ("/m", "/c"):
        assert send(app, path).status == 500


ODD = [
    "max-age=" + "9" * 5000,
    "max-age",
    'a="',
    "=",
    ",=,",
    "Basic",
    "Basic \xff",
    "Basic /w==",
    'Digest x="',
    "Bearer a b",
    "\xff \xff",
    "\xb2=1-2",
    "bytes=\xb2-",
    'W/"',
    "*,a",
    'a"b',
    "a;q=x",
    "*/a",
    "/",
    "-",
    "\x00",
    "a\x00b",
]


@pytest.mark.parametrize("value", ODD)
def test_odd_headers_can_be_read_and_written(app: Flask, value: str) -> None:
    """Whatever a header holds, looking at it in any way is no error."""

    @app.post("/")
    def index() -> str:
        control, range_ = request.cache_control, request.range
        looked_at = [
            control.max_age,
            control.max_stale,
            control.to_header(),
            request.authorization and request.authorization.to_header(),
            range_ and range_.to_content_range_header(10),
            request.if_range.to_header(),
            request.if_match.to_header(),
            request.accept_mimetypes.to_header(),
            request.accept_languages.best_match(["en-US", "de"]),
            request.accept_charsets.quality("utf-8"),
            request.access_control_request_headers,
            request.max_forwards,
            request.content_length,
            request.access_route,
            request.get_data(as_text=True),
            request.get_json(silent=True),
            request.values,
            request.headers,
            request,
        ]
        return str(looked_at)[:100]

    environ: dict[str, t.Any] = {f"HTTP_{name.upper().replace('-', '_')}": value for name in PARSED}
    environ.pop("HTTP_CONTENT_TYPE")
    app.testing = True
    answer = send(
        app,
        method="POST",
        body=b"x",
        query=value,
        CONTENT_LENGTH="1",
        CONTENT_TYPE=value,
        **environ,
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS=value,
    )
    assert answer.status == 200


PATHS = {
    "percents": "/" + "%" * LONG,
    "broken bytes": "/" + "\xff" * LONG,
    "broken sequences": "/" + "\xe4\xb8" * (LONG // 2),
    "slashes": "/" * LONG,
    "dots": "/." * (LONG // 2),
    "parents": "/.." * (LONG // 3),
    "segments": "/a" * (LONG // 2),
    "brackets": "/" + "[" * LONG,
    "colons": ":" * LONG,
    "labels": "/" + "a." * (LONG // 2),
    "quotes": "/" + "%2525" * (LONG // 5),
}


@pytest.mark.parametrize("name", PATHS)
def test_no_path_and_no_query_takes_long(app: Flask, name: str) -> None:
    """URLs are matched, decoded and written again in time (CVE-2019-14235, CVE-2023-41164)."""

    @app.get("/")
    @app.get("/<path:path>")
    def index(path: str = "") -> str:
        parts = [request.url, request.base_url, request.full_path, request.path, request.root_url]
        return str(len("".join(parts)) + len(request.args) + len(request.query_string))

    with cpu_limit():
        assert send(app, PATHS[name]).status in {200, 308, 404}
    with cpu_limit():
        assert send(app, query=PATHS[name]).status == 200
