"""What a store keeps of a session, and the secret that leads to it."""

from __future__ import annotations

import hashlib
import json
import secrets
import typing as t

# 256 random bits; 128 would be enough (OWASP ASVS 5.0, 7.2.3).
_TOKEN_BYTES = 32
_TOKEN_LENGTH = 43


class StoredSession(t.NamedTuple):
    """What a store keeps of one session.

    :param key: what it is found by: a digest of the token in the cookie, 64 hexadecimal digits.
    :param payload: what is in the session, as text. It is empty where the session went on under
        another key a moment ago.
    :param version: grows by one with each change of the payload.
    :param owner: whose session it is, if anybody's.
    :param created: when it began, in seconds since the epoch.
    :param last_seen: when it was last used, to within some minutes.
    :param expires: when it ends unless it is used again.
    :param address: the address of the client that used it then.
    :param user_agent: what that client called itself, in ASCII.
    """

    key: str
    payload: str
    version: int
    owner: str | None
    created: float
    last_seen: float
    expires: float
    address: str | None = None
    user_agent: str = ""

    @property
    def has_moved(self) -> bool:
        """Whether the session goes on under another key, which this record does not know."""
        return not self.payload


def new_token() -> str:
    """Return a new secret for a cookie: 256 random bits, in letters that URLs may have."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def key_of(token: str) -> str | None:
    """Return the key of a token, or ``None`` for what cannot be one.

    Stores have the keys only: whoever reads a store cannot make a cookie from what is in it.

    :param token: the cookie's value.
    """
    if len(token) != _TOKEN_LENGTH or not token.isascii():
        return None
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def digest_of(owner: str) -> str:
    """Return what stands for an owner in names of keys and files: 64 hexadecimal digits.

    Databases compare text in many ways, and file systems too; this they compare exactly.

    :param owner: the owner.
    """
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()


def to_text(session: StoredSession) -> str:
    """Return a session as text, for stores that keep text. It begins with the version.

    :param session: the session.
    """
    head = json.dumps(session[3:], separators=(",", ":"))
    return f"{session.version}\n{head}\n{session.payload}"


def from_text(key: str, text: str) -> StoredSession | None:
    """Return the session that :func:`to_text` wrote, or ``None`` where it did not.

    :param key: the session's key.
    :param text: the text.
    """
    try:
        version, head, payload = text.split("\n", 2)
        return StoredSession(key, payload, int(version), *json.loads(head))
    except (ValueError, TypeError):
        return None
