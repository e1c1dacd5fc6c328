"""The line of each request in the terminal: when, what, status, size and time."""

from __future__ import annotations

import logging
import os
import sys
import time
import typing as t

_RED, _GREEN, _YELLOW, _CYAN, _DIM = "31", "32", "33", "36", "2"
_COLORS = {1: _CYAN, 2: _GREEN, 3: _CYAN, 4: _YELLOW, 5: _RED}
_MAX_TARGET = 2000


def has_colors(stream: t.TextIO) -> bool:
    """Return whether text on a stream may be coloured: on a terminal, if nobody objects.

    :param stream: where the text goes.
    """
    # https://no-color.org
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:
        return False


class RequestLog:
    """Writes a line for each request.

    :param stream: where to; standard error by default.
    """

    def __init__(self, stream: t.TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_colored = has_colors(self._stream)

    def write(self, method: str, target: str, status: int, size: int, seconds: float) -> None:
        """Write the line of a request.

        :param method: its method.
        :param target: path and query.
        :param status: the status of the answer; 0 where the client left before there was one.
        :param size: how many bytes the body of that had.
        :param seconds: how long it took, from the head of the request to the end of the answer.
        """
        # Programs silence Werkzeug's server by the level of its logger.
        if not logging.getLogger("werkzeug").isEnabledFor(logging.INFO) and _is_silenced():
            return
        line = (
            f"{self._paint(time.strftime('%H:%M:%S'), _DIM)} {escape(method)}"
            f" {escape(target)} {self._paint(str(status or '-'), _COLORS.get(status // 100, _RED))}"
            f" {self._paint(f'{format_size(size)} {format_time(seconds)}', _DIM)}\n"
        )
        try:
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads it any more; that is no reason not to answer.
            pass

    def _paint(self, text: str, color: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self._is_colored else text


def _is_silenced() -> bool:
    logger = logging.getLogger("werkzeug")
    return logger.disabled or logger.level > logging.INFO


def escape(text: str) -> str:
    """Return text in which nothing controls a terminal.

    :param text: what a client sent.
    """
    if len(text) > _MAX_TARGET:
        text = f"{text[:_MAX_TARGET]}..."
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def format_size(size: int) -> str:
    """Return a number of bytes for people."""
    if size < 1000:
        return f"{size} B"
    amount, unit = size / 1000, "kB"
    for larger in ("MB", "GB"):
        if amount >= 999.5:
            amount, unit = amount / 1000, larger
    return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"


def format_time(seconds: float) -> str:
    """Return a time for people."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"
