"""Stamps: what ties a login to something of the user's that may change, such as the password."""

from __future__ import annotations

import hmac
import typing as t

from .keys import find_keys

if t.TYPE_CHECKING:
    from erlen import Flask

_LENGTH = 32  # hexadecimal digits: 128 bits


def make_stamp(app: Flask, user: t.Any, user_id: t.Any) -> str | None:
    """Return the digest of what a user returns from ``get_session_stamp``; ``None`` without any.

    :param app: the application, whose key it is made with.
    :param user: the user.
    :param user_id: the user's identifier.
    """
    stamp = _find_stamp(user)
    if stamp is None:
        return None
    keys = find_keys(app)
    return _digest(keys[0] if keys else b"", user_id, stamp)


def is_stamp_valid(app: Flask, user: t.Any, user_id: t.Any, given: object) -> bool:
    """Tell whether a login still holds: whether what it was tied to is as it was.

    :param app: the application.
    :param user: the user.
    :param user_id: the user's identifier.
    :param given: the digest that was kept.
    """
    stamp = _find_stamp(user)
    if stamp is None:
        return True
    if not isinstance(given, str) or not given.isascii():
        return False
    keys = find_keys(app) or [b""]
    return any(hmac.compare_digest(given, _digest(key, user_id, stamp)) for key in keys)


def _find_stamp(user: t.Any) -> str | None:
    get = getattr(user, "get_session_stamp", None)
    return None if get is None else get()


def _digest(key: bytes, user_id: t.Any, stamp: str) -> str:
    text = f"erlen.login.stamp\0{user_id}\0{stamp}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, text, "sha256").hex()[:_LENGTH]
