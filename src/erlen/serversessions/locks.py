"""Locks that other processes respect, on files."""

from __future__ import annotations

import os
import sys
import time
import typing as t
from contextlib import contextmanager

from .store import StoreUnavailable

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# Seconds to wait for a lock, and between two tries.
_PATIENCE = 1.0
_PAUSE = 0.002


@contextmanager
def lock_file(path: str) -> Iterator[None]:
    """Hold a lock for the time of a ``with`` block.

    The lock goes with the process that holds it, however that ends; the file stays.

    :param path: the file; it is made where it is missing, its folder is not.
    :raises StoreUnavailable: where others hold it for too long.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        _acquire(descriptor, path)
        yield
    finally:
        # Closing the file releases the lock.
        os.close(descriptor)


def _acquire(descriptor: int, path: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not _try(descriptor):
        if time.monotonic() > deadline:
            raise StoreUnavailable(f"the lock {path} was held by others for too long")
        time.sleep(_PAUSE)


if sys.platform == "win32":
    import msvcrt

    def _try(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
