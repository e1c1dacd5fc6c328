"""The interface of a store of sessions."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .record import StoredSession


class StoreUnavailable(Exception):
    """A store cannot be asked now: it is down, full, or takes too long.

    Stores raise it in place of their drivers' exceptions. What the visitor sees of it is for the
    setting ``SESSION_UNAVAILABLE`` to say.
    """


class SessionStore:
    """Where sessions are kept. A store of your own is a subclass with these five methods.

    Each takes part of a second at most, or raises :exc:`StoreUnavailable`. They are called from
    many threads at a time. What a store is given it need not understand: the payload is text, keys
    are 64 hexadecimal digits, times are seconds since the epoch. It need not look at the times
    either, apart from :meth:`prune`: what has ended is not used.

    .. code-block:: python

        app.session_interface = ServerSessionInterface(MyStore())
    """

    #: Whether calls wait for a disk or a network. On an event loop they are then made in a thread.
    #: A store that gives way to other requests by itself says ``False``.
    blocks = True

    def load(self, key: str) -> StoredSession | None:
        """Return the session with a key, or ``None``.

        :param key: the key.
        :raises StoreUnavailable: where that cannot be told.
        """
        raise NotImplementedError()

    def save(self, session: StoredSession, expected: int | None) -> bool:
        """Store a session, unless somebody else has changed it.

        Comparing and storing is one step that nothing comes between; two requests of one session
        that write at a time do not overwrite each other because of it.

        :param session: the session.
        :param expected: the version that must be there; ``None`` for a new session.
        :returns: whether it was stored. It is not where another version is there, or none.
        :raises StoreUnavailable: where it cannot be stored.
        """
        raise NotImplementedError()

    def delete(self, key: str) -> bool:
        """Delete the session with a key.

        :param key: the key.
        :returns: whether there was one.
        :raises StoreUnavailable: where it cannot be deleted.
        """
        raise NotImplementedError()

    def of_owner(self, owner: str) -> list[StoredSession]:
        """Return the sessions of an owner, in any order.

        :param owner: the owner, compared letter by letter.
        :raises StoreUnavailable: where that cannot be told.
        """
        raise NotImplementedError()

    def prune(self, now: float, limit: int | None) -> int:
        """Delete sessions that have ended.

        :param now: the time; those that expire before it have ended.
        :param limit: how many to look at, more or less, since a visitor waits; ``None`` for all.
        :returns: how many were deleted.
        :raises StoreUnavailable: where they cannot be deleted.
        """
        raise NotImplementedError()
