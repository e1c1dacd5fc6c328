"""The keys that digests are made with."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from erlen import Flask


def as_bytes(key: str | bytes) -> bytes:
    """Return a key as bytes, text as Flask-Login encodes it where that is possible.

    :param key: the key.
    """
    if isinstance(key, bytes):
        return key
    try:
        return key.encode("latin-1")
    except UnicodeEncodeError:
        return key.encode("utf-8")


def find_keys(app: Flask) -> list[bytes]:
    """Return the keys of an application, the one to sign with first; none where it has no key.

    The others are those of ``SECRET_KEY_FALLBACKS``.

    :param app: the application.
    """
    key = app.config["SECRET_KEY"]
    if not key:
        return []
    return [as_bytes(item) for item in (key, *(app.config.get("SECRET_KEY_FALLBACKS") or ()))]
