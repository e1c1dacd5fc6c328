"""What users have that can log in, and the user that nobody is."""

from __future__ import annotations

import typing as t


class UserMixin:
    """The attributes and methods that users need, for your class of users.

    .. code-block:: python

        class User(UserMixin, db.Model):
            id: Mapped[int] = mapped_column(primary_key=True)
    """

    # Defining __eq__ would take it away.
    __hash__ = object.__hash__

    @property
    def is_active(self) -> bool:
        """Whether the user may log in; override it to lock accounts."""
        return True

    @property
    def is_authenticated(self) -> bool:
        """Whether the user is somebody who may be here."""
        return self.is_active

    @property
    def is_anonymous(self) -> bool:
        """``False``: this is somebody."""
        return False

    def get_id(self) -> str:
        """Return the text that the ``user_loader`` finds the user by: that of the attribute ``id``.

        :raises NotImplementedError: where there is no such attribute.
        """
        try:
            return str(self.id)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        except AttributeError:
            raise NotImplementedError(
                f"{type(self).__name__} has no attribute 'id'. Override get_id() to return the text"
                " that the user_loader finds a user by."
            ) from None

    def get_session_stamp(self) -> str | None:
        """Return text whose change ends all logins of the user, or ``None`` for no such thing.

        Return the stored hash of the password, and a new password ends what is logged in with the
        old one: sessions and remembered logins. A digest of the text, made with the secret key, is
        kept in both; the text itself is not.
        """
        return None

    def accepts_remembered_login(self, made: float | None) -> bool:
        """Return whether the user is still logged in by a cookie that remembers a login.

        Override it to end what was remembered before some time, and leave sessions as they are.

        :param made: when the cookie was made, in seconds since 1970; ``None`` where it does not
            say, as Flask-Login's.
        """
        return True

    def __eq__(self, other: object) -> bool:
        """Whether the other one is a user with the same identifier."""
        if isinstance(other, UserMixin):
            return self.get_id() == other.get_id()
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        """Whether the other one is no user with the same identifier."""
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal


class AnonymousUserMixin:
    """The user of a request that nobody is logged in for."""

    @property
    def is_authenticated(self) -> bool:
        """``False``."""
        return False

    @property
    def is_active(self) -> bool:
        """``False``."""
        return False

    @property
    def is_anonymous(self) -> bool:
        """``True``."""
        return True

    def get_id(self) -> t.Any:
        """Return ``None``: nobody has no identifier."""
        return None
