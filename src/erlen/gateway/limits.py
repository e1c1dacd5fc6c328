"""How long a client may take for a body, and how long the body may be, whatever the application
allows: limits of the server that runs it."""

from __future__ import annotations

import asyncio
import typing as t

from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout


class Incoming(t.Protocol):
    """A request whose body comes in, and what is remembered of that."""

    received: int
    began: float | None

    async def receive(self) -> bytes:
        """Return the next part of the body, ``b""`` at its end."""
        ...


class BodyLimits:
    """The limits, and how a part of a body is received within them.

    :param part_timeout: the seconds that a client may be silent; ``None`` for any time.
    :param total_timeout: the seconds that a whole body may take; ``None`` for any time.
    :param size: the bytes that a body may have; ``None`` for any number.
    """

    def __init__(
        self, part_timeout: float | None, total_timeout: float | None, size: int | None
    ) -> None:
        self._part_timeout = part_timeout
        self._total_timeout = total_timeout
        self._size = size

    async def receive(self, exchange: Incoming) -> bytes:
        """Return the next part of a request's body.

        :param exchange: the request.
        :raises RequestTimeout: where the client is too slow.
        :raises RequestEntityTooLarge: where the body is too long.
        """
        try:
            async with asyncio.timeout(self._time_left(exchange)):
                part = await exchange.receive()
        except TimeoutError:
            raise RequestTimeout("The request's body did not arrive in time.") from None
        exchange.received += len(part)
        if self._size is not None and exchange.received > self._size:
            raise RequestEntityTooLarge(
                f"The request's body is longer than the server allows: {self._size} bytes."
            )
        return part

    def _time_left(self, exchange: Incoming) -> float | None:
        if self._total_timeout is None:
            return self._part_timeout
        now = asyncio.get_running_loop().time()
        if exchange.began is None:
            exchange.began = now
        left = max(0.0, exchange.began + self._total_timeout - now)
        return left if self._part_timeout is None else min(left, self._part_timeout)
