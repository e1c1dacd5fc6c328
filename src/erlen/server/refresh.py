"""The browser that follows changes: a script in pages, and the stream of events that it reads."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import typing as t

from werkzeug.http import parse_accept_header, parse_options_header

from . import policy

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Where the script and the events are; no application has anything below that.
SCRIPT_PATH = "/_erlen/refresh.js"
EVENTS_PATH = "/_erlen/refresh"

# How many seconds pass between two signs of life, by which a browser that is gone is noticed.
_HEARTBEAT = 15.0

# What a client says may stand in a policy.
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]+")

# A page that was made in an earlier state than the server's is out of date. It is loaded anew once
# for each state, or one from a cache would be loaded for ever. Only pages that are seen hold a
# connection: by HTTP/1.1 browsers open six to a server at most, for all their tabs.
SCRIPT = """\
(() => {
  "use strict";
  const own = document.currentScript;
  let state = own.dataset.state;
  let events = null;
  const key = "erlen-refresh";
  const tried = () => { try { return sessionStorage.getItem(key); } catch { return null; } };
  const reload = (next) => {
    try { sessionStorage.setItem(key, next); } catch {}
    location.reload();
  };
  const path = (url) => decodeURIComponent(new URL(url, location.href).pathname);
  const isNamed = (url, names) => names.some((name) => path(url).endsWith("/" + name));

  // Styles change without the page being lost; true if there was nothing else.
  const swapStyles = (names) => {
    const links = [...document.querySelectorAll("link[rel~=stylesheet][href]")]
      .filter((link) => isNamed(link.href, names));
    const isAll = names.every((name) => links.some((link) => isNamed(link.href, [name])));
    if (!isAll) return false;
    for (const link of links) {
      const fresh = link.cloneNode();
      const url = new URL(link.href);
      url.searchParams.set("erlen-refresh", Date.now());
      fresh.href = url.href;
      fresh.onload = fresh.onerror = () => link.remove();
      link.after(fresh);
    }
    return true;
  };

  // What a page loads may be kept by the browser for long.
  const fetchAnew = (names) => Promise.allSettled(
    performance.getEntriesByType("resource").map((entry) => entry.name)
      .filter((url) => new URL(url).origin === location.origin && isNamed(url, names))
      .map((url) => fetch(url, {cache: "reload"})));

  const takeState = (event) => {
    if (event.data !== state && event.data !== tried()) reload(event.data);
  };
  const takeChange = async (event) => {
    const change = JSON.parse(event.data);
    const isStyle = change.names.every((name) => name.endsWith(".css"));
    if (isStyle && swapStyles(change.names)) {
      state = change.state;
      return;
    }
    await fetchAnew(change.names);
    reload(change.state);
  };
  const disconnect = () => {
    if (events) events.close();
    events = null;
  };
  const connect = () => {
    if (events || document.hidden) return;
    const source = events = new EventSource(own.dataset.events);
    source.addEventListener("state", takeState);
    source.addEventListener("change", takeChange);
    source.onerror = () => {
      // Browsers try again by themselves, but for an answer that is no stream.
      if (source.readyState !== EventSource.CLOSED || events !== source) return;
      disconnect();
      setTimeout(connect, 2000);
    };
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) disconnect(); else connect();
  });
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connect);
  connect();
})();
"""


class Followers:
    """The browsers that follow this process."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(8)
        self._changes = 0
        self._queues: set[asyncio.Queue[str]] = set()

    def end(self) -> None:
        """End the streams of all of them; on the loop. Browsers come back by themselves."""
        for queue in self._queues:
            queue.put_nowait("")

    @property
    def state(self) -> str:
        """What tells pages that are made now from those that were made before something changed."""
        return f"{self._process}-{self._changes}"

    def tag(self, state: str, nonce: str | None = None) -> bytes:
        """Return the element that loads the script.

        :param state: the state in which the page was begun.
        :param nonce: the nonce of the page's policy.
        """
        end = f' nonce="{nonce}"' if nonce else ""
        return (
            f'<script src="{SCRIPT_PATH}" data-events="{EVENTS_PATH}"'
            f' data-state="{state}"{end}></script>'
        ).encode()

    def tell(self, names: list[str]) -> None:
        """Tell all of them that files changed; on the loop.

        :param names: the files' names.
        """
        self._changes += 1
        data = json.dumps({"state": self.state, "names": names})
        for queue in self._queues:
            queue.put_nowait(f"event: change\ndata: {data}\n\n")

    async def follow(self, protocol: t.Any) -> None:
        """Send events to a browser until it goes away.

        :param protocol: what Granian hands over.
        """
        queue: asyncio.Queue[str] = asyncio.Queue()
        headers = [("content-type", "text/event-stream"), ("cache-control", "no-store")]
        transport = protocol.response_stream(200, headers)
        left = asyncio.ensure_future(protocol.client_disconnect())
        self._queues.add(queue)
        try:
            # While the server starts anew, connections wait; a server that has ended is looked
            # for twice a second.
            await transport.send_str(f"retry: 500\nevent: state\ndata: {self.state}\n\n")
            while not left.done():
                event = asyncio.ensure_future(queue.get())
                await asyncio.wait(
                    {event, left}, timeout=_HEARTBEAT, return_when=asyncio.FIRST_COMPLETED
                )
                event.cancel()
                text = event.result() if _has_result(event) else ":\n\n"
                if not text:
                    break
                await transport.send_str(text)
        except Exception:
            # Granian has an error of its own for a connection that is gone.
            pass
        finally:
            left.cancel()
            self._queues.discard(queue)


def _has_result(future: asyncio.Future[str]) -> bool:
    return future.done() and not future.cancelled()


class Refreshing:
    """Puts the script into the pages of an application; WSGI middleware.

    :param app: the application.
    :param followers: who follows.
    """

    def __init__(self, app: WSGIApplication, followers: Followers) -> None:
        self._app = app
        self._followers = followers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if "erlen.websocket" in environ or not _is_for_page(environ):
            return self._app(environ, start_response)
        page = Page(environ, self._followers)

        def start(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
            return start_response(status, page.take_head(status, headers), exc_info)

        return page.finish(self._app(environ, start))


def _is_for_page(environ: WSGIEnvironment) -> bool:
    """Return whether a request is for a page: not for a part of one, and not by a program."""
    if environ["REQUEST_METHOD"] == "CONNECT" or "HTTP_RANGE" in environ:
        return False
    # Sent to addresses that browsers think safe, such as this machine.
    if environ.get("HTTP_SEC_FETCH_DEST", "document") != "document":
        return False
    # https://htmx.org/reference/#request_headers
    if "HTTP_HX_REQUEST" in environ or "HTTP_X_REQUESTED_WITH" in environ:
        return False
    accept = parse_accept_header(environ.get("HTTP_ACCEPT"))
    return any(value.lower() == "text/html" for value, _ in accept)


class Page:
    """An answer that may be a page.

    :param environ: the request.
    :param followers: who follows.
    """

    def __init__(self, environ: WSGIEnvironment, followers: Followers) -> None:
        self._environ = environ
        self._followers = followers
        # Of the beginning, for what changes while the page is made comes after it.
        self._state = followers.state
        self._tag = b""
        self._has_head = False

    def take_head(self, status: str, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the headers of the answer, made fit for the script if it is a page.

        :param status: the line of the status.
        :param headers: the headers.
        """
        self._tag, self._has_head = b"", True
        if not _is_page(status, headers):
            return headers
        policies = [v for n, v in headers if n.lower() == "content-security-policy"]
        allowed = self._widen(policies)
        if None in allowed:
            return headers
        if self._environ["REQUEST_METHOD"] == "HEAD":
            # It would be wrong for the page; it may be left out (RFC 9110, section 8.6).
            return [item for item in headers if item[0].lower() != "content-length"]
        self._tag = self._followers.tag(self._state, policy.nonce_of(policies))
        changed = iter(t.cast("list[str]", allowed))
        return [(name, self._value(name.lower(), value, changed)) for name, value in headers]

    def _widen(self, policies: list[str]) -> list[str | None]:
        host = self._environ.get("HTTP_HOST", "")
        if not _HOST.fullmatch(host):
            return [None for _ in policies]
        root = f"{self._environ['wsgi.url_scheme']}://{host}"
        return [policy.allow(value, root + SCRIPT_PATH, root + EVENTS_PATH) for value in policies]

    def _value(self, name: str, value: str, policies: Iterator[str]) -> str:
        if name == "content-security-policy":
            return next(policies)
        if name == "content-length" and value.isdecimal():
            return str(int(value) + len(self._tag))
        return value

    def finish(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body with the script in it, if it is a page's.

        :param body: the body.
        """
        if self._has_head and not self._tag:
            return body
        if type(body) is not list:
            # Where the head is not known yet, it may become a page.
            return TaggedParts(body, lambda: self._tag)
        data = b"".join(body)
        end = data.lower().rfind(b"</body")
        end = len(data) if end < 0 else end
        return [data[:end] + self._tag + data[end:]]


class TaggedParts:
    """The parts of a body, and the script as the last one.

    Browsers take it for a part of the page, also after its end (HTML, section 13.2.6.4.20).

    :param body: the body.
    :param get_tag: returns the script, or nothing.
    """

    def __init__(self, body: Iterable[bytes], get_tag: Callable[[], bytes]) -> None:
        self._body = body
        self._get_tag = get_tag
        self.is_asynchronous = getattr(body, "is_asynchronous", False)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._body
        tag = self._get_tag()
        if tag:
            yield tag

    def close(self) -> None:
        """Close the body."""
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def _is_page(status: str, headers: list[tuple[str, str]]) -> bool:
    """Return whether an answer is a whole page in HTML that may be changed on its way."""
    if status[:3] in {"204", "205", "206", "304"} or status[0] == "1":
        return False
    values: dict[str, str] = {}
    for name, value in headers:
        values.setdefault(name.lower(), value)
    kind, options = parse_options_header(values.get("content-type"))
    return (
        kind.lower() == "text/html"
        # UTF-16 and the like have other bytes for it.
        and not options.get("charset", "").lower().startswith(("utf-16", "utf-32", "ucs"))
        and values.get("content-encoding", "identity").lower() == "identity"
        and not values.get("content-disposition", "").lower().startswith("attachment")
        and "no-transform" not in values.get("cache-control", "").lower()
        # A sum over the body.
        and values.keys().isdisjoint({"content-digest", "digest", "content-md5", "content-range"})
    )
