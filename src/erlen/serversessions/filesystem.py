"""A store in a folder, for one machine."""

from __future__ import annotations

import errno
import os
import typing as t
from itertools import count

from .locks import lock_file
from .record import StoredSession, digest_of, from_text, to_text
from .store import SessionStore, StoreUnavailable

if t.TYPE_CHECKING:
    from collections.abc import Callable

T = t.TypeVar("T")

# Folders and files are for the user that the application runs as, and nobody else.
_PRIVATE = 0o700
_LOCK = "lock"
# How many folders sessions are spread over.
_SHARDS = 256
# Windows would change the ends of lines.
_BINARY = getattr(os, "O_BINARY", 0)
# How much of a file is read at a time.
_CHUNK = 65536


class FileSystemStore(SessionStore):
    """Keeps each session in a file of its own.

    A file is named by the digest of a token, never by what a client sent, is readable by the
    application's user only, and is replaced in one step: nobody reads half of one.

    :param folder: the folder. It is made when the first session is stored.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = os.path.abspath(os.fspath(folder))
        # Which folder prune() looks into next; processes begin at different ones.
        self._rounds = count(os.getpid())

    def load(self, key: str) -> StoredSession | None:
        """Return the session with a key, or ``None``."""
        return _translated(lambda: self._read(key))

    def save(self, session: StoredSession, expected: int | None) -> bool:
        """Store a session, unless another version is there."""
        return _translated(lambda: self._save(session, expected))

    def delete(self, key: str) -> bool:
        """Delete the session with a key."""
        return _translated(lambda: self._delete(key))

    def of_owner(self, owner: str) -> list[StoredSession]:
        """Return the sessions of an owner."""
        return _translated(lambda: self._of_owner(owner))

    def prune(self, now: float, limit: int | None) -> int:
        """Delete sessions that have ended, in as many of the 256 folders as the limit allows."""
        return _translated(lambda: self._prune(now, limit))

    def _path(self, key: str) -> str:
        return os.path.join(self.folder, key[:2], key)

    def _marks(self, owner: str) -> str:
        """Return the folder with an empty file for each session of an owner."""
        return os.path.join(self.folder, "owners", digest_of(owner))

    def _read(self, key: str) -> StoredSession | None:
        try:
            text = _read_file(self._path(key)).decode("ascii")
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        return from_text(key, text)

    def _save(self, session: StoredSession, expected: int | None) -> bool:
        path = self._path(session.key)
        if expected is None:
            _make_folder(os.path.dirname(path))
        elif not os.path.exists(path):
            return False
        with lock_file(os.path.join(os.path.dirname(path), _LOCK)):
            present = self._read(session.key)
            if (None if present is None else present.version) != expected:
                return False
            before = None if present is None else present.owner
            if session.owner is not None and session.owner != before:
                # First, so that no session of an owner is ever missing from the list.
                self._mark(session.owner, session.key)
            _replace(path, to_text(session).encode("ascii"))
            if before is not None and session.owner != before:
                self._unmark(before, session.key)
        return True

    def _delete(self, key: str) -> bool:
        path = self._path(key)
        if not os.path.exists(path):
            return False
        # Not between a comparison and a replacement, which would bring the session back.
        with lock_file(os.path.join(os.path.dirname(path), _LOCK)):
            return self._remove(key)

    def _remove(self, key: str) -> bool:
        present = self._read(key)
        try:
            os.unlink(self._path(key))
        except FileNotFoundError:
            return False
        if present is not None and present.owner is not None:
            self._unmark(present.owner, key)
        return True

    def _of_owner(self, owner: str) -> list[StoredSession]:
        found = []
        for key in _names(self._marks(owner)):
            session = self._read(key)
            if session is not None and session.owner == owner:
                found.append(session)
        return found

    def _mark(self, owner: str, key: str) -> None:
        folder = self._marks(owner)
        _make_folder(folder)
        os.close(os.open(os.path.join(folder, key), os.O_WRONLY | os.O_CREAT, 0o600))

    def _unmark(self, owner: str, key: str) -> None:
        folder = self._marks(owner)
        try:
            os.unlink(os.path.join(folder, key))
            os.rmdir(folder)
        except OSError:  # it is gone already, or has others in it
            pass

    def _prune(self, now: float, limit: int | None) -> int:
        deleted = looked = 0
        for _ in range(_SHARDS):
            shard = f"{next(self._rounds) % _SHARDS:02x}"
            for name in _names(os.path.join(self.folder, shard)):
                looked += 1
                deleted += name != _LOCK and self._prune_one(os.path.join(shard, name), now)
            if limit is not None and looked >= limit:
                break
        return deleted

    def _prune_one(self, name: str, now: float) -> bool:
        """Delete a file whose session has ended, or that a crash has left behind."""
        path = os.path.join(self.folder, name)
        key = os.path.basename(name)
        try:
            age = now - os.stat(path).st_mtime
        except FileNotFoundError:
            return False
        with lock_file(os.path.join(os.path.dirname(path), _LOCK)):
            session = self._read(key)
            # A file of another name is one that was being written.
            if session is None and age < 60:
                return False
            if session is not None and session.expires > now:
                return False
            return self._remove(key)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _make_folder(folder: str) -> None:
    """Make a folder, and those that it is in, for the application's user only."""
    if os.path.isdir(folder):
        return
    parent = os.path.dirname(folder)
    if not os.path.isdir(parent):
        _make_folder(parent)
    try:
        os.mkdir(folder, _PRIVATE)
    except FileExistsError:
        pass


def _read_file(path: str) -> bytes:
    """Return what is in a file.

    PERF: ``open()`` makes a buffer, which takes twice the time for a file as short as these.
    """
    descriptor = os.open(path, os.O_RDONLY | _BINARY)
    try:
        content = part = os.read(descriptor, _CHUNK)
        while part:
            part = os.read(descriptor, _CHUNK)
            content += part
        return content
    finally:
        os.close(descriptor)


def _replace(path: str, content: bytes) -> None:
    """Write a file in one step, readable by its owner only; the caller holds the folder's lock."""
    temporary = f"{path}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY
    try:
        descriptor = os.open(temporary, flags, 0o600)
        try:
            # A full disk may take a part only.
            if os.write(descriptor, content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), temporary)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise


def _translated(call: Callable[[], T]) -> T:
    try:
        return call()
    except OSError as error:
        raise StoreUnavailable(str(error)) from error
