"""The cookie that remembers a login beyond the browser's session.

There are two forms of it. Flask-Login's holds the user's identifier and a signature, and is good
for ever. A *token* holds as well when it was made and for how long it is good, the user's stamp,
and an identifier of its own, by which it is ended at logout. ``REMEMBER_COOKIE_FORMAT`` chooses
("flask-login" or "token"). Users who have a stamp get tokens in any case.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
import typing as t
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from itsdangerous import BadData, URLSafeTimedSerializer

from erlen import current_app, request

from .config import COOKIE_DURATION, COOKIE_HTTPONLY, COOKIE_NAME, COOKIE_SAMESITE, COOKIE_SECURE
from .keys import as_bytes, find_keys

if t.TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from erlen import Flask

_NO_KEY = (
    "A login can only be remembered by an application with a secret key, for the cookie is signed"
    " with it. Set SECRET_KEY to a long random value that nobody else knows."
)


@dataclass(frozen=True)
class RememberedLogin:
    """What the cookie says.

    :param user_id: the user's identifier.
    :param stamp: the digest of the user's stamp, if there was one.
    :param token: the identifier of the token; ``None`` in Flask-Login's form.
    :param expires: when the token ends, in seconds since 1970; ``None`` in Flask-Login's form.
    :param made: when the token was made, in seconds since 1970; ``None`` in Flask-Login's form.
    """

    user_id: str
    stamp: str | None = None
    token: str | None = None
    expires: float | None = None
    made: float | None = None


# --- Flask-Login's form ---------------------------------------------------------------------------


def encode_cookie(payload: str, key: str | bytes | None = None) -> str:
    """Return text with a signature, as Flask-Login writes it into its cookie.

    :param payload: the text.
    :param key: the key to sign with; by default the application's.
    """
    return f"{payload}|{_cookie_digest(payload, key=key)}"


def decode_cookie(cookie: str, key: str | bytes | None = None) -> str | None:
    """Return the text that :func:`encode_cookie` signed; ``None`` where the signature is wrong.

    :param cookie: the text with its signature.
    :param key: the key; by default the application's, and those of ``SECRET_KEY_FALLBACKS``.
    """
    payload, separator, digest = cookie.rpartition("|")
    if not separator:
        return None
    keys = find_keys(current_app) if key is None else [as_bytes(key)]
    given = digest.encode("utf-8", "surrogatepass")
    for item in keys:
        if hmac.compare_digest(_digest(payload, item).encode(), given):
            return payload
    return None


def _cookie_digest(payload: str, key: str | bytes | None = None) -> str:
    return _digest(payload, _secret_key(key))


def _digest(payload: str, key: bytes) -> str:
    return hmac.digest(key, payload.encode("utf-8", "surrogatepass"), "sha512").hex()


def _secret_key(key: str | bytes | None = None) -> bytes:
    """Return a key as bytes, by default the application's."""
    if key is None:
        key = current_app.config["SECRET_KEY"]
    if not key:
        raise RuntimeError(_NO_KEY)
    return as_bytes(key)


# --- Tokens ---------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _serializer(keys: tuple[bytes, ...]) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        list(keys),
        salt="erlen.login.remember",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def _find_serializer(app: Flask) -> URLSafeTimedSerializer | None:
    keys = find_keys(app)
    # itsdangerous signs with the last one.
    return _serializer(tuple(reversed(keys))) if keys else None


def make_token(
    app: Flask,
    user_id: str,
    stamp: str | None,
    duration: timedelta,
    identifier: str,
) -> str:
    """Return a token.

    :param app: the application, whose key it is signed with.
    :param user_id: the user's identifier.
    :param stamp: the digest of the user's stamp, if there is one.
    :param duration: for how long it is good.
    :param identifier: a new one, or that of the token whose place this one takes.
    """
    serializer = _find_serializer(app)
    if serializer is None:
        raise RuntimeError(_NO_KEY)
    seconds = int(duration.total_seconds())
    # The signature has whole seconds only; a login may be ended in the very second it began.
    made = int(time.time() * 1000)
    return serializer.dumps([user_id, stamp, identifier, seconds, made])


def read_token(app: Flask, token: str) -> RememberedLogin | None:
    """Return what a token says; ``None`` where it is not good, or not good any more.

    :param app: the application.
    :param token: the token.
    """
    serializer = _find_serializer(app)
    if serializer is None:
        return None
    try:
        data, signed = serializer.loads(token, return_timestamp=True)
        user_id, stamp, identifier, seconds, made = data
        expires = signed.timestamp() + seconds
    except (BadData, TypeError, ValueError, OverflowError):
        return None
    # Another program may sign with the same key.
    if not (isinstance(user_id, str) and isinstance(identifier, str) and type(made) is int):
        return None
    # (not ">=": what is no number is not later than anything)
    if not expires > time.time():
        return None
    return RememberedLogin(user_id, stamp, identifier, expires, made / 1000)


def new_identifier() -> str:
    """Return an identifier that no token has."""
    return secrets.token_urlsafe(16)


# --- What a session knows of it -------------------------------------------------------------------


def note_token(
    app: Flask, session: MutableMapping[str, t.Any], identifier: str, expires: float
) -> None:
    """Write into a session which token its browser has, so that both can be ended at once.

    Only where sessions are kept on the server: nobody else's can be ended.

    :param app: the application.
    :param session: the session.
    :param identifier: that of the token.
    :param expires: when the token ends, in seconds since 1970.
    """
    # Sessions of other packages need not have the attribute.
    if getattr(app.session_interface, "keeps_sessions", False):
        # As text: the session looks for changes inside of other values.
        session["_remembered"] = f"{identifier} {int(expires)}"


def read_note(app: Flask, session: Mapping[str, t.Any]) -> tuple[str, float] | None:
    """Return the token that :func:`note_token` wrote into a session, and when it ends at latest.

    :param app: the application.
    :param session: what is in the session.
    """
    note = session.get("_remembered")
    if not isinstance(note, str):
        return None
    identifier, _, expires = note.partition(" ")
    # Requests after the note was written may have moved the end.
    duration = find_duration(app.config, session.get("_remember_seconds"))
    return identifier, max(float(expires), time.time() + duration.total_seconds())


# --- The cookie of a request ----------------------------------------------------------------------


def cookie_name(config: Mapping[str, t.Any]) -> str:
    """Return the cookie's name.

    :param config: the application's configuration.
    """
    name: str = config.get("REMEMBER_COOKIE_NAME", COOKIE_NAME)
    return name


def read_cookie(app: Flask, cookie: str) -> RememberedLogin | None:
    """Return what the value of the cookie says; ``None`` where it is not good.

    Ended tokens are not told from others here.

    :param app: the application.
    :param cookie: the value.
    """
    # What Flask-Login writes has a bar before the signature, a token has none anywhere.
    if "|" not in cookie:
        return read_token(app, cookie)
    if wants_tokens(app):
        return None
    user_id = decode_cookie(cookie)
    return None if user_id is None else RememberedLogin(user_id)


def wants_tokens(app: Flask) -> bool:
    """Tell whether logins are remembered by tokens only.

    :param app: the application.
    :raises RuntimeError: where ``REMEMBER_COOKIE_FORMAT`` is neither of the two.
    """
    chosen = app.config.get("REMEMBER_COOKIE_FORMAT", "flask-login")
    if chosen not in ("flask-login", "token"):
        raise RuntimeError(
            f"REMEMBER_COOKIE_FORMAT is {chosen!r}. Set it to 'token' or to 'flask-login'."
        )
    return bool(chosen == "token")


def find_duration(config: Mapping[str, t.Any], seconds: float | None) -> timedelta:
    """Return for how long a login is remembered.

    :param config: the application's configuration.
    :param seconds: for how long this one is, where that was said.
    :raises TypeError: where ``REMEMBER_COOKIE_DURATION`` is no time.
    """
    if seconds is not None:
        return timedelta(seconds=seconds)
    duration = config.get("REMEMBER_COOKIE_DURATION", COOKIE_DURATION)
    if isinstance(duration, int):
        return timedelta(seconds=duration)
    if not isinstance(duration, timedelta):
        raise TypeError(
            f"REMEMBER_COOKIE_DURATION must be a datetime.timedelta, instead got: {duration}"
        )
    return duration


def cookie_options(config: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the attributes of the cookie, but for its end.

    :param config: the application's configuration.
    """
    secure = config.get("REMEMBER_COOKIE_SECURE", COOKIE_SECURE)
    if secure == "auto":
        secure = request.is_secure or config["PREFERRED_URL_SCHEME"] == "https"
    return {
        "domain": config.get("REMEMBER_COOKIE_DOMAIN"),
        "path": config.get("REMEMBER_COOKIE_PATH", "/"),
        "secure": secure,
        "httponly": config.get("REMEMBER_COOKIE_HTTPONLY", COOKIE_HTTPONLY),
        "samesite": config.get("REMEMBER_COOKIE_SAMESITE", COOKIE_SAMESITE),
    }
