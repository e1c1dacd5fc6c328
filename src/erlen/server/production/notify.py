"""What is told to systemd (sd_notify): datagrams to the socket in ``NOTIFY_SOCKET``."""

from __future__ import annotations

import os
import socket
import time


class Notifier:
    """Tells the service manager how it goes; where there is none, nothing is told."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._beat: float | None = None
        self._next = 0.0
        span = os.environ.get("WATCHDOG_USEC", "")
        pid = os.environ.get("WATCHDOG_PID") or str(os.getpid())
        if self._address and span.isdecimal() and int(span) and pid == str(os.getpid()):
            # systemd advises to tell twice as often as it asks for.
            self._beat = int(span) / 2_000_000

    def ready(self) -> None:
        """Tell that requests are served."""
        self._tell("READY=1", "STATUS=Serving.")

    def reloading(self) -> None:
        """Tell that a reload has begun; :meth:`ready` ends it."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={microseconds}", "STATUS=Reloading.")

    def stopping(self) -> None:
        """Tell that the end has begun."""
        self._tell("STOPPING=1", "STATUS=Finishing requests.")

    def alive(self) -> None:
        """Tell that the master goes on, if it is time."""
        if self._beat is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._beat
            self._tell("WATCHDOG=1")

    def interval(self, longest: float) -> float:
        """Return how many seconds the master may wait, at most *longest*."""
        return longest if self._beat is None else min(longest, self._beat / 2)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is one of Linux' abstract namespace.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto("\n".join(lines).encode(), address)
        except OSError:
            # A manager that does not listen is no reason to stop.
            pass
