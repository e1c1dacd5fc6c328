"""Files: only those of the folder, only their bytes, and nothing about others."""

from __future__ import annotations

import io
import os
import re
import sys
import typing as t
from pathlib import Path

import pytest
from werkzeug.security import safe_join

from erlen import Flask, request, send_file, send_from_directory

from .raw import cpu_limit, send

CONTENT = b"0123456789" * 10
HIDDEN = "not for visitors"


@pytest.fixture(autouse=True)
def folder(app: Flask, tmp_path: Path) -> Path:
    app.testing = False
    static = tmp_path / "static"
    (static / "sub").mkdir(parents=True)
    (static / "a.txt").write_bytes(CONTENT)
    (static / "sub" / "b.txt").write_text("b")
    (tmp_path / "secret.txt").write_text(HIDDEN)
    (tmp_path / "static-private").mkdir()
    (tmp_path / "static-private" / "key").write_text(HIDDEN)
    app.static_folder = static
    app.add_url_rule(
        "/dir/<path:name>", "dir", lambda name: send_from_directory(static, name, max_age=0)
    )
    return static


OUTSIDE = [
    "../secret.txt",
    "..%2fsecret.txt",
    "%2e%2e/secret.txt",
    "..\\secret.txt",
    "..%5csecret.txt",
    ".../secret.txt",
    "....//secret.txt",
    "sub/../../secret.txt",
    "sub/..%2f../secret.txt",
    "../static-private/key",
    "../static/../secret.txt",
    "./../secret.txt",
    "/secret.txt",
    "//etc/passwd",
    "/etc/passwd",
    "/proc/self/environ",
    "../../../../../../../../etc/passwd",
    "~/.ssh/id_rsa",
    "file:///etc/passwd",
    "C:/Windows/win.ini",
    "C:\\Windows\\win.ini",
    "\\\\host\\share\\x",
    "//host/share/x",
    "a.txt\x00.png",
    "\x00",
    "../secret.txt\x00.txt",
    "a.txt::$DATA",
    "\xe0\x80\xae\xe0\x80\xae/secret.txt",
    "\xc0\xae\xc0\xae/secret.txt",
    "\uff0e\uff0e/secret.txt",
    "a" * 5000,
    "a/" * 3000,
    "../" * 3000 + "etc/passwd",
]


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("start", ["/static/", "/dir/"])
def test_nothing_outside(app: Flask, start: str, path: str) -> None:
    """No spelling leads out of the folder (CVE-2024-49766, CVE-2024-23334, CVE-2021-31542)."""
    answer = send(app, start + path.encode().decode("latin1"))
    assert answer.status in {308, 404}
    assert HIDDEN.encode() not in answer.body
    assert b"root:" not in answer.body
    if answer.status == 308:
        target = answer.headers["Location"].removeprefix("http://localhost")
        assert send(app, target).status == 404


@pytest.mark.parametrize("path", ["", "sub", "sub/", ".", "./", "sub/.."])
@pytest.mark.parametrize("start", ["/static/", "/dir/"])
def test_directories_are_not_listed(app: Flask, start: str, path: str) -> None:
    """A directory is no file, and its names are nobody's business (CVE-2024-27306)."""
    answer = send(app, start + path)
    assert answer.status == 404
    assert b"a.txt" not in answer.body


def test_what_is_missing_and_what_is_outside_look_alike(app: Flask) -> None:
    """The answer does not tell whether a path outside exists (CVE-2025-69226)."""
    answers = [
        send(app, f"/static/{path}").body
        for path in ("../secret.txt", "../missing", "missing", "../../static/a.txt")
    ]
    assert len(set(answers)) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_only_regular_files(app: Flask, folder: Path) -> None:
    """A pipe or a device would hold the worker for ever (CVE-2026-21860)."""
    os.mkfifo(folder / "pipe")
    assert send(app, "/static/pipe").status == 404


@pytest.mark.parametrize(
    "name",
    [
        "NUL",
        "nul.txt",
        "CON ",
        "con.txt.html",
        "sub/AUX",
        "COM1",
        "COM\xb9",
        "LPT9.x",
        "CONIN$",
        "NUL:",
        "sub/NUL/..",
    ],
)
def test_device_names_of_windows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows they open a device (CVE-2025-66221, CVE-2026-21860, CVE-2026-27199)."""
    joined = safe_join("static", name)
    if os.name != "nt":
        # What safe_join() asks is the platform; files.py leaves odd names to it.
        import erlen.files

        monkeypatch.setattr(os, "name", "nt")
        monkeypatch.setattr(erlen.files, "_WINDOWS", True)
        joined = erlen.files._join("static", name)
    assert joined in {None, "static/sub"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_links_are_the_owners_choice(app: Flask, folder: Path) -> None:
    """A link in the folder is followed: who can write there can serve files anyway."""
    (folder / "link").symlink_to(folder.parent / "secret.txt")
    assert send(app, "/static/link").body == HIDDEN.encode()
    (folder / "broken").symlink_to(folder / "nothing")
    (folder / "loop").symlink_to(folder / "loop")
    assert send(app, "/static/broken").status == 404
    assert send(app, "/static/loop").status == 404


@pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="needs a file that this user cannot read",
)
def test_a_file_that_cannot_be_read(app: Flask, folder: Path) -> None:
    """It is an error of the server, and says nothing of the path."""
    app.logger.disabled = True
    (folder / "locked").write_text(HIDDEN)
    (folder / "locked").chmod(0)
    answer = send(app, "/static/locked")
    assert answer.status in {403, 404, 500}
    assert str(folder).encode() not in answer.body


@pytest.mark.parametrize(
    "value",
    [
        "bytes=0-0,1-1",
        "bytes=" + "0-," * 5000,
        "bytes=" + ",".join(f"{n}-{n}" for n in range(5000)),
        "bytes=0-" * 1000,
        "bytes=5-2",
        "bytes=100-",
        "bytes=-0",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=1_0-2_0",
        "bytes=\uff11-\uff12",
        "bytes=" + "9" * 5000 + "-",
        "bytes=-" + "9" * 5000,
        "bytes=0x1-0x2",
        "items=0-1",
        "bytes",
        "=",
        "",
    ],
)
def test_ranges_amplify_nothing(app: Flask, value: str) -> None:
    """One range or none: an answer is never larger than the file (CVE-2025-62727, -69225)."""
    with cpu_limit(0.5):
        answer = send(app, "/static/a.txt", HTTP_RANGE=value.encode().decode("latin1"))
    assert answer.status in {200, 206, 416}
    assert len(answer.body) <= 300
    assert "multipart" not in answer.headers["Content-Type"]


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ("bytes=0-0", b"0"),
        ("bytes=-2", b"89"),
        ("bytes=98-", b"89"),
        ("bytes=0-99999999999999999999", CONTENT),
        ("bytes=-99999999999999999999", None),
    ],
)
def test_one_range(app: Flask, value: str, body: bytes | None) -> None:
    """What is inside the file is sent, and its length is right."""
    answer = send(app, "/static/a.txt", HTTP_RANGE=value)
    assert answer.status == (416 if body is None else 206)
    assert body is None or answer.body == body
    assert int(answer.headers["Content-Length"]) == len(answer.body)


@pytest.mark.parametrize(
    "name",
    [
        'a".txt',
        'setup.bat".txt',
        "a\\",
        'a\\".txt',
        "a;filename=evil.bat",
        "a\r\nX-Injected: 1",
        "a\x00.txt",
        "a\x7f.txt",
        "\u202eexe.txt",
        "na\xefve \u2603.txt",
        "\ud800.txt",
        "a" * 10_000,
    ],
)
def test_names_of_downloads(app: Flask, name: str) -> None:
    """A name ends where it ends: it cannot become another one (CVE-2022-36359)."""
    app.add_url_rule(
        "/", "index", lambda: send_file(io.BytesIO(b"x"), "text/plain", True, download_name=name)
    )
    answer = send(app)
    assert answer.status == 200
    assert "X-Injected" not in answer.headers
    disposition = answer.headers["Content-Disposition"]
    assert disposition.isascii()
    assert disposition.isprintable()
    quoted = re.sub(r"\\.", "", disposition.removeprefix("attachment; filename="))
    assert quoted.count('"') in {0, 2}
    assert "filename=evil.bat" not in disposition.replace('"a;filename=evil.bat"', "")


def test_uploads_keep_the_name_they_claim(app: Flask) -> None:
    """A file's name is the client's, so it is never used as a path (CVE-2021-31542)."""

    @app.post("/")
    def index() -> dict[str, t.Any]:
        file = request.files["file"]
        return {"name": file.filename, "stream": isinstance(file.stream, io.IOBase)}

    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="../../evil"\r\n\r\nx'
        b"\r\n--x--"
    )
    answer = send(
        app,
        method="POST",
        body=body,
        CONTENT_LENGTH=str(len(body)),
        CONTENT_TYPE="multipart/form-data; boundary=x",
    )
    assert b'"name":"../../evil"' in answer.body


def test_x_sendfile_is_the_applications_choice(app: Flask) -> None:
    """No request header turns it on."""
    answer = send(
        app, "/static/a.txt", HTTP_X_SENDFILE_TYPE="X-Accel-Redirect", HTTP_X_SENDFILE="x"
    )
    assert answer.body == CONTENT
    assert "X-Sendfile" not in answer.headers
    app.config["USE_X_SENDFILE"] = True
    answer = send(app, "/static/a.txt")
    assert answer.headers["X-Sendfile"].endswith("a.txt")


def test_conditions_without_validators(app: Flask) -> None:
    """Without an ETag and a date nothing is known to be unchanged: the body is sent."""
    app.add_url_rule("/", "index", lambda: send_file(io.BytesIO(b"x"), "text/plain"))
    for header in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH"):
        for value in ("Sun, 06 Nov 1994 08:49:37 GMT", "x", "", '""', '"x"'):
            assert send(app, **{header: value})[::2] == (200, b"x")
