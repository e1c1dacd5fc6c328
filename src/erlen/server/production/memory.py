"""How much memory workers hold."""

from __future__ import annotations

import os
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .master import Child

_INTERVAL = 5.0


class MemoryWatch:
    """Finds workers that hold more than a limit, every few seconds.

    :param limit: bytes; ``None`` for no limit.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._next = 0.0

    def find(self, children: Iterable[Child]) -> Iterator[tuple[Child, int]]:
        """Yield workers over the limit, with what they hold in bytes.

        :param children: the workers.
        """
        now = time.monotonic()
        if self._limit is None or now < self._next:
            return
        self._next = now + _INTERVAL
        for child in children:
            size = resident(child.process.pid) if child.is_ready else 0
            if size > self._limit:
                yield child, size


def resident(pid: int) -> int:
    """Return how many bytes of memory a process holds; 0 where that cannot be known."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    from granian._granian import ProcInfoCollector

    try:
        found: t.Any = ProcInfoCollector().memory([pid])
    except Exception:
        return 0
    return int(found.get(pid, 0))
