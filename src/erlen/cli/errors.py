"""Errors of the user's own code, shown without the frames of the machinery around it."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import typing as t

import click
import werkzeug

from .hints import find_hint

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

#: Set to anything but nothing or 0, this variable brings the cut frames back.
FULL_TRACEBACK_VARIABLE = "ERLEN_FULL_TRACEBACK"


def _package_directory(init_file: str) -> str:
    return os.path.join(os.path.dirname(os.path.abspath(init_file)), "")


# Where the code lies that is not the user's: this package, click, Werkzeug, the import system.
_MACHINERY = (
    _package_directory(os.path.dirname(__file__)),
    _package_directory(click.__file__),
    _package_directory(werkzeug.__file__),
    _package_directory(importlib.__file__),
    "<frozen importlib",
    "<frozen runpy",
)


def is_machinery(filename: str) -> bool:
    """Whether a code object's file belongs to the framework or to Python's import system."""
    return filename.startswith(_MACHINERY)


def user_modules(error: BaseException) -> list[str]:
    """Return the names of the user's modules that were being imported, outermost first.

    :param error: an exception with its traceback.
    """
    frames = (frame.tb_frame for frame in _walk(error.__traceback__))
    return [
        frame.f_globals.get("__name__", "?")
        for frame in frames
        if frame.f_code.co_name == "<module>" and not is_machinery(frame.f_code.co_filename)
    ]


def raised_in_user_code(error: BaseException) -> bool:
    """Whether any of the user's own code was running when an exception was raised.

    :param error: an exception caught by the caller, whose own frame does not count.
    """
    return any(
        not is_machinery(frame.tb_frame.f_code.co_filename) for frame in _walk(error.__traceback__)
    )


def _walk(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def format_error(error: BaseException) -> str:
    """Return an exception's traceback, cut to the user's own frames, and a hint if there is one.

    :param error: the exception, which keeps its whole traceback.
    """
    summary = traceback.TracebackException.from_exception(error)
    if os.environ.get(FULL_TRACEBACK_VARIABLE, "0") in ("", "0"):
        _trim(summary)
    text = "".join(summary.format()).rstrip()
    hint = find_hint(error, user_modules(error))
    return f"{text}\n\n{hint}" if hint else text


def _trim(summary: traceback.TracebackException) -> None:
    """Cut the frames of the machinery from a traceback and from all that are chained to it."""
    own_frames = [
        frame
        for index, frame in enumerate(summary.stack)
        if not is_machinery(frame.filename) and not _only_starts(summary.stack, index)
    ]
    # A syntax error has no frame of the file it is in; it names the place itself. With any other
    # error, no frame of the user's means that the fault is ours, and then all of it is wanted.
    if own_frames or hasattr(summary, "offset"):
        summary.stack[:] = own_frames

    chained = (summary.__cause__, summary.__context__, *(summary.exceptions or ()))
    for other in filter(None, chained):
        _trim(other)


def _only_starts(stack: traceback.StackSummary, index: int) -> bool:
    """Whether a frame is that of the script which does nothing but call the command."""
    return (
        index == 0
        and len(stack) > 1
        and stack[0].name == "<module>"
        and is_machinery(stack[1].filename)
    )


def show_error(message: str) -> None:
    """Print an error in red on standard error."""
    click.secho(f"{message}\n", err=True, fg="red")


def trim_uncaught() -> None:
    """Have Python print exceptions that end the process as :func:`format_error` does.

    A hook that is there already (an error reporter's, a prettier's) stays.
    """
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _print_uncaught


def _print_uncaught(
    error_type: type[BaseException], error: BaseException, tb: TracebackType | None
) -> None:
    if isinstance(error, Exception) and _came_through_here(tb):
        click.echo(format_error(error), err=True)
    else:
        sys.__excepthook__(error_type, error, tb)


def _came_through_here(tb: TracebackType | None) -> bool:
    here = _package_directory(__file__)
    return any(frame.tb_frame.f_code.co_filename.startswith(here) for frame in _walk(tb))
