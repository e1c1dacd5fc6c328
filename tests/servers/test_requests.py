"""The same requests on each server, over real connections."""

from __future__ import annotations

import hashlib
import json
import socket
import typing as t

from tests.processes import wait_for

from .abilities import Ability, lack
from .process import Server

if t.TYPE_CHECKING:
    from collections.abc import Iterator

MEBIBYTE = bytes(range(256)) * 4096


def chunks(data: bytes, size: int = 10_000) -> Iterator[bytes]:
    """Return pieces of some bytes."""
    return (data[start : start + size] for start in range(0, len(data), size))


def test_plain(server: Server) -> None:
    """A page comes with its length and the default headers."""
    answer = server.request("GET", "/")
    assert (answer.status, answer.body) == (200, b"plain")
    assert answer.headers["Content-Length"] == "5"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_head(server: Server) -> None:
    """HEAD has the headers of GET and no body."""
    for path in ("/", "/stream", "/static/digits.txt"):
        answer = server.request("HEAD", path)
        assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == "1000"
    assert b"\r\n\r\nplain" not in server.send_raw(b"HEAD / HTTP/1.0\r\n\r\n")


def test_json(server: Server) -> None:
    """JSON goes in and comes out."""
    headers = {"Content-Type": "application/json"}
    answer = server.request("POST", "/json", json.dumps({"a": "ä"}), headers)
    assert json.loads(answer.body) == {"got": {"a": "ä"}}
    assert server.request("POST", "/json", "{", headers).status == 400


def test_forms(server: Server) -> None:
    """Both kinds of forms are read."""
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = server.request("POST", "/form", "a=1&b=%C3%A4", urlencoded)
    assert json.loads(answer.body) == {"form": {"a": "1", "b": "ä"}, "files": {}}

    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    answer = server.request("POST", "/form", start + MEBIBYTE + b"\r\n--x--", multipart)
    assert json.loads(answer.body) == {"form": {}, "files": {"file": len(MEBIBYTE)}}


def test_upload(server: Server) -> None:
    """A mebibyte arrives as it was sent."""
    answer = server.request("POST", "/upload", MEBIBYTE)
    digest = hashlib.sha256(MEBIBYTE).hexdigest()
    assert json.loads(answer.body) == {"size": len(MEBIBYTE), "digest": digest}


def test_chunked_upload(server: Server) -> None:
    """So does one without a length, or it is a 411 where the server cannot read it."""
    headers = {"Transfer-Encoding": "chunked"}
    if lack(server, Ability.CHUNKED):
        # In one piece, so that all is sent before the server closes the connection.
        head = b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = server.send_raw(head + b"5\r\n12345\r\n0\r\n\r\n", whole=True)
        assert b" 411 " in answer
        assert answer.count(b"HTTP/1.") == 1
        return
    data = server.request("POST", "/upload", chunks(MEBIBYTE), headers, chunked=True).body
    digest = hashlib.sha256(MEBIBYTE).hexdigest()
    assert json.loads(data) == {"size": len(MEBIBYTE), "digest": digest}


def test_streaming_answer(server: Server) -> None:
    """A generator's parts arrive in order and to the last."""
    answer = server.request("GET", "/stream")
    assert answer.body.decode().splitlines() == [f"part {number}" for number in range(1000)]


def test_methods(server: Server) -> None:
    """Each method arrives, with its body, those that few have heard of too."""
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "M-SEARCH"):
        answer = server.request(method, "/any", b"body" if method != "GET" else None)
        size = 0 if method == "GET" else 4
        assert json.loads(answer.body) == {"method": method, "size": size}, method


def test_paths_and_queries(server: Server) -> None:
    """Escapes are decoded once, in UTF-8; what is escaped without need is the same path."""
    paths = {
        "caf%C3%A9/%E2%82%AC": "café/€",
        "a%20b%2Bc+d": "a b+c+d",
        "100%25%32%35": "100%25",
        "~!$&'()*,;=:@-._": "~!$&'()*,;=:@-._",
        "%7Euser/%61": "~user/a",
        "a%3Fb%23c": "a?b#c",
        "a%2Fb": "a/b",
        "one/%F0%9F%A6%8A": "one/🦊",
    }
    for sent, rest in paths.items():
        answer = json.loads(server.request("GET", f"/path/{sent}").body)
        assert answer == {"rest": rest, "path": f"/path/{rest}", "query": {}}, sent
    query = "a=1&a=2&b=%C3%A4+%2B%20c&empty=&flag&%26=%3D&q=%25&u=http://a/?b"
    answer = json.loads(server.request("GET", f"/path/x?{query}").body)
    assert answer["query"] == {
        "a": ["1", "2"],
        "b": ["ä + c"],
        "empty": [""],
        "flag": [""],
        "&": ["="],
        "q": ["%"],
        "u": ["http://a/?b"],
    }


def test_repeated_headers(server: Server) -> None:
    """Fields that come twice arrive in order, and go out as two, cookies above all."""
    client = server.client()
    try:
        client.putrequest("GET", "/repeated")
        client.putheader("X-Twice", "one")
        client.putheader("X-Twice", "two")
        client.endheaders()
        response = client.getresponse()
        body = response.read()
    finally:
        client.close()
    assert response.headers.get_all("X-Twice") == ["a", "b"]
    cookies = response.headers.get_all("Set-Cookie") or []
    assert [cookie.partition(";")[0] for cookie in cookies] == ["first=1", "second=2"]
    assert body == (b"two" if lack(server, Ability.REPEATED) else b"one|two")


def test_cookies(server: Server) -> None:
    """As many as browsers send arrive: 6 kB of them."""
    cookies = {f"name{number}": "x" * 100 for number in range(60)}
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    answer = server.request("GET", "/cookies", headers={"Cookie": header})
    assert json.loads(answer.body) == cookies


def test_no_content(server: Server) -> None:
    """A 204 has no body, and the connection is fit for the next request."""
    client = server.client()
    try:
        for path, status in (("/empty", 204), ("/", 200)):
            client.request("GET", path)
            response = client.getresponse()
            body = response.read()
            assert (response.status, body) == (status, b"plain" if status == 200 else b"")
    finally:
        client.close()


def test_expect(server: Server) -> None:
    """A client that asks before it sends its body is told to go on."""
    if lack(server, Ability.EXPECT) == "waits":
        # So does the client, for a second in most programs, and then it sends the body.
        return
    head = b"POST /upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"
    with server.connect() as connection:
        connection.sendall(head + b"Connection: close\r\n\r\n")
        first = connection.recv(65536)
        if lack(server, Ability.EXPECT):
            assert first.startswith(b"HTTP/1.1 400 ")
            return
        assert first.startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"12345")
        answer = first
        while part := connection.recv(65536):
            answer += part
        assert b'"size":5' in answer


def test_old_clients(server: Server) -> None:
    """To a client of HTTP/1.0 a stream goes without chunks, and ends with the connection."""
    answer = b""
    with server.connect() as connection:
        connection.sendall(b"GET /stream HTTP/1.0\r\nHost: a\r\n\r\n")
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    is_chunked = b"transfer-encoding: chunked" in head.lower()
    assert is_chunked is (lack(server, Ability.OLD) == "chunked")
    assert b"part 0\n" in body
    assert b"part 999\n" in body


def test_events_arrive_at_once(server: Server) -> None:
    """An event is not kept back until the next one."""
    server.notes_path.write_text("")
    client = server.client()
    try:
        client.request("GET", "/events")
        response = client.getresponse()
        lines = iter(response.readline, b"")
        assert b"data: first\n" in lines
        with server.notes_path.open("a") as file:
            file.write("seen\n")
        assert b"data: second\n" in lines
        assert b"data: second\n" not in response.read()
    finally:
        client.close()


def test_missing(server: Server) -> None:
    """An unknown path and a wrong method are told apart."""
    assert server.request("GET", "/nothing/here").status == 404
    answer = server.request("DELETE", "/")
    assert answer.status == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_redirect(server: Server) -> None:
    """A redirect stays on the site."""
    answer = server.request("GET", "/leave")
    assert (answer.status, answer.headers["Location"]) == (302, "/")


def test_static_files(server: Server) -> None:
    """Whole, in part, and not at all where nothing has changed."""
    whole = server.request("GET", "/static/digits.txt")
    assert whole.body == b"0123456789" * 100
    part = server.request("GET", "/static/digits.txt", headers={"Range": "bytes=5-14"})
    assert (part.status, part.body) == (206, b"5678901234")
    assert part.headers["Content-Range"] == "bytes 5-14/1000"
    beyond = server.request("GET", "/static/digits.txt", headers={"Range": "bytes=1000-"})
    assert beyond.status == 416
    same = server.request(
        "GET", "/static/digits.txt", headers={"If-None-Match": whole.headers["ETag"]}
    )
    assert (same.status, same.body) == (304, b"")
    assert server.request("GET", "/static/../application.py").status == 404
    assert server.request("GET", "/static/%2e%2e/application.py").status == 404


def test_the_address_of_the_client(server: Server) -> None:
    """What proxies in front say is believed where there is one, and from nobody else."""
    claims = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Host": "evil.example"}
    answer = json.loads(server.request("GET", "/where", headers=claims).body)
    is_behind = server.kind.startswith("nginx-")
    scheme = "https" if is_behind else "http"
    assert answer == {
        "url": f"{scheme}://127.0.0.1:{server.port}/where",
        "is_secure": is_behind,
        "address": "127.0.0.1",
    }


def test_session(server: Server) -> None:
    """The cookie comes back and counts."""
    cookie = server.request("GET", "/count").headers["Set-Cookie"].partition(";")[0]
    answer = server.request("GET", "/count", headers={"Cookie": cookie})
    assert json.loads(answer.body) == {"count": 2}


def test_an_error_is_one_answer(server: Server) -> None:
    """A failing view is a 500 without a word on why, and the next request works."""
    before = len(server.notes)
    answer = server.request("GET", "/fail")
    assert answer.status == 500
    assert b"on purpose" not in answer.body
    assert server.request("GET", "/").status == 200
    wait_for(lambda: server.notes[before:].count("teardown /fail") == 1, "the teardown")


def test_one_client_many_requests(server: Server) -> None:
    """A client may send one request after the other, kept alive or not."""
    client = server.client()
    try:
        for number in range(20):
            body = b"x" * number
            client.request("POST", "/upload", body)
            response = client.getresponse()
            assert json.loads(response.read())["size"] == number
    finally:
        client.close()


def test_a_connection_is_used_again(server: Server) -> None:
    """An unread body does not become the next request, where connections are kept or not."""
    smuggled = b"GET /leave HTTP/1.1\r\nHost: a\r\n\r\n"
    first = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(smuggled)
    if server.kind != "gunicorn-gthread":
        answer = server.send_raw(first + smuggled, whole=True)
        assert b" 405 " in answer
        assert answer.count(b"HTTP/1.") == 1
        return
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(first + smuggled)
            assert b" 405 " in _read_answer(connection)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert _read_answer(connection).endswith(b"plain")


def _read_answer(connection: socket.socket) -> bytes:
    """Return one answer that has a length."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        assert part
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    assert len(body) == length
    return head + b"\r\n\r\n" + body
