"""Forged requests in a real browser: accepted or refused as the table in the documentation says.

The application sits behind a small proxy where TLS ends. The browser thinks that each host name is
this machine, so it sees our site, another host of the same site, and another site. The proxy can
leave out what older browsers do not send. The session's cookie is set so that the browser sends it
with forms of other sites too: what is refused here, is refused by the application.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from tests.forms.csrf_table import Sent, is_accepted
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.serving import WSGIRequestHandler, make_server

from erlen import Erlen, Response, current_app, request
from erlen.forms import CSRFProtect, generate_csrf

try:
    from playwright.sync_api import BrowserContext, Page, sync_playwright
except ImportError:
    if os.environ.get("CI"):
        raise
    pytest.skip("The browser tests need Playwright.", allow_module_level=True)

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Names that are nobody's; the port is the proxy's.
    "--host-resolver-rules=MAP * 127.0.0.1",
]

OUR_HOST = "shop.example.test"
#: From where a page sends its request: the host, and what the browser says about it.
FROM = {
    "same-origin": OUR_HOST,
    "same-site": "other.example.test",
    "cross-site": "evil.test",
}
KINDS = ("form", "fetch", "htmx")
#: What the proxy leaves out, by the name of its path.
HIDDEN: dict[str, tuple[str, ...]] = {
    "all": (),
    "no-site": ("sec-fetch-site",),
    "no-origin": ("origin",),
    "neither": ("sec-fetch-site", "origin", "referer"),
}
TOKENS = ("right", "wrong", "missing")

PAGE = """<!doctype html><title>page</title>
<form method="post"><input name="csrf_token"><input name="id"></form>"""

#: Sends what htmx sends: a form's values by XMLHttpRequest, with its own header.
SEND = """async ({kind, url, token, id}) => {
  const values = new URLSearchParams({id, csrf_token: token});
  if (kind === "form") {
    const form = document.querySelector("form");
    form.action = url;
    form.elements.csrf_token.value = token;
    form.elements.id.value = id;
    form.submit();
    return;
  }
  try {
    if (kind === "fetch") {
      const headers = {"Content-Type": "application/json", "X-CSRFToken": token};
      const body = JSON.stringify({id});
      await fetch(url + "?id=" + id, {method: "POST", credentials: "include", headers, body});
    } else {
      await new Promise((done) => {
        const xhr = new XMLHttpRequest();
        xhr.open("POST", url);
        xhr.withCredentials = true;
        xhr.setRequestHeader("HX-Request", "true");
        xhr.setRequestHeader("X-CSRF-Token", token);
        xhr.onloadend = done;
        xhr.send(values);
      });
    }
  } catch (error) {
    // The browser keeps the answer from the page; the request was sent.
  }
}"""


class Arrived(t.NamedTuple):
    """A request as it reached the application, and what became of it."""

    status: int
    site: str | None
    origin: str | None
    referrer: str | None
    cookie: bool


class Shop:
    """The application, which remembers the requests that came."""

    def __init__(self) -> None:
        self.arrived: dict[str, Arrived] = {}
        self.changed: set[str] = set()
        self.condition = threading.Condition()
        app = self.app = Erlen("browser_test")
        app.secret_key = "test key"
        # The worst case: cookies that go out from everywhere, and an answer to preflight requests
        # that lets everybody in.
        app.config.update(SESSION_COOKIE_SAMESITE="None", SESSION_COOKIE_SECURE=True)
        app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)  # type: ignore[method-assign]
        app.after_request(self.note)
        CSRFProtect(app)

        @app.get("/page")
        def page() -> str:
            return PAGE

        @app.get("/token")
        def token() -> str:
            return generate_csrf()

        @app.post("/<hidden>/change")
        def change(hidden: str) -> str:
            self.changed.add(request.values["id"])
            return "changed"

    def note(self, response: Response) -> Response:
        """Remember a request, and let pages of other origins send all they want."""
        headers = request.headers
        if "Origin" in headers or request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Origin"] = headers.get("Origin", "*")
            response.headers["Access-Control-Allow-Credentials"] = "true"
            names = "content-type, hx-request, x-csrftoken, x-csrf-token"
            response.headers["Access-Control-Allow-Headers"] = names
        if request.method == "POST":
            arrived = Arrived(
                response.status_code,
                headers.get("Sec-Fetch-Site"),
                headers.get("Origin"),
                headers.get("Referer"),
                current_app.config["SESSION_COOKIE_NAME"] in request.cookies,
            )
            with self.condition:
                self.arrived[request.values["id"]] = arrived
                self.condition.notify_all()
        return response

    def wait_for(self, number: str) -> Arrived:
        """Return what became of a request, once it has come."""
        with self.condition:
            assert self.condition.wait_for(lambda: number in self.arrived, timeout=60)
        return self.arrived[number]


class Proxy(BaseHTTPRequestHandler):
    """Ends TLS and hands each request on; leaves out the headers that its path says."""

    target: t.ClassVar[tuple[str, int]]
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        hidden: tuple[str, ...] = ()
        if self.command == "POST":
            hidden = HIDDEN[urlsplit(self.path).path.split("/")[1]]
        kept = {name: value for name, value in self.headers.items() if name.lower() not in hidden}
        kept |= {
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": self.headers["Host"],
            "Host": "inside",
            "Connection": "close",
        }
        connection = http.client.HTTPConnection(*self.target, timeout=30)
        connection.request(self.command, self.path, body, kept)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_OPTIONS = handle_any

    def log_message(self, *args: object) -> None:
        pass


class ProxyServer(ThreadingHTTPServer):
    """A server that does not mind connections which the browser opens and drops."""

    daemon_threads = True

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        pass


class Quiet(WSGIRequestHandler):
    """A handler that writes no log."""

    def log(self, type: str, message: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module")
def port(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the proxy, with the application running behind it."""
    inner = make_server("127.0.0.1", 0, shop.app, threaded=True, request_handler=Quiet)
    Proxy.target = ("127.0.0.1", inner.server_port)
    outer = ProxyServer(("127.0.0.1", 0), Proxy)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(tmp_path_factory.mktemp("tls")))
    # The handshake is left to the thread of each connection.
    outer.socket = context.wrap_socket(
        outer.socket, server_side=True, do_handshake_on_connect=False
    )
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        for server in (inner, outer)
    ]
    for thread in threads:
        thread.start()
    yield outer.server_port
    for server in (outer, inner):
        server.shutdown()
    for thread in threads:
        thread.join()
    for server in (outer, inner):
        server.server_close()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return a certificate and its key; the browser is told not to look at whose it is."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    options: list[str | Path] = [
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=test",
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    subprocess.run([*command, *options], check=True, capture_output=True, timeout=60)
    return certificate, key


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """Chromium, without a window, to whom each name is this machine.

    With a profile of its own: in a private window it keeps cookies from other sites' requests.
    """
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("No Chromium here; in CI the browser tests must run.")
        pytest.skip("The browser tests need Chromium.")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=CHROMIUM,
            args=CHROMIUM_ARGS,
            ignore_https_errors=True,
        )
        context.set_default_timeout(30_000)
        yield context
        context.close()


@pytest.fixture(scope="module")
def token(context: BrowserContext, port: int) -> str:
    """A token for the visitor that the browser is."""
    page = context.new_page()
    page.goto(f"https://{OUR_HOST}:{port}/token")
    text = page.inner_text("body")
    page.close()
    return text


@pytest.fixture(scope="module")
def pages(context: BrowserContext, port: int, token: str) -> dict[str, Page]:
    """A page of each place that requests are sent from."""
    pages = {}
    for name, host in FROM.items():
        pages[name] = context.new_page()
        pages[name].goto(f"https://{host}:{port}/page")
    return pages


def send(page: Page, kind: str, url: str, token: str, number: str) -> None:
    """Let a page send a request, and wait for its end."""
    address = page.url
    values = {"kind": kind, "url": url, "token": token, "id": number}
    if kind == "form":
        with page.expect_navigation():
            page.evaluate(SEND, values)
        page.goto(address)
    else:
        page.evaluate(SEND, values)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", FROM)
def test_request(
    shop: Shop, port: int, token: str, pages: dict[str, Page], place: str, kind: str, hidden: str
) -> None:
    """A request from a page is answered as the table says about what reached the application."""
    for given, value in (("right", token), ("wrong", "wrong.token"), ("missing", "")):
        number = f"{place} {kind} {hidden} {given}"
        url = f"https://{OUR_HOST}:{port}/{hidden}/change"
        send(pages[place], kind, url, value, number)
        arrived = shop.wait_for(number)
        # To scripts of other sites today's browsers lend no cookies; no token is right without.
        assert arrived.cookie == (place != "cross-site" or kind == "form")
        assert arrived.site == (None if "sec-fetch-site" in HIDDEN[hidden] else place)
        sent = describe(arrived, given if arrived.cookie else "wrong", port)
        assert sent.origin == expect_origin(place, hidden)
        assert arrived.status == (200 if is_accepted(sent) else 400), sent
        assert (number in shop.changed) == is_accepted(sent)
        if hidden == "all":
            # Today's browsers say enough: the token does not matter.
            assert (number in shop.changed) == (place == "same-origin")


def describe(arrived: Arrived, token: str, port: int) -> Sent:
    """Put a request into the words of the table."""
    return Sent(
        arrived.site or "not sent",
        name_origin(arrived.origin, port),
        name_origin(arrived.referrer, port),
        token,
    )


def name_origin(address: str | None, port: int) -> str:
    if address is None or address == "null":
        return "not sent" if address is None else "null"
    ours = re.match(rf"https://{re.escape(OUR_HOST)}:{port}(/|$)", address)
    return "this origin" if ours else "other host"


def expect_origin(place: str, hidden: str) -> str:
    """Return what a browser that sends the header says."""
    if "origin" in HIDDEN[hidden]:
        return "not sent"
    return "this origin" if place == "same-origin" else "other host"


@pytest.mark.parametrize("given", TOKENS)
def test_hidden_origin(
    shop: Shop, port: int, token: str, context: BrowserContext, given: str
) -> None:
    """A page in a sandbox has the origin "null"; the browser says that it is from elsewhere."""
    page = context.new_page()
    page.goto(f"https://{OUR_HOST}:{port}/page")
    values = {"right": token, "wrong": "wrong.token", "missing": ""}
    for hidden in ("all", "no-site"):
        number = f"sandbox {hidden} {given}"
        url = f"https://{OUR_HOST}:{port}/{hidden}/change"
        inner = (
            f'<form method="post" action="{url}"><input name="csrf_token" value="{values[given]}">'
            f'<input name="id" value="{number}"></form><script>document.forms[0].submit()</script>'
        )
        page.evaluate(
            """(inner) => {
              const frame = document.createElement("iframe");
              frame.sandbox = "allow-forms allow-scripts";
              frame.srcdoc = inner;
              document.body.append(frame);
            }""",
            inner,
        )
        arrived = shop.wait_for(number)
        sent = describe(arrived, given, port)
        assert sent.origin == "null"
        assert arrived.site == ("cross-site" if hidden == "all" else None)
        assert arrived.status == (200 if is_accepted(sent) else 400), sent
    page.close()


def test_what_a_person_does(port: int, context: BrowserContext) -> None:
    """A request that a person makes with the browser's own controls says "none"."""
    page = context.new_page()
    answer = page.goto(f"https://{OUR_HOST}:{port}/page")
    assert answer is not None
    assert answer.request.all_headers()["sec-fetch-site"] == "none"
    page.close()


def test_link_from_elsewhere(port: int, pages: dict[str, Page]) -> None:
    """A link on another site leads to our pages: reading is not checked."""
    page = pages["cross-site"]
    address = page.url
    page.evaluate("(url) => { location.href = url; }", f"https://{OUR_HOST}:{port}/token")
    page.wait_for_url(f"https://{OUR_HOST}:{port}/token")
    assert json.dumps(page.inner_text("body")) != '""'
    page.goto(address)
