"""A store in the memory of the process, for development and tests."""

from __future__ import annotations

import threading
import typing as t
from collections import OrderedDict

from .store import SessionStore

if t.TYPE_CHECKING:
    from .record import StoredSession


class MemoryStore(SessionStore):
    """Keeps sessions in the process: each worker has its own, and they end with it.

    :param limit: how many sessions are kept; beyond that the one that was not used for the longest
        time goes.
    """

    blocks = False

    def __init__(self, limit: int = 10_000) -> None:
        self.limit = limit
        self._sessions: OrderedDict[str, StoredSession] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, key: str) -> StoredSession | None:
        """Return the session with a key, or ``None``."""
        with self._lock:
            session = self._sessions.get(key)
            if session is not None:
                self._sessions.move_to_end(key)
            return session

    def save(self, session: StoredSession, expected: int | None) -> bool:
        """Store a session, unless another version is there."""
        with self._lock:
            present = self._sessions.get(session.key)
            if (None if present is None else present.version) != expected:
                return False
            self._sessions[session.key] = session
            self._sessions.move_to_end(session.key)
            while len(self._sessions) > self.limit:
                self._sessions.popitem(last=False)
            return True

    def delete(self, key: str) -> bool:
        """Delete the session with a key."""
        with self._lock:
            return self._sessions.pop(key, None) is not None

    def of_owner(self, owner: str) -> list[StoredSession]:
        """Return the sessions of an owner."""
        with self._lock:
            return [session for session in self._sessions.values() if session.owner == owner]

    def prune(self, now: float, limit: int | None) -> int:
        """Delete sessions that have ended."""
        with self._lock:
            ended = [key for key, session in self._sessions.items() if session.expires <= now]
            for key in ended:
                del self._sessions[key]
            return len(ended)
