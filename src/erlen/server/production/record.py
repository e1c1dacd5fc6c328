"""A request and its answer, as the access log has them."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
import typing as t
from contextvars import ContextVar
from datetime import UTC, datetime

if t.TYPE_CHECKING:
    from collections.abc import Callable

#: The record of the request that is under way, where records are made.
current_record: ContextVar[Record | None] = ContextVar("erlen.serve.record", default=None)

# A line must go out whole, whatever other workers write: what a pipe takes at once (POSIX).
_MAX_LINE = 4096
_MAX_FIELD = 1024
# Ids of proxies that are taken over: no spaces, no control characters, nothing endless.
_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:+/=@")
_MAX_ID = 128


class Record:
    """What is known of a request.

    :param client: the address of the other end.
    :param method: the method.
    :param path: the decoded path.
    :param query: the query string.
    :param version: the version of HTTP.
    """

    __slots__ = (
        "_begun",
        "agent",
        "client",
        "id",
        "is_event_stream",
        "method",
        "path",
        "query",
        "referer",
        "size",
        "status",
        "version",
    )

    def __init__(self, client: str, method: str, path: str, query: str, version: str) -> None:
        self.client = client
        self.method = method
        self.path = path
        self.query = query
        self.version = version
        self.agent = ""
        self.referer = ""
        self.id = ""
        self.status = 0
        self.size = 0
        #: Whether the answer goes on without an end of its own.
        self.is_event_stream = False
        self._begun = time.perf_counter()

    def milliseconds(self) -> float:
        """Return how long it has taken."""
        return round((time.perf_counter() - self._begun) * 1000, 3)


def make_id(given: str | None) -> str:
    """Return the id of a request: the one that a proxy gave, if that can be one, or a new one.

    :param given: what a named proxy says; ``None`` for nothing.
    """
    if given and len(given) <= _MAX_ID and _ID_CHARACTERS.issuperset(given):
        return given
    return secrets.token_hex(16)


def write_text(record: Record) -> None:
    """Write a line for people, in the order of the common log format."""
    now = datetime.now(UTC).astimezone()
    target = record.path + (f"?{record.query}" if record.query else "")
    _write(
        f"{_escape(record.client) or '-'} - - [{now:%d/%b/%Y:%H:%M:%S %z}]"
        f' "{_escape(record.method)} {_escape(target)} HTTP/{_escape(record.version)}"'
        f" {record.status or '-'} {record.size} {_quote(record.referer)} {_quote(record.agent)}"
        f" {record.milliseconds():.1f}ms {record.id}\n"
    )


def write_json(record: Record) -> None:
    """Write a line for programs: an object of JSON."""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "client": record.client,
        "method": record.method,
        "path": record.path[:_MAX_FIELD],
        "query": record.query[:_MAX_FIELD],
        "protocol": f"HTTP/{record.version}",
        "status": record.status,
        "bytes": record.size,
        "milliseconds": record.milliseconds(),
        "request_id": record.id,
        "user_agent": record.agent[:_MAX_FIELD],
        "referer": record.referer[:_MAX_FIELD],
        "pid": os.getpid(),
    }
    text = json.dumps(line)
    if len(text) >= _MAX_LINE:
        # Escapes make a character six.
        for name in ("path", "query", "user_agent", "referer"):
            line[name] = str(line[name])[:128]
        text = json.dumps(line)
    _write(f"{text}\n")


WRITERS: dict[str, Callable[[Record], None]] = {"text": write_text, "json": write_json}


def _quote(text: str) -> str:
    return f'"{_escape(text) or "-"}"'


def _escape(text: str) -> str:
    """Return text in which nothing ends a field or a line: ``\\xNN`` stands for such bytes."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text[:_MAX_FIELD]
    data = text.encode("utf-8", "surrogatepass")[: _MAX_FIELD // 4]
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in data
    )


def _write(line: str) -> None:
    try:
        os.write(sys.stdout.fileno(), line.encode("ascii", "backslashreplace"))
    except (OSError, ValueError):
        # Nobody reads the log; that is no reason not to answer.
        pass
