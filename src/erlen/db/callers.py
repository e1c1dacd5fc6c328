"""Which line of the application led here: for warnings, logs and errors that name it."""

from __future__ import annotations

import os
import sys
import typing as t
from dataclasses import dataclass

import sqlalchemy
from greenlet import getcurrent

import erlen

if t.TYPE_CHECKING:
    from types import FrameType

__all__ = ["Line", "find_line"]

_package = os.path.dirname(os.path.abspath(erlen.__file__)) + os.sep
_sqlalchemy = os.path.dirname(os.path.abspath(sqlalchemy.__file__)) + os.sep

#: Code that stands between the application and its queries.
PASSED: tuple[str, ...] = (_package, _sqlalchemy, "<string>", "<frozen")
PASSED_PARTS = tuple(
    f"{os.sep}site-packages{os.sep}{name}{os.sep}"
    for name in ("jinja2", "werkzeug", "greenlet", "flask_sqlalchemy")
)
LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


@dataclass(frozen=True)
class Line:
    """A line of the application.

    :param file: the path of its file.
    :param number: its number.
    :param function: the function that it is in.
    """

    file: str
    number: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number} ({self.function})"


UNKNOWN = Line("unknown", 0, "unknown")


def find_line() -> Line:
    """Return the innermost line that is neither ours nor SQLAlchemy's nor the standard library's.

    In a template it is the template's line.
    """
    frame: FrameType | None = sys._getframe(1)
    greenlet = getcurrent()
    while frame is not None:
        if not _is_passed(frame.f_code.co_filename):
            return _line_of(frame)
        frame = frame.f_back
        # SQLAlchemy runs what is awaited in a greenlet; who awaits it is in the one before.
        if frame is None and greenlet.parent is not None:
            greenlet = greenlet.parent
            frame = greenlet.gr_frame
    return UNKNOWN


def _is_passed(file: str) -> bool:
    if file.startswith(PASSED) or any(part in file for part in PASSED_PARTS):
        return True
    return file.startswith(LIBRARY) and "site-packages" not in file


def _line_of(frame: FrameType) -> Line:
    code = frame.f_code
    # Jinja compiles a template to Python, and knows which line came from which.
    template = frame.f_globals.get("__jinja_template__")
    if template is None:
        return Line(code.co_filename, frame.f_lineno, code.co_name)
    number = template.get_corresponding_lineno(frame.f_lineno)
    return Line(template.filename or "template", number, template.name or "template")
