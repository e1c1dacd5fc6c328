"""Guessing passwords, made slow without locking anybody out.

Four counts decide. For browsers that have not logged in before: how often this client tried this
account, this client any account, anybody this account. The last of these would let strangers keep
the owner out, so browsers that the owner has logged in with carry a signed cookie and are counted
by themselves (OWASP, "Slow Down Online Guessing Attacks with Device Cookies").
"""

from __future__ import annotations

import ipaddress
import secrets
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.exceptions import TooManyRequests

from erlen import after_this_request, request
from erlen.forms.i18n import gettext

from .attempts import AttemptStore, Limit, begin, fail, give_back, take

if t.TYPE_CHECKING:
    from erlen import Flask, Response

    from .tokens import Purpose, Tokens

__all__ = ["LIMITS", "Attempt", "Guard"]

#: What holds where ``ACCOUNTS_LIMITS`` says nothing else. The names say who is counted at what.
LIMITS: Mapping[str, Limit] = {
    "login-device": Limit(10, 300),
    "login-pair": Limit(5, 300),
    "login-address": Limit(50, 10),
    "login-account": Limit(20, 300),
    "mail-account": Limit(3, 1200),
    "mail-address": Limit(20, 60),
}

#: How long a browser is known.
DEVICE_LIFETIME = timedelta(days=180)


@dataclass
class Attempt:
    """An attempt to log in that has been counted, and whose end must be told.

    :param guard: what counted it.
    :param names: under which names, each with its limit.
    :param account: the key of the account.
    """

    guard: Guard
    names: list[tuple[str, Limit, bool]]
    account: str

    def failed(self) -> None:
        """Say that it was a guess, or may have been one."""
        for name, limit, _ in self.names:
            fail(self.guard.store, name, limit)

    def succeeded(self, *, remember_device: bool = True) -> None:
        """Say that it was no guess: it does not count, and this browser is known from now on.

        :param remember_device: whether it is.
        """
        for name, limit, is_shared in self.names:
            # What others share goes back by one only: logging in to one account must not make
            # room for guesses at others.
            give_back(self.guard.store, name, limit, all_of_it=not is_shared)
        if remember_device:
            self.guard.remember_device(self.account)


class Guard:
    """Counts attempts of an application's visitors.

    :param app: the application.
    :param store: where they are counted.
    :param tokens: what makes digests.
    """

    def __init__(self, app: Flask, store: AttemptStore, tokens: Tokens) -> None:
        self.app = app
        self.store = store
        self.tokens = tokens

    def limit(self, name: str) -> Limit:
        """Return a limit.

        :param name: its name in :data:`LIMITS`.
        """
        given = (self.app.config.get("ACCOUNTS_LIMITS") or {}).get(name)
        return LIMITS[name] if given is None else Limit(*given)

    def start_login(self, account: str) -> Attempt:
        """Count an attempt to log in.

        :param account: the key of the account, whether there is one or not.
        :raises TooManyRequests: if a pause is to be kept, with ``Retry-After``.
        """
        device = self._find_device(account)
        if device is not None:
            name, limit = self._name("login-device", device), self.limit("login-device")
            if not begin(self.store, name, limit):
                return Attempt(self, [(name, limit, False)], account)
        address = client_address()
        counted: list[tuple[str, Limit, bool]] = []
        for kind, parts, is_shared in (
            ("login-address", (address,), True),
            ("login-pair", (address, account), False),
            ("login-account", (account,), True),
        ):
            name, limit = self._name(kind, *parts), self.limit(kind)
            wait = begin(self.store, name, limit)
            if wait:
                Attempt(self, counted, account).failed()
                raise make_refusal(wait)
            counted.append((name, limit, is_shared))
        return Attempt(self, counted, account)

    def count_mail(self, account: str, purpose: Purpose) -> bool:
        """Count a request that sends mail to somebody.

        Each purpose has its own count: strangers who register somebody's address again and again
        do not keep the mail from its owner that lets them in.

        :param account: the key of the account.
        :param purpose: what the mail is for.
        :returns: whether mail may be sent to it again already.
        :raises TooManyRequests: if this client has asked too often.
        """
        name = self._name("mail-address", client_address())
        wait = take(self.store, name, self.limit("mail-address"))
        if wait:
            raise make_refusal(wait)
        name = self._name("mail-account", purpose, account)
        return not take(self.store, name, self.limit("mail-account"))

    # --- Known browsers -------------------------------------------------------------------------

    @property
    def cookie_name(self) -> str:
        """The name of the cookie that known browsers have."""
        name: str = self.app.config.get("ACCOUNTS_DEVICE_COOKIE", "known_device")
        return name

    def remember_device(self, account: str) -> None:
        """Have the browser of this request known as one of an account's owner.

        :param account: the key of the account.
        """
        value = self._serializer.dumps([self._name("device", account), secrets.token_urlsafe(16)])
        app, name = self.app, self.cookie_name
        interface = app.session_interface

        @after_this_request
        def set_cookie(response: Response) -> Response:
            response.set_cookie(
                name,
                value,
                max_age=DEVICE_LIFETIME,
                path=interface.get_cookie_path(app),
                domain=interface.get_cookie_domain(app),
                secure=interface.get_cookie_secure(app),
                httponly=True,
                samesite="Lax",
            )
            return response

    def _find_device(self, account: str) -> str | None:
        """Return what tells the browser from others, where it is known for an account."""
        cookie = request.cookies.get(self.cookie_name)
        if cookie is None or len(cookie) > 1000:
            return None
        try:
            owner, nonce = self._serializer.loads(
                cookie, max_age=int(DEVICE_LIFETIME.total_seconds())
            )
        except (BadData, TypeError, ValueError):
            return None
        if not isinstance(nonce, str) or owner != self._name("device", account):
            return None
        return nonce

    @property
    def _serializer(self) -> URLSafeTimedSerializer:
        return self.tokens.serializer("device")

    def _name(self, kind: str, *parts: str) -> str:
        return self.tokens.digest(kind, *parts)


def client_address() -> str:
    """Return where the request comes from; of IPv6 the network, which one subscriber has all of."""
    given = request.remote_addr or ""
    try:
        address = ipaddress.ip_address(given.partition("%")[0])
    except ValueError:
        return given
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def make_refusal(wait: float) -> TooManyRequests:
    """Return the answer 429.

    :param wait: the seconds to wait.
    """
    reason = gettext("Too many attempts. Please wait a little.")
    return TooManyRequests(reason, retry_after=int(wait) + 1)
