"""The script in pages, by which browsers follow: where it is, and that it breaks nothing."""

from __future__ import annotations

import typing as t
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest
from tests.develop.running import PATIENCE, wait_for

if t.TYPE_CHECKING:
    from tests.develop.running import Run

SCRIPT = "/_erlen/refresh.js"


def made(*headers: str, **query: str) -> str:
    """Return the address of a page with headers."""
    return "/made?" + urlencode([*(("header", header) for header in headers), *query.items()])


@pytest.mark.parametrize("path", ["/", "/stream", "/astream", "/file", "/fail", "/nowhere"])
def test_script_in_pages(server: Run, path: str) -> None:
    """Each kind of page has the script once, and is as long as it says."""
    answer = server.page(path)
    assert answer.text.count(SCRIPT) == 1
    length = answer.headers["Content-Length"]
    assert length is None or int(length) == len(answer.body)


def test_script_stands_in_the_body(server: Run) -> None:
    """It comes before the end of the body; the rest of the page is what it was."""
    before, _, after = server.page("/").text.partition("<script")
    assert before == "<!doctype html><html><body><h1>Hi</h1>"
    assert after.partition("</script>")[2] == "</body></html>"


@pytest.mark.parametrize(
    "path",
    [
        "/json",
        "/static/a.txt",
        made("Content-Encoding: gzip"),
        made("Content-Disposition: attachment"),
        made("Cache-Control: no-transform"),
        made("Content-Digest: sha-256=:x:"),
        made("Content-Type: text/html; charset=utf-16"),
        made("Content-Type: application/xhtml+xml"),
        made("Content-Security-Policy: sandbox"),
        made("Content-Security-Policy: script-src 'strict-dynamic' 'sha256-x'"),
    ],
)
def test_left_alone(server: Run, path: str) -> None:
    """What is no page, or must not be changed, goes out as it is."""
    assert server.page(path).body == server.request(path).body


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "*/*"},
        {"Accept": "text/html", "Sec_Fetch_Dest": "empty"},
        {"Accept": "text/html", "Sec_Fetch_Dest": "iframe"},
        {"Accept": "text/html", "HX_Request": "true"},
        {"Accept": "text/html", "Range": "bytes=0-3"},
    ],
)
def test_programs_and_parts_of_pages(server: Run, headers: dict[str, str]) -> None:
    """Who does not open a page gets what the view made."""
    assert SCRIPT not in server.request("/file", **headers).text


def test_range(server: Run) -> None:
    """A part of a file is that part of the file."""
    answer = server.page("/file", Range="bytes=3-5")
    assert (answer.status, answer.body) == (206, b"a f")


def test_conditional(server: Run) -> None:
    """A page that the browser has is not sent again."""
    etag = server.page("/tagged").headers["ETag"]
    answer = server.page("/tagged", If_None_Match=etag)
    assert (answer.status, answer.body) == (304, b"")


@pytest.mark.parametrize("path", ["/", "/file", "/stream"])
def test_head(server: Run, path: str) -> None:
    """HEAD has no body, and no length that the page would not have."""
    answer = server.page(path, "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] in (None, str(len(server.page(path).body)))


@pytest.mark.parametrize("status", ["204", "304"])
def test_no_body(server: Run, status: str) -> None:
    """An answer that cannot have a body gets none."""
    answer = server.page(made(body="", status=status))
    assert (answer.status, answer.body) == (int(status), b"")


@pytest.mark.parametrize(
    ("policy", "sent"),
    [
        ("default-src 'self'", "default-src 'self'"),
        ("img-src *", "img-src *"),
        ("script-src 'nonce-abc'; connect-src *", "script-src 'nonce-abc'; connect-src *"),
        (
            "default-src 'none'; img-src *",
            "default-src 'none'; img-src *; script-src-elem {script}; connect-src {events}",
        ),
        (
            "script-src https://cdn.test 'unsafe-inline'",
            "script-src https://cdn.test 'unsafe-inline';"
            " script-src-elem https://cdn.test 'unsafe-inline' {script}",
        ),
    ],
)
def test_content_security_policy(server: Run, policy: str, sent: str) -> None:
    """A policy stays as it is, but for the addresses of the script and its events."""
    answer = server.page(made(f"Content-Security-Policy: {policy}"))
    root = f"http://127.0.0.1:{server.port}"
    expected = sent.format(script=root + SCRIPT, events=f"{root}/_erlen/refresh")
    assert answer.headers["Content-Security-Policy"] == expected
    assert SCRIPT in answer.text
    assert ('nonce="abc"' in answer.text) is ("nonce" in policy)


def test_script_itself(server: Run) -> None:
    """The script is one."""
    answer = server.request(SCRIPT)
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert "EventSource" in answer.text


def test_events_hold_no_thread(server: Run) -> None:
    """Many browsers that follow are told which process answers, and take no thread of it."""
    server.request("/threads")  # starts the thread of its view
    before = int(server.request("/threads").text.split(":")[1].strip(" }\n"))
    process = server.page("/").text.partition('data-state="')[2].partition('"')[0]
    clients = []
    for _ in range(60):
        client = HTTPConnection(server.host, server.port, timeout=PATIENCE)
        client.request("GET", "/_erlen/refresh")
        response = client.getresponse()
        assert response.headers["Content-Type"] == "text/event-stream"
        lines = [response.readline() for _ in range(4)]
        assert lines[2].decode().strip() == f"data: {process}"
        clients.append((client, response))
    after = int(server.request("/threads").text.split(":")[1].strip(" }\n"))
    assert after - before < 5
    for client, response in clients:
        response.close()
        client.close()
    wait_for(lambda: server.request("/").status == 200, "an answer")
