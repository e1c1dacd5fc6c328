"""The sessions that views see."""

from __future__ import annotations

import typing as t

from werkzeug.exceptions import ServiceUnavailable

from erlen.sessions import SecureCookieSession

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .record import StoredSession


class SessionUnavailable(ServiceUnavailable):
    """The answer 503: the store of sessions cannot be asked now.

    It is raised where a view first uses the session, and with ``SESSION_UNAVAILABLE`` set to
    ``"anonymous"`` where it first changes it. Register an error handler for it, or for 503, for a
    page of your own.

    .. code-block:: python

        @app.errorhandler(SessionUnavailable)
        def come_back(error):
            return render_template("later.html"), 503
    """

    description = (
        "The server cannot reach the place where it keeps sessions. Please try again in a moment."
    )


class SessionValueError(TypeError):
    """A value in a session cannot be stored: it is of a type that the serializer does not know."""


class ServerSession(SecureCookieSession):
    """A session that is kept on the server: a dictionary that notes when it is changed.

    A change inside of a list or a dictionary in it, such as ``session["cart"].append(1)``, is
    noticed when the response is made.

    :param initial: the first entries, which do not count as a change.
    :param stored: what the store has of it.
    """

    def __init__(
        self,
        initial: Mapping[str, t.Any] | None = None,
        stored: StoredSession | None = None,
    ) -> None:
        super().__init__(initial)
        self.stored = stored
        self.new = stored is None
        #: The cookie's value, where the browser has one.
        self.token: str | None = None
        #: Whether the session gets a new identifier when it is saved.
        self.is_renewed = False
        #: Whether it was cleared: nothing of what is stored goes on in it.
        self.begins_anew = False
        #: Whether nothing of it is saved: it went on under another identifier, or has ended.
        self.is_detached = False
        if stored is not None:
            self._owner = stored.owner

    @property
    def owner(self) -> str | None:
        """Whose session it is; setting it stores it."""
        return self._owner

    @owner.setter
    def owner(self, value: str | None) -> None:
        self._set_owner(value)

    def _set_owner(self, value: str | None) -> None:
        if value != self._owner:
            self._owner = None if value is None else str(value)
            self.modified = True

    def renew(self) -> None:
        """Have the session get a new identifier when it is saved. The old one leads nowhere."""
        self.modified = self.is_renewed = True

    def clear(self) -> None:
        """Take everything out, and begin a session that is nobody's under a new identifier.

        Programs that log in with ``session.clear()`` and an assignment are so renewed, too.
        """
        super().clear()
        self.renew()
        self.begins_anew = True
        self._owner = None

    @property
    def may_have_changed_inside(self) -> bool:
        """Whether there are values in it that can change without its notice."""
        return any(type(value) not in _UNCHANGEABLE for value in self.values())


_UNCHANGEABLE = frozenset({str, int, float, bool, type(None), bytes})


class UnavailableSession(ServerSession):
    """The session of a request that the store could not be asked for: empty, and read-only."""

    def _fail(self, *args: t.Any, **kwargs: t.Any) -> t.NoReturn:
        raise SessionUnavailable()

    __setitem__ = __delitem__ = __ior__ = _fail
    clear = pop = popitem = update = setdefault = renew = _fail
    _set_owner = _fail
    del _fail
