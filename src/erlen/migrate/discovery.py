"""Finding the models of an application that nothing has imported yet."""

from __future__ import annotations

import importlib
import os
import re
import sys
import typing as t
from pathlib import Path

from alembic.util import CommandError

from ..exceptions import ConfigError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..typing import Application

#: What the text of a module looks like that has models or tables.
_models = re.compile(
    r"^class \w+\(.*\b(\w*Model|Base)\b.*\)|\b(\w+\.)?Table\(|DeclarativeBase|__tablename__",
    re.MULTILINE,
)
_SKIPPED = {"__pycache__", "migrations", "node_modules", "static", "templates", "tests"}


def import_models(app: Application) -> list[str]:
    """Import the modules of an application that have models and are not loaded yet.

    They are looked for in the application's package. ``MIGRATE_MODELS`` in the configuration
    names them where that is not enough; ``False`` there keeps all from being imported.

    :param app: the application.
    :returns: the names of the modules that were imported.
    :raises CommandError: when one cannot be imported.
    """
    _add_session_table(app)
    wanted = app.config.get("MIGRATE_MODELS")
    if wanted is False:
        return []
    names = list(wanted) if wanted is not None else list(_find_modules(app))
    found = []
    for name in names:
        if name in sys.modules:
            continue
        try:
            importlib.import_module(name)
        except Exception as error:
            raise CommandError(
                f"The module {name!r}, which seems to have models, cannot be imported:"
                f" {type(error).__name__}: {error}. MIGRATE_MODELS can name the modules to import."
            ) from error
        found.append(name)
    return found


def _add_session_table(app: Application) -> None:
    """Have the table of sessions among the models, where they are kept in the database."""
    try:
        # The interface adds it when it is made, which is when it is first asked for.
        _ = app.session_interface
    except ConfigError as error:
        raise CommandError(str(error)) from error


def _find_modules(app: Application) -> Iterator[str]:
    package = sys.modules.get(app.import_name)
    if package is None:
        return
    if not hasattr(package, "__path__"):
        # An application in `shop/app.py` belongs to the package `shop`.
        name = app.import_name.rpartition(".")[0]
        if not name or name not in sys.modules:
            return
        package = sys.modules[name]
    for folder in package.__path__:
        for path in sorted(_walk(Path(folder))):
            parts = path.relative_to(folder).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            if parts and _models.search(path.read_text(encoding="utf-8", errors="replace")):
                yield ".".join([package.__name__, *parts])


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the modules of a package and of the packages in it."""
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if entry.is_dir():
            is_package = (path / "__init__.py").exists()
            if is_package and entry.name not in _SKIPPED and entry.name.isidentifier():
                yield from _walk(path)
        elif _may_have_models(path):
            yield path


def _may_have_models(path: Path) -> bool:
    name = path.stem
    is_module = path.suffix == ".py" and name.isidentifier()
    return is_module and not name.startswith("test_") and name not in ("__main__", "conftest")
