"""What tests of server processes share."""

from __future__ import annotations

import time
import typing as t

if t.TYPE_CHECKING:
    import http.client
    from collections.abc import Callable

#: How long anything may take to happen, in seconds; a busy machine needs more than an idle one.
PATIENCE = 60.0


class Answer(t.NamedTuple):
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def wait_for(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until a condition holds.

    :param condition: asked again and again.
    :param what: what is waited for, for the message.
    :param seconds: how long to wait.
    :raises AssertionError: where it does not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} seconds"
        time.sleep(0.02)
