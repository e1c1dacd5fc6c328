"""The work that each framework does: what is sent, and what has to come back."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, replace

from benchmarks import content
from benchmarks.environs import Request, send

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.environs import Answer

    Sender: t.TypeAlias = Callable[[t.Any, Request], Answer]

BodyCheck: t.TypeAlias = "Callable[[bytes], bool]"


class WrongAnswer(Exception):
    """An application did not answer as the workload demands, so timing it means nothing."""


@dataclass(frozen=True)
class Workload:
    """One kind of request.

    :param name: the short name, for ``--only`` and for the applications' tables.
    :param title: the name that the report prints.
    :param request: what is sent.
    :param body: whether a body is right.
    :param content_type: the content type that has to come back; ``None`` leaves it open.
    :param status: the status code that has to come back.
    :param headers: further headers that have to come back.
    :param goal: how many times as fast as Flask Erlen is to be.
    :param session: send back the cookies of a first answer, so that there is a session to read.
    """

    name: str
    title: str
    request: Request
    body: BodyCheck
    content_type: str | None = content.HTML
    status: int = 200
    headers: t.Mapping[str, str] | None = None
    goal: float | None = None
    session: bool = False

    def prepare(self, app: t.Any, send: Sender = send) -> Request:
        """Return the request to time, once the answer to it has been found right.

        It is sent three times, so that what an application makes at its first requests is made,
        and the answer is seen not to change.

        :param app: the application, of WSGI unless *send* can do with another.
        :param send: gives one request to the application.
        :raises WrongAnswer: saying what differs from what has to come back.
        """
        request = self.request
        if self.session:
            request = replace(request, cookie=_cookies(send(app, request)))
        for _ in range(3):
            self.check(send(app, request))
        return request

    def check(self, answer: Answer) -> None:
        """Compare status, content type, length, further headers and body.

        :raises WrongAnswer: saying what differs.
        """
        self._expect("status", answer.status, self.status)
        length = answer.header("Content-Length")
        self._expect("Content-Length", length, str(len(answer.body)))
        if self.content_type is not None:
            got = (answer.header("Content-Type") or "").lower()
            # A charset counts where the workload names one; Falcon sends none for static files.
            got = got if ";" in self.content_type else got.partition(";")[0]
            self._expect("Content-Type", got, self.content_type)
        for name, value in (self.headers or {}).items():
            self._expect(name, answer.header(name), value)
        if not self.body(answer.body):
            raise WrongAnswer(f"{self.name}: the body is {answer.body[:200]!r}")

    def _expect(self, what: str, got: object, wanted: object) -> None:
        if got != wanted:
            raise WrongAnswer(f"{self.name}: {what} is {got!r} instead of {wanted!r}")


def _cookies(answer: Answer) -> str:
    pairs = (value.partition(";")[0] for key, value in answer.headers if key == "Set-Cookie")
    return "; ".join(pairs)


def _text(wanted: str) -> BodyCheck:
    return lambda body: body == wanted.encode()


def _json(wanted: object) -> BodyCheck:
    return lambda body: bool(json.loads(body) == wanted)


def _table(body: bytes) -> bool:
    text = body.decode()
    cells = ("<h1>Members &amp; friends</h1>", "<td>Member &lt;19&gt;</td>", '<tr class="even">')
    return all(cell in text for cell in cells) and text.count("<tr ") == len(content.ROWS)


def _style_sheet(body: bytes) -> bool:
    return body == (content.STATIC / "style.css").read_bytes()


def _visits(body: bytes) -> bool:
    return body == b"visit 2"


WORKLOADS = (
    Workload("plain", "plain text", Request("/"), _text(content.HELLO), goal=9),
    Workload(
        "json",
        "small JSON",
        Request("/json"),
        _json(content.SMALL),
        content.JSON,
        goal=6.5,
    ),
    Workload(
        "route",
        "dynamic route among 300",
        Request(f"/users/{content.USER_ID}/posts/{content.SLUG}"),
        _text(f"{content.USER_ID}|{content.SLUG}"),
        goal=7,
    ),
    Workload(
        "form",
        "query and form echo",
        Request("/search", "POST", content.QUERY, content.FORM.encode(), content.FORM_TYPE),
        _text(content.ECHO),
        goal=7,
    ),
    Workload(
        "echo",
        "JSON echo of 1 KB",
        Request("/echo", "POST", body=content.DOCUMENT_BYTES, content_type=content.JSON),
        _json(content.DOCUMENT),
        content.JSON,
        goal=3,
    ),
    Workload(
        "upload",
        "upload of 1 MiB",
        Request("/upload", "POST", body=content.UPLOAD, content_type=content.UPLOAD_TYPE),
        _text(content.UPLOADED),
        goal=1.5,
    ),
    Workload("template", "template with 20 rows", Request("/members"), _table, goal=1.5),
    Workload(
        "session", "session read and write", Request("/visits"), _visits, goal=4, session=True
    ),
    Workload(
        "missing",
        "404",
        Request("/no/such/page"),
        lambda body: b"404" in body or b"not found" in body.lower(),
        None,
        404,
        goal=8,
    ),
    Workload(
        "hooks",
        "three and three hooks",
        Request("/hooked/"),
        _text(content.HELLO),
        headers=content.HOOK_HEADERS,
        goal=6,
    ),
    Workload(
        "static",
        "static file",
        Request("/static/style.css"),
        _style_sheet,
        "text/css",
        goal=4,
    ),
)
