"""What the accounts' pages need of an application's own class of users: columns and methods."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from erlen.login import UserMixin
from erlen.login.passwords import hash_password, verify_password

from .addresses import MAX_LENGTH, address_key, clean_address

__all__ = ["AccountMixin", "new_stamp"]


def new_stamp() -> str:
    """Return text that was never a stamp before."""
    return secrets.token_hex(16)


def _now() -> datetime:
    return datetime.now(UTC)


class AccountMixin(UserMixin):
    """The columns that accounts have, for your class of users, which has its own ``id``.

    They are columns of your table, so that migrations see them. The type of the primary key is
    yours.

    .. code-block:: python

        from erlen.accounts import AccountMixin
        from erlen.db import Model
        from sqlalchemy.orm import Mapped, mapped_column

        class User(AccountMixin, Model):
            id: Mapped[int] = mapped_column(primary_key=True)
    """

    #: The address, as it was typed.
    email: Mapped[str] = mapped_column(sa.String(MAX_LENGTH))
    #: The address in small letters, by which accounts are found. Use :meth:`set_email`.
    email_key: Mapped[str] = mapped_column(sa.String(MAX_LENGTH), unique=True)
    #: The hash of the password; ``None`` for nobody logs in with one. Use :meth:`set_password`.
    password_hash: Mapped[str | None] = mapped_column(sa.String(255))
    #: When the address was shown to be the user's; ``None`` if it was not yet.
    confirmed_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    #: Whether the account may be used. What is disabled is logged out with the next request.
    active: Mapped[bool] = mapped_column(default=True)
    #: The names of the user's roles. Put another list in its place to change it.
    roles: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    #: Whoever logged in while it was another one, is logged out.
    login_stamp: Mapped[str] = mapped_column(sa.String(32), default=new_stamp)
    #: Logins that were remembered before this time are not any more: milliseconds since 1970.
    remembered_since: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    #: When the account was made.
    created_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), default=_now)

    @property
    def is_active(self) -> bool:
        """Whether the account may be used."""
        return bool(self.active)

    @property
    def is_confirmed(self) -> bool:
        """Whether the address was shown to be the user's."""
        return self.confirmed_at is not None

    def get_session_stamp(self) -> str:
        """Return what logins are tied to: :attr:`login_stamp`."""
        return self.login_stamp

    def accepts_remembered_login(self, made: float | None) -> bool:
        """Return whether a login is still remembered that was so at a time.

        :param made: the time, in seconds since 1970; ``None`` if nobody knows.
        """
        if not self.remembered_since:
            return True
        return made is not None and round(made * 1000) >= self.remembered_since

    def has_role(self, name: str) -> bool:
        """Return whether the user has a role.

        :param name: the role's name.
        """
        return name in (self.roles or ())

    def set_roles(self, names: Iterable[str]) -> None:
        """Give the user these roles and no others.

        :param names: the names of the roles.
        """
        self.roles = sorted(set(names))

    def set_email(self, email: str, *, confirmed: bool = False) -> None:
        """Give the account an address.

        :param email: the address.
        :param confirmed: whether it is known to be the user's.
        :raises AddressRefused: if it is no address.
        """
        self.email = clean_address(email)
        self.email_key = address_key(self.email)
        self.confirmed_at = _now() if confirmed else None

    def set_password(self, password: str) -> None:
        """Give the account a password, and end all its logins.

        Whether the password is a good one is a matter of
        :func:`erlen.login.passwords.check_new_password`.

        :param password: the password.
        """
        self.password_hash = hash_password(password)
        self.end_logins()

    def check_password(self, password: str) -> bool:
        """Return whether this is the password.

        It does not count attempts; :meth:`erlen.accounts.Accounts.authenticate` does.

        :param password: what was typed.
        """
        return bool(verify_password(self.password_hash, password))

    def end_remembered_logins(self) -> None:
        """Have no login remembered, with the next commit; sessions go on."""
        self.remembered_since = int(time.time() * 1000)

    def end_logins(self) -> None:
        """End all logins of the user, remembered ones too, with the next commit."""
        self.login_stamp = new_stamp()
