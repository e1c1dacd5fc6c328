"""What goes on without an end of its own, event streams and WebSockets: known to the server, so
that it can end them when it ends."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable

#: For each of them, what asks it to end; called on its loop.
lasting: dict[t.Any, Callable[[], None]] = {}


def end_lasting() -> None:
    """Ask all of them to end."""
    for end in list(lasting.values()):
        end()
