"""Sending files: what is sent, that it is what Werkzeug sends, and that nothing is left open."""

from __future__ import annotations

import io
import mimetypes
import os
import time
import typing as t
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import NotFound, RequestedRangeNotSatisfiable
from werkzeug.http import http_date
from werkzeug.security import safe_join
from werkzeug.test import create_environ
from werkzeug.utils import send_file as reference_send_file
from werkzeug.wsgi import FileWrapper

from erlen import Flask, Response, files, send_file, send_from_directory

if t.TYPE_CHECKING:
    from collections.abc import Callable

SIZES = {"empty.txt": 0, "small.css": 10, "edge.bin": 65536, "large.bin": 65537, "huge": 200_000}
NAMES = [
    "page.html",
    "PICTURE.JPG",
    "notes.tar.gz",
    "notes.tgz",
    "drawing.svgz",
    "no extension",
    ".hidden",
    "..odd",
    "trailing.",
    "with space.txt",
    'quo"te.txt',
    "semi;colon.txt",
    "back\\slash.txt",
    "colon:name.png",
    "data:text.html",
    "per%cent.txt",
    "grüße.txt",
    "文件.pdf",
    "e\u0301.txt",
    "😀",
]


class Closing(io.BytesIO):
    """A file in memory that is not quite a BytesIO."""


class Reader:
    """An object with the method ``read`` and nothing else that is known of files."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with files of all sizes that matter."""
    path = tmp_path_factory.mktemp("files")
    for name, size in SIZES.items():
        (path / name).write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
        os.utime(path / name, (1_700_000_000, 1_700_000_000.75))
    return path


@pytest.fixture(scope="module")
def app(folder: Path) -> Flask:
    """An application whose static folder is that directory."""
    return Flask(__name__, static_folder=str(folder), static_url_path="/static")


Result: t.TypeAlias = "tuple[str, dict[str, str], bytes]"


def answer(
    send: Callable[..., t.Any], subject: t.Any, environ: dict[str, t.Any], **kwargs: t.Any
) -> Result | type[Exception]:
    """Send a file as a server would see it: status, headers and body, or the error's type."""
    started: list[t.Any] = []
    if callable(subject):
        subject = subject()
    try:
        response = send(subject, environ, response_class=Response, **kwargs)
    except (RequestedRangeNotSatisfiable, TypeError, ValueError, OSError) as error:
        if isinstance(error, RequestedRangeNotSatisfiable) and not isinstance(subject, (str, Path)):
            assert subject.read.__self__ is not None
            with pytest.raises(ValueError, match="closed"):
                subject.read()
        return type(error)
    body = response(environ, lambda status, headers: started.append((status, headers)))
    data = b"".join(body)
    close = getattr(body, "close", None)
    if close is not None:
        close()
    if not isinstance(subject, (str, Path)):
        with pytest.raises(ValueError, match="closed"):
            subject.read()
    status, headers = started[0]
    assert len(headers) == len(dict(headers))
    return status, dict(headers), data


def assert_same(subject: t.Any, environ: dict[str, t.Any], **kwargs: t.Any) -> None:
    """Send a file with both functions and compare the answers."""
    for _ in range(3):
        ours = answer(files.send_file, subject, dict(environ), **kwargs)
        theirs = answer(reference_send_file, subject, dict(environ), **kwargs)
        if ours == theirs:
            return
        if isinstance(ours, tuple) and isinstance(theirs, tuple):
            # Earlier releases of Werkzeug send this with ranges only.
            if "Accept-Ranges" not in theirs[1]:
                ours[1].pop("Accept-Ranges", None)
            if ours[1].get("Date") != theirs[1].get("Date"):
                # The second changed in between.
                continue
        break
    assert ours == theirs


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("name", list(SIZES))
@pytest.mark.parametrize("wrapper", [True, False])
def test_whole_files_are_sent_as_werkzeug_does(
    folder: Path, name: str, method: str, wrapper: bool
) -> None:
    """Small files are read at once and large ones wrapped; neither can be seen from outside."""
    environ = create_environ(method=method)
    if wrapper:
        environ["wsgi.file_wrapper"] = FileWrapper
    assert_same(str(folder / name), environ)
    assert_same(folder / name, environ)
    assert_same(str(folder / name), environ, conditional=False)


@pytest.mark.parametrize("as_attachment", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_names_are_told_as_werkzeug_does(tmp_path: Path, name: str, as_attachment: bool) -> None:
    """Media type, encoding and Content-Disposition follow from the name."""
    (tmp_path / name).write_bytes(b"data")
    environ = create_environ()
    assert_same(tmp_path / name, environ, as_attachment=as_attachment)
    assert_same(
        lambda: io.BytesIO(b"data"), environ, download_name=name, as_attachment=as_attachment
    )


OPTIONS: list[dict[str, t.Any]] = [
    {"mimetype": "text/x-special"},
    {"mimetype": "text/plain", "as_attachment": True},
    {"download_name": "other.json"},
    {"etag": False},
    {"etag": "own"},
    {"last_modified": 1_600_000_000},
    {"last_modified": 1_600_000_000.9},
    {"last_modified": datetime(2020, 1, 2, 3, 4, 5)},
    {"last_modified": datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)},
    {"max_age": 0},
    {"max_age": -1},
    {"max_age": 3600},
    {"max_age": lambda path: 60 if path else None},
    {"max_age": lambda path: None},
    {"use_x_sendfile": True},
    {"use_x_sendfile": True, "as_attachment": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=2-5"}, {"If-None-Match": "*"}], ids=repr)
def test_options_mean_what_they_mean_to_werkzeug(
    folder: Path, options: dict[str, t.Any], headers: dict[str, str]
) -> None:
    """Each argument has the same effect, for paths and for files."""
    environ = create_environ(headers=headers)
    assert_same(str(folder / "small.css"), environ, **options)
    assert_same(lambda: io.BytesIO(b"0123456789"), environ, **options)
    named = {"download_name": "a.txt"} | options
    assert_same(lambda: Closing(b"0123456789"), environ, **named)
    assert_same(lambda: Reader(b"0123456789"), environ, **({"mimetype": "a/b"} | options))


tags = st.sampled_from(["own", "a,b", "x y", "", "o"])
quoted = tags.map('"{}"'.format)
tag_lists = st.lists(
    st.one_of(quoted, quoted.map("W/{}".format), tags, st.just("*"), st.just('"')), max_size=3
).map(", ".join)
moments = st.sampled_from([0, 1_600_000_000, 1_700_000_000, 1_700_000_001, 2_000_000_000])
dates = st.one_of(
    moments.map(http_date),
    st.sampled_from(["yesterday", "Tue, 99 Nov 2023 22:13:20 GMT", "14 Nov 23 22:13:20 +0000"]),
)
latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=20)
numbers = st.one_of(
    st.sampled_from(["", "0", "1", "9", "10", "65535", "65536", "199999", "200000", "-1", "1_0"]),
    st.integers(0, 300_000).map(str),
)
ranges = st.builds("{}-{}".format, numbers, numbers)
range_headers = st.one_of(
    st.builds(
        "{}={}".format,
        st.sampled_from(["bytes", "Bytes", " bytes", "items", ""]),
        st.lists(st.one_of(ranges, latin), min_size=1, max_size=3).map(",".join),
    ),
    latin,
)
conditions = st.fixed_dictionaries(
    {},
    optional={
        "HTTP_RANGE": st.one_of(ranges.map("bytes={}".format), range_headers),
        "HTTP_IF_RANGE": st.one_of(quoted, dates, tag_lists, latin),
        "HTTP_IF_NONE_MATCH": st.one_of(tag_lists, latin),
        "HTTP_IF_MATCH": st.one_of(tag_lists, latin),
        "HTTP_IF_MODIFIED_SINCE": st.one_of(dates, latin),
    },
)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(list(SIZES)),
    kind=st.sampled_from(["path", "bytes", "open", "reader"]),
    method=st.sampled_from(["GET", "GET", "GET", "HEAD", "PUT"]),
    etag=st.sampled_from([True, False, "own", "a,b", ""]),
    headers=conditions,
    wrapper=st.booleans(),
    x_sendfile=st.booleans(),
)
def test_conditions_and_ranges_are_answered_as_werkzeug_does(
    folder: Path,
    name: str,
    kind: str,
    method: str,
    etag: bool | str,
    headers: dict[str, str],
    wrapper: bool,
    x_sendfile: bool,
) -> None:
    """Whatever the headers say, status, headers and body are Werkzeug's."""
    path = folder / name
    subjects: dict[str, t.Any] = {
        "path": str(path),
        "bytes": lambda: io.BytesIO(path.read_bytes()),
        "open": lambda: path.open("rb"),
        "reader": lambda: Reader(path.read_bytes()),
    }
    environ = create_environ(method=method)
    environ.update(headers)
    if wrapper:
        environ["wsgi.file_wrapper"] = FileWrapper
    options: dict[str, t.Any] = {"etag": etag, "use_x_sendfile": x_sendfile}
    if kind != "path":
        options |= {"mimetype": "text/plain", "last_modified": 1_700_000_000}
    assert_same(subjects[kind], environ, **options)


@pytest.mark.parametrize("name", list(SIZES))
def test_known_files_are_not_sent_again(app: Flask, folder: Path, name: str) -> None:
    """A client that knows the ETag or the time is told that nothing changed."""
    client = app.test_client()
    with client.get(f"/static/{name}") as first:
        assert first.data == (folder / name).read_bytes()
    conditions = {
        "If-None-Match": first.headers["ETag"],
        "If-Modified-Since": first.headers["Last-Modified"],
    }
    for header, value in conditions.items():
        with client.get(f"/static/{name}", headers={header: value}) as again:
            assert again.status_code == 304
            assert again.data == b""
            assert again.headers["ETag"] == first.headers["ETag"]
            assert "Content-Length" not in again.headers


def test_known_files_are_not_opened(
    app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saying that a file has not changed takes one look at its status."""
    client = app.test_client()
    with client.get("/static/huge") as first:
        tag = first.headers["ETag"]

    def refuse(*args: object, **kwargs: object) -> t.NoReturn:
        raise AssertionError("The file was opened.")

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(files, "open", refuse, raising=False)
    with client.get("/static/huge", headers={"If-None-Match": tag}) as again:
        assert again.status_code == 304


@pytest.mark.parametrize(("size", "is_list"), [(65536, True), (65537, False)])
def test_small_files_are_read_at_once(app: Flask, tmp_path: Path, size: int, is_list: bool) -> None:
    """They leave nothing to close; larger ones are handed to the server's wrapper."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    with app.test_request_context():
        response = send_file(path)
        assert isinstance(response.response, list) is is_list
        assert response.direct_passthrough
        assert response.content_length == size
        response.direct_passthrough = False
        assert response.data == b"x" * size
        response.close()


def test_a_file_that_shrinks_is_framed_rightly(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The length told is that of what was read, not of what was there a moment before."""
    path = tmp_path / "log.txt"
    path.write_bytes(b"0123456789")
    status = os.stat(path)
    path.write_bytes(b"0123")
    monkeypatch.setattr(os, "stat", lambda path: status)
    with app.test_request_context():
        response = send_file(path)
    assert response.headers["Content-Length"] == "4"
    assert b"".join(response.response) == b"0123"  # type: ignore[arg-type]


def test_short_reads_are_continued(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A system call may return less than was asked for."""
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: read(descriptor, min(size, 7)))
    assert files._read(str(folder / "small.css"), 0, 10) == b"x" * 10
    assert files._read(str(folder / "small.css"), 4, 10) == b"x" * 6


def test_files_are_sent_from_their_position(app: Flask) -> None:
    """What lies before the position is no part of the answer, its length and its ranges."""
    for headers, wanted in (({}, b"456789"), ({"Range": "bytes=1-2"}, b"56")):
        file = io.BytesIO(b"0123456789")
        file.seek(4)
        with app.test_request_context(headers=headers):
            response = send_file(file, mimetype="text/plain")
            body = b"".join(t.cast("t.Iterable[bytes]", response.response))
        assert body == wanted
        assert response.headers["Content-Length"] == str(len(wanted))
    file.seek(20)
    with app.test_request_context():
        response = send_file(file, mimetype="text/plain")
    assert response.headers["Content-Length"] == "0"


def test_control_characters_stay_out_of_headers(app: Flask, tmp_path: Path) -> None:
    """A name with a line break is sent encoded instead of failing."""
    (tmp_path / "a\r\nSet-Cookie: b.txt").write_bytes(b"data")
    with app.test_request_context():
        response = send_from_directory(str(tmp_path), "a\r\nSet-Cookie: b.txt")
    value = response.headers["Content-Disposition"]
    assert value.isprintable()
    assert value.endswith("filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b.txt")


def test_names_that_are_not_utf8(app: Flask, tmp_path: Path) -> None:
    """A name that the file system has in another encoding can be sent."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/gr\xfc\xdfe.txt")
    try:
        Path(path).write_bytes(b"data")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    with app.test_request_context():
        response = send_file(path)
        assert response.headers["ETag"]
        assert response.headers["Content-Disposition"].isprintable()


@pytest.mark.parametrize(
    ("kwargs", "error", "text"),
    [
        ({"path_or_file": io.BytesIO()}, TypeError, "detect the MIME type"),
        (
            {"path_or_file": io.BytesIO(), "mimetype": "text/plain", "as_attachment": True},
            TypeError,
            "name for the attachment",
        ),
        ({"path_or_file": io.StringIO(), "mimetype": "text/plain"}, ValueError, "binary mode"),
        ({"path_or_file": "missing.txt"}, FileNotFoundError, "missing"),
        ({"path_or_file": __file__, "etag": 'not"valid'}, ValueError, "etag"),
    ],
)
def test_mistakes_are_explained(
    app: Flask, kwargs: dict[str, t.Any], error: type[Exception], text: str
) -> None:
    """What cannot be sent raises an error that says why."""
    with app.test_request_context(), pytest.raises(error, match=text):
        send_file(**kwargs)


def test_types_added_later_count(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables of :mod:`mimetypes` are asked each time, so that programs may add to them."""
    (tmp_path / "a.erlen").write_bytes(b"")
    with app.test_request_context():
        assert send_file(tmp_path / "a.erlen").mimetype == "application/octet-stream"
        monkeypatch.setitem(mimetypes.types_map, ".erlen", "text/x-erlen")
        assert send_file(tmp_path / "a.erlen").mimetype == "text/x-erlen"


@pytest.mark.parametrize(
    "path",
    [
        "missing.txt",
        "sub",
        "sub/",
        "sub/../../secret.txt",
        "../secret.txt",
        "..",
        ".",
        "",
        "/etc/passwd",
        "//etc/passwd",
        "a\0b",
        "a.txt\0",
        "\ud800",
        "sub/" + "x" * 300,
        "a.txt/b",
    ],
)
def test_paths_that_lead_nowhere_are_not_found(app: Flask, tmp_path: Path, path: str) -> None:
    """Neither files outside the directory nor what is no file can be reached."""
    (tmp_path / "secret.txt").write_bytes(b"secret")
    public = tmp_path / "public"
    (public / "sub").mkdir(parents=True)
    (public / "a.txt").write_bytes(b"a")
    with app.test_request_context():
        with pytest.raises(NotFound):
            send_from_directory(public, path)
        with pytest.raises(NotFound):
            send_from_directory(f"{public}/", path)


@pytest.mark.parametrize("path", ["a.txt", "./a.txt", "sub/../a.txt", "sub//../a.txt", "a.txt/"])
def test_paths_that_stay_inside_are_found(app: Flask, tmp_path: Path, path: str) -> None:
    """A detour within the directory is none."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_bytes(b"a")
    with app.test_request_context():
        assert send_from_directory(tmp_path, path).data == b"a"


@settings(max_examples=300, deadline=None)
@given(
    path=st.text(st.sampled_from("ab./\\-_~ \0é"), max_size=12),
    directory=st.sampled_from(["d", "/d", "/d/", ""]),
)
def test_joining_is_werkzeugs(path: str, directory: str) -> None:
    """The shortcut for simple paths gives what the function for all paths gives."""
    assert files._join(directory, path) == safe_join(directory, path)


def test_device_names_of_windows_are_left_to_werkzeug(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, no path is simple: ``NUL`` and ``COM1.txt`` are no files."""
    asked = []
    monkeypatch.setattr(files, "_WINDOWS", True)
    monkeypatch.setattr(files, "safe_join", lambda *parts: asked.append(parts))
    assert files._join("static", "NUL") is None
    assert asked == [("static", "NUL")]


def test_response_classes_that_do_more_are_asked(app: Flask, folder: Path) -> None:
    """A class with its own ``set_etag`` or ``make_conditional`` has its say."""

    class Weak(Response):
        def set_etag(self, etag: str, weak: bool = False) -> None:
            super().set_etag(etag, weak=True)

    class Typed(Response):
        default_mimetype = "text/plain"

    with app.test_request_context():
        app.response_class = Weak
        try:
            with send_file(folder / "small.css") as response:
                assert type(response) is Weak
                assert response.headers["ETag"].startswith("W/")
            app.response_class = Typed
            assert type(send_file(folder / "small.css")) is Typed
        finally:
            app.response_class = Response


def test_large_files_use_the_wrapper_of_the_server(app: Flask, folder: Path) -> None:
    """The server may send such a file without Python's help."""
    made = []

    class Wrapper(FileWrapper):
        def __init__(self, file: t.IO[bytes], buffer_size: int) -> None:
            made.append(file)
            super().__init__(file, buffer_size)

    environ = create_environ()
    environ["wsgi.file_wrapper"] = Wrapper
    with app.request_context(environ):
        with send_file(folder / "huge") as response:
            assert isinstance(response.response, Wrapper)
        with send_file(folder / "small.css") as response:
            assert response.response == [b"x" * 10]
    assert [file.closed for file in made] == [True]


def test_expires_follows_the_clock(
    app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dates are kept for a second, not for longer."""
    with app.test_request_context():
        monkeypatch.setattr(time, "time", lambda: 1_700_000_000.5)
        response = send_file(folder / "small.css", max_age=10)
        assert response.headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
        assert response.headers["Expires"] == "Tue, 14 Nov 2023 22:13:30 GMT"
        monkeypatch.setattr(time, "time", lambda: 1_700_000_001.5)
        response = send_file(folder / "small.css", max_age=10)
        assert response.headers["Date"] == "Tue, 14 Nov 2023 22:13:21 GMT"
        assert response.headers["Expires"] == "Tue, 14 Nov 2023 22:13:31 GMT"
