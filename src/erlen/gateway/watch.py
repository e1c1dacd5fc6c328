"""Telling in debug mode that code blocks the event loop, and where it stands."""

from __future__ import annotations

import asyncio
import linecache
import sys
import sysconfig
import threading
import typing as t
import weakref

from ..local import _is_inside

if t.TYPE_CHECKING:
    import logging
    from types import FrameType

_MESSAGE = """\
The event loop has been blocked for more than %s s, and all its requests with it, by %s, line %d, \
in %s:

    %s

Wait with 'await' or 'erlen.await_()' instead, or make the view a plain 'def' function that is not \
cooperative: those run in worker threads."""

_LIBRARIES = tuple(
    sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)

_watched: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()


def watch_loop(loop: asyncio.AbstractEventLoop, logger: logging.Logger, threshold: float) -> None:
    """Log where the code stands that blocks a loop for long; once per loop and per blockade.

    :param loop: the running loop; the call comes from its thread.
    :param logger: where to log.
    :param threshold: how many seconds are long.
    """
    if loop in _watched:
        return
    _watched.add(loop)
    threading.Thread(
        target=_watch,
        args=(loop, threading.get_ident(), logger, threshold),
        name="erlen-watch",
        daemon=True,
    ).start()


def _watch(
    loop: asyncio.AbstractEventLoop, thread: int, logger: logging.Logger, threshold: float
) -> None:
    beat = threading.Event()
    while True:
        beat.clear()
        try:
            loop.call_soon_threadsafe(beat.set)
        except RuntimeError:
            # The loop was closed.
            return
        if not beat.wait(threshold):
            frame = _user_frame(sys._current_frames().get(thread))
            if frame is not None and loop.is_running():
                _report(frame, logger, threshold)
            del frame
            while not beat.wait(threshold):
                if not loop.is_running():
                    return
        threading.Event().wait(threshold)


def _user_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of the application's own code; ``None`` where there is none."""
    while frame is not None and (
        _is_inside(frame.f_code.co_filename) or frame.f_code.co_filename.startswith(_LIBRARIES)
    ):
        frame = frame.f_back
    return frame


def _report(frame: FrameType, logger: logging.Logger, threshold: float) -> None:
    filename, number = frame.f_code.co_filename, frame.f_lineno
    logger.warning(
        _MESSAGE,
        threshold,
        filename,
        number,
        frame.f_code.co_name,
        linecache.getline(filename, number).strip(),
    )
