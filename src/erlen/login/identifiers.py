"""Where a session is used from: a digest of the client's address and of what it calls itself."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha512

from erlen.globals import _cv_request

# Headers may be long, and what is kept must not fill the memory.
_MAX_KEPT = 512
# Hexadecimal digits, 128 bits. With four times as many, the session would have to be compressed.
_LENGTH = 32


def create_identifier() -> str:
    """Return the digest for the current request.

    The address is that of the client as the server says (``request.remote_addr``), which behind a
    proxy is told by :class:`~werkzeug.middleware.proxy_fix.ProxyFix`. With
    ``LOGIN_TRUST_FORWARDED_FOR``, as with Flask-Login, it is what the header
    ``X-Forwarded-For`` says, which anybody can write.
    """
    ctx = _cv_request.get()
    environ = ctx.request.environ
    address = environ.get("REMOTE_ADDR")
    length: int | None = _LENGTH
    if ctx.app.config.get("LOGIN_TRUST_FORWARDED_FOR", True):
        address = environ.get("HTTP_X_FORWARDED_FOR", address)
        # All of it, so that sessions go on when an application moves here from Flask-Login.
        length = None
    agent = environ.get("HTTP_USER_AGENT")
    if len(address or "") + len(agent or "") > _MAX_KEPT:
        return _make(address, agent, length)
    return _kept(address, agent, length)


def _make(address: str | None, agent: str | None, length: int | None) -> str:
    first = None if address is None else _encode(address).split(b",")[0].strip()
    text = f"{first!r}|{None if agent is None else _encode(agent)!r}"
    return sha512(text.encode()).hexdigest()[:length]


def _encode(text: str) -> bytes:
    # What servers hand over stands for bytes (PEP 3333); Werkzeug's headers show them so, too.
    return text.encode("utf-8", "surrogatepass")


# PERF: the hash of a usual browser's name takes a third of the time of recognizing a user.
_kept = lru_cache(maxsize=1024)(_make)
