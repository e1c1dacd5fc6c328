"""Sessions in an encrypted cookie: the browser can neither change nor read them."""

from __future__ import annotations

import hmac
import os
import struct
import time
import typing as t
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache

from itsdangerous import BadSignature, SignatureExpired

from erlen.exceptions import ConfigError
from erlen.sessions import SecureCookieSessionInterface

if t.TYPE_CHECKING:
    from itsdangerous import URLSafeTimedSerializer

    from erlen.typing import Application

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError as error:
    raise ConfigError(
        "Encrypted sessions need the package cryptography. Install it with"
        ' pip install "erlen[encrypted]", or set SESSION_BACKEND to another value.'
    ) from error

# Random bytes that the key of one cookie is derived with, and those that its cipher begins with.
_SALT, _NONCE = 16, 12
_STAMP = struct.Struct(">Q")
_PURPOSE = b"erlen encrypted session 1"


class CookieCipher:
    """Encrypts and decrypts what is in cookies, by AES-256-GCM.

    Each cookie has a key of its own, derived with 16 random bytes: a random nonce of 12 bytes alone
    could be met twice among a few thousand million cookies, which would give the contents away
    (NIST SP 800-38D, section 8.3). The time is encrypted with the contents. Nothing is compressed,
    since a length can tell what a compressed secret is.

    :param secret_keys: the keys that are accepted; the first one encrypts.
    :param name: the cookie's name. What was made for one cookie is not accepted in another.
    :param serializer: writes and reads the contents.
    """

    def __init__(self, secret_keys: tuple[bytes, ...], name: str, serializer: t.Any) -> None:
        self._keys = [hmac.digest(key, _PURPOSE, "sha256") for key in secret_keys]
        self._name = name.encode()
        self._serializer = serializer

    def dumps(self, data: t.Any) -> str:
        """Return data as the value of a cookie.

        :param data: the data.
        """
        salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
        plain = _STAMP.pack(int(time.time())) + self._serializer.dumps(data).encode()
        cipher = self._cipher(self._keys[0], salt)
        sealed = salt + nonce + cipher.encrypt(nonce, plain, self._name)
        return urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")

    def loads(self, value: str, max_age: int) -> t.Any:
        """Return the data in the value of a cookie.

        :param value: the value.
        :param max_age: how many seconds old it may be.
        :raises itsdangerous.BadSignature: where it was not made here, or is too old.
        """
        try:
            sealed = urlsafe_b64decode(value.encode("ascii") + b"==")
        except ValueError as error:
            raise BadSignature("The cookie is malformed.") from error
        plain = self._open(sealed)
        (made,) = _STAMP.unpack_from(plain)
        if not 0 <= int(time.time()) - made <= max_age:
            raise SignatureExpired("The cookie is too old.")
        return self._serializer.loads(plain[_STAMP.size :].decode())

    def _open(self, sealed: bytes) -> bytes:
        salt, nonce = sealed[:_SALT], sealed[_SALT : _SALT + _NONCE]
        if len(sealed) >= _SALT + _NONCE + _STAMP.size:
            for key in self._keys:
                try:
                    plain: bytes = self._cipher(key, salt).decrypt(
                        nonce, sealed[_SALT + _NONCE :], self._name
                    )
                except InvalidTag:
                    continue
                return plain
        raise BadSignature("The cookie was not encrypted with a key that is accepted.")

    @staticmethod
    def _cipher(key: bytes, salt: bytes) -> AESGCM:
        return AESGCM(hmac.digest(key, salt, "sha256"))


_kept_cipher = lru_cache(maxsize=64)(CookieCipher)


class EncryptedCookieSessionInterface(SecureCookieSessionInterface):
    """Keeps the session in an encrypted cookie.

    Cookies are encrypted with ``SECRET_KEY``, and accepted with any of ``SECRET_KEY_FALLBACKS``.
    """

    def get_signing_serializer(self, app: Application) -> URLSafeTimedSerializer | None:
        """Return what encrypts and decrypts cookies; ``None`` without a secret key.

        :param app: the application.
        """
        if not app.secret_key:
            return None
        keys = (app.secret_key, *reversed(app.config["SECRET_KEY_FALLBACKS"] or ()))
        secrets = tuple(key.encode() if isinstance(key, str) else key for key in keys)
        cipher = _kept_cipher(secrets, self.get_cookie_name(app), self.serializer)
        return t.cast("URLSafeTimedSerializer", cipher)
