"""Which packages an application needs beside itself."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...typing import Application

#: The modules by which the use of an extra shows.
_MODULES = {
    "forms": "wtforms",
    "login": "argon2",
    "api": "msgspec",
    "redis": "redis",
}
#: The beginnings of the URLs of databases, and the extras that have their drivers.
_DATABASES = {"postgres": "postgres", "mysql": "mysql", "mariadb": "mysql", "sqlite": "sqlite"}
_ERLEN = re.compile(r"""(^|["'\s])erlen\s*(\[|[<>=!~;"',]|$)""", re.MULTILINE | re.IGNORECASE)


def find_extras(app: Application | None) -> list[str]:
    """Return the extras of Erlen that an application uses, sorted; the server is one of them.

    :param app: the application; its modules have been imported.
    """
    extras = {"server"}
    if app is None:
        return sorted(extras)
    extras |= {extra for extra, module in _MODULES.items() if module in sys.modules}
    if "sqlalchemy" in app.extensions:
        extras.add("db")
        extras |= set(_drivers(app))
    if app.config.get("SESSION_BACKEND") == "redis":
        extras.add("redis")
    return sorted(extras)


def _drivers(app: Application) -> Iterator[str]:
    binds = app.config.get("SQLALCHEMY_BINDS") or {}
    for value in (app.config.get("SQLALCHEMY_DATABASE_URI"), *binds.values()):
        url = value.get("url") if isinstance(value, dict) else value
        for beginning, extra in _DATABASES.items():
            if str(url).startswith(beginning):
                yield extra


def find_requirements(folder: Path, extras: list[str]) -> tuple[list[str], list[str]]:
    """Return the files that say what a project needs, and what ``pip install`` is given.

    :param folder: the project's folder.
    :param extras: the extras of Erlen that it uses.
    """
    files: list[str] = []
    arguments: list[str] = []
    for name in ("requirements.txt", "constraints.txt"):
        if (folder / name).is_file():
            files.append(name)
            arguments += ["-r" if name == "requirements.txt" else "-c", name]
    requirement = f"erlen[{','.join(extras)}]"
    if not any(_ERLEN.search((folder / name).read_text()) for name in files):
        # As it is here, where the application is known to run.
        requirement += f"=={importlib.metadata.version('erlen')}"
    return files, [*arguments, requirement]
