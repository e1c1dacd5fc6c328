"""Environment variables: those of ``.env`` files, and the ``ERLEN_`` names of Flask's own."""

from __future__ import annotations

import os
import typing as t
from functools import partial

import click

if t.TYPE_CHECKING:
    from collections.abc import Callable

ERLEN_PREFIX = "ERLEN_"
FLASK_PREFIX = "FLASK_"

DEFAULT_FILES = (".flaskenv", ".env")

# What files have set in this process.
_loaded: dict[str, str] = {}


def load_dotenv(path: str | os.PathLike[str] | None = None, load_defaults: bool = True) -> bool:
    """Set environment variables from files of ``NAME=value`` lines, encoded as UTF-8.

    The nearest ``.flaskenv`` and ``.env`` are read, from the current directory upwards. Where
    several files set a variable, `path` counts before ``.env``, and that before ``.flaskenv``;
    a variable that is in the environment already keeps its value. The files are read by
    python-dotenv; without it nothing is loaded, and a tip is printed if there are files.

    :param path: one more file to read; it is ignored if it does not exist.
    :param load_defaults: whether to look for ``.flaskenv`` and ``.env``.
    :return: whether any of the files had variables.
    :raises ValueError: when a file is not encoded as UTF-8.
    """
    try:
        import dotenv
    except ImportError:
        if path or any(map(os.path.isfile, DEFAULT_FILES)):
            click.secho(
                " * Tip: There are .env files present. Install python-dotenv to use them.",
                fg="yellow",
                err=True,
            )
        return False

    files = [dotenv.find_dotenv(name, usecwd=True) for name in DEFAULT_FILES if load_defaults]
    if path is not None and os.path.isfile(path):
        files.append(os.fspath(path))

    found: dict[str, str | None] = {}
    for file in filter(None, files):
        try:
            values = dotenv.dotenv_values(file, encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{file!r} is not encoded as UTF-8: {error}") from error
        for name in values:
            found.pop(_other_spelling(name), None)
        found |= values

    for name, value in found.items():
        if value is None or name in os.environ or _other_spelling(name) in os.environ:
            continue
        os.environ[name] = _loaded[name] = value
    return bool(found)


def environment_without_files() -> dict[str, str]:
    """Return the environment as it was before files of variables were read, for who reads anew."""
    loaded = {
        **_loaded,
        **{_other_spelling(name): value for name, value in _loaded.items()},
    }
    return {name: value for name, value in os.environ.items() if loaded.get(name) != value}


def _other_spelling(name: str) -> str:
    """Return ``FLASK_X`` for ``ERLEN_X`` and the other way round; "" for any other name."""
    for prefix, other in ((ERLEN_PREFIX, FLASK_PREFIX), (FLASK_PREFIX, ERLEN_PREFIX)):
        if name.startswith(prefix):
            return other + name.removeprefix(prefix)
    return ""


def adopt_variables(ctx: click.Context, is_wanted: Callable[[str], bool]) -> None:
    """Let ``ERLEN_X`` stand for ``FLASK_X``, before which it counts, while a command runs.

    click looks an option's variable up under one prefix only, and code of the application and
    of extensions reads ``FLASK_DEBUG``; so the value is copied, and taken back at the end.

    :param ctx: the command's context; one with a prefix of its own is left alone.
    :param is_wanted: called with the ``X`` of each name.
    """
    if f"{ctx.auto_envvar_prefix}_" != FLASK_PREFIX:
        return

    for name, value in list(os.environ.items()):
        rest = name.removeprefix(ERLEN_PREFIX)
        if rest == name or not value or not is_wanted(rest):
            continue
        flask_name = FLASK_PREFIX + rest
        if os.environ.get(flask_name) != value:
            ctx.call_on_close(partial(_restore, flask_name, value, os.environ.get(flask_name)))
            os.environ[flask_name] = value


def _restore(name: str, copied: str, before: str | None) -> None:
    if os.environ.get(name) != copied:
        return
    if before is None:
        del os.environ[name]
    else:
        os.environ[name] = before
