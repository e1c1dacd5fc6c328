"""Tokens for links in mails: signed, short-lived, and of use once.

A token names a user and holds a digest of the user's address, password hash and stamp as they were
when it was made. Using it changes one of these, and so ends it, as any other change does. Before an
address is confirmed, passwords do not count for a reset, as anybody may have chosen them: its use
confirms the address, which ends the token. Nothing of it is stored, so a copy of the database has
none, and makes none without the secret key.
"""

from __future__ import annotations

import hashlib
import hmac
import typing as t
from dataclasses import dataclass
from datetime import timedelta

from itsdangerous import BadData, URLSafeTimedSerializer

if t.TYPE_CHECKING:
    from erlen import Flask

    from .models import AccountMixin

__all__ = ["Claim", "Purpose", "Tokens"]

Purpose = t.Literal["confirm", "reset", "address"]

#: The most characters of a token: of the longest one, with room.
MAX_LENGTH = 1024


@dataclass(frozen=True)
class Claim:
    """What a token says, before the user was looked at.

    :param user_id: the user's primary key, as text.
    :param digest: what the user was like.
    :param value: what goes with it: the new address.
    """

    user_id: str
    digest: str
    value: str


class Tokens:
    """Makes and reads the tokens of an application.

    :param app: the application; its ``SECRET_KEY`` signs, and those of ``SECRET_KEY_FALLBACKS``
        are taken too.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app

    def make(
        self, purpose: Purpose, user_id: str, user: AccountMixin | None, value: str = ""
    ) -> str:
        """Return a token.

        :param purpose: what it is for; it is good for nothing else.
        :param user_id: the user's primary key, as text.
        :param user: the user; ``None`` for a token that only takes as long to make.
        :param value: what goes with it.
        """
        keys = self._keys()
        digest = _digest(keys[0], purpose, user_id, value, user)
        return self.serializer(purpose).dumps([user_id, digest, value])

    def read(self, purpose: Purpose, token: str, lifetime: timedelta) -> Claim | None:
        """Return what a token says; ``None`` where it is no good token, or not any more.

        :param purpose: what it must be for.
        :param token: the token.
        :param lifetime: how long it is good.
        """
        if len(token) > MAX_LENGTH:
            return None
        try:
            data = self.serializer(purpose).loads(token, max_age=int(lifetime.total_seconds()))
            user_id, digest, value = data
        except (BadData, TypeError, ValueError):
            return None
        if not all(isinstance(part, str) for part in (user_id, digest, value)):
            return None
        return Claim(user_id, digest, value)

    def holds(self, purpose: Purpose, claim: Claim, user: AccountMixin | None) -> bool:
        """Return whether the user still is as when the token was made.

        :param purpose: what the token is for.
        :param claim: what it says.
        :param user: the user as it is now.
        """
        # No early return: each of the keys is tried, for nobody too.
        found = False
        for key in self._keys():
            expected = _digest(key, purpose, claim.user_id, claim.value, user)
            found |= hmac.compare_digest(expected.encode(), claim.digest.encode())
        return found and user is not None

    def digest(self, name: str, *parts: str) -> str:
        """Return a digest that only this application can make.

        :param name: what it is for.
        :param parts: of what.
        """
        return hmac.digest(self._keys()[0], _join(name, *parts), "sha256").hex()

    def serializer(self, purpose: str) -> URLSafeTimedSerializer:
        """Return what signs for a purpose, and for no other.

        :param purpose: the purpose.
        """
        return URLSafeTimedSerializer(
            self._keys()[::-1],  # it signs with the last one
            salt=f"erlen.accounts.{purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def _keys(self) -> list[bytes]:
        config = self.app.config
        found = [config["SECRET_KEY"], *(config.get("SECRET_KEY_FALLBACKS") or ())]
        keys = [key.encode() if isinstance(key, str) else key for key in found if key]
        if not keys:
            raise RuntimeError(
                "The accounts' pages need a secret key to sign with. Set SECRET_KEY to a long"
                " random value that nobody else knows."
            )
        return keys


def _digest(key: bytes, purpose: str, user_id: str, value: str, user: AccountMixin | None) -> str:
    state: tuple[str, ...] = ()
    if user is not None and purpose == "reset" and not user.is_confirmed:
        # Strangers may register the address over and over. Whoever has its mail still gets in.
        state = (user.email_key,)
    elif user is not None:
        confirmed = "" if user.confirmed_at is None else "confirmed"
        state = (user.email_key, user.password_hash or "", user.login_stamp, confirmed)
    return hmac.digest(key, _join("token", purpose, user_id, value, *state), "sha256").hex()


def _join(*parts: str) -> bytes:
    # With its length before each part, no two lists of parts look alike.
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(b"%d:%s" % (len(part), part) for part in encoded)
