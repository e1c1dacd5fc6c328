"""What to try next when the user's code cannot be imported."""

from __future__ import annotations

import pkgutil
import re
import sys
import typing as t
from difflib import get_close_matches

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def find_hint(error: BaseException, modules: Sequence[str] = ()) -> str | None:
    """Return what may help against an error of importing, if anything is known.

    :param error: the exception.
    :param modules: the names of the modules that were being imported, outermost first.
    """
    if isinstance(error, ModuleNotFoundError):
        return _missing_module(error)
    if "partially initialized module" in str(error):
        return _import_cycle(error, modules)
    if isinstance(error, ImportError):
        return _relative_import(error, modules) or _missing_name(error)
    return None


def did_you_mean(name: str, candidates: Iterable[str], likeness: float = 0.6) -> str:
    """Return " Did you mean …?" for a misspelt name, and "" where nothing comes close.

    :param likeness: how alike the names have to be, from 0 to 1.
    """
    matches = get_close_matches(name, sorted(set(candidates) - {name}), n=1, cutoff=likeness)
    return f" Did you mean {matches[0]!r}?" if matches else ""


def near_module(name: str, path: Sequence[str] | None = None) -> str:
    """Return " Did you mean …?" for the dotted name of a module that was not found.

    :param name: what was to be imported.
    :param path: where to look for top-level modules; by default the whole of ``sys.path``.
    """
    parent = name.rpartition(".")[0]
    if parent:
        path = getattr(sys.modules.get(parent), "__path__", None)
        if path is None:
            return ""
    candidates = {module.name for module in pkgutil.iter_modules(path and list(path))}
    if not parent:
        candidates |= sys.stdlib_module_names
    prefix = f"{parent}." if parent else ""
    # Names that start with an underscore are private: nobody meant those.
    names = (prefix + candidate for candidate in candidates if not candidate.startswith("_"))
    # There are hundreds of modules, and so always one that is somewhat alike.
    return did_you_mean(name, names, likeness=0.75)


def _missing_module(error: ModuleNotFoundError) -> str | None:
    name = error.name
    if not name or name in sys.modules:
        return None
    parent_name = name.rpartition(".")[0]
    if name.partition(".")[0] == "flask" and "flask" not in sys.modules:
        return (
            "Flask is not installed here. Erlen answers 'import flask' itself when it is started"
            " with the environment variable ERLEN_COMPAT=1."
        )
    if parent_name and not hasattr(sys.modules.get(parent_name), "__path__"):
        return _hidden_package(parent_name)
    suggestion = near_module(name).strip()
    if suggestion or parent_name:
        return suggestion or None
    return f"{name!r} is not installed in this environment ({sys.prefix})."


def _hidden_package(name: str) -> str | None:
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return None
    return (
        f"{name!r} is the single file {file}. If an installed package of that name is meant, the"
        " file hides it: give the file another name."
    )


def _import_cycle(error: BaseException, modules: Sequence[str]) -> str | None:
    found = re.search(r"partially initialized module '([^']+)'", str(error))
    if found is None or found[1] not in modules:
        return None
    cycle = [*modules[modules.index(found[1]) :], found[1]]
    if len(cycle) == 2:
        return (
            f"The module {found[1]!r} imports itself. If an installed package of that name is"
            " meant, give the file another name."
        )
    return (
        f"These modules import each other: {' -> '.join(cycle)}. Move what both need into a"
        " module of its own, or import it inside the function that uses it."
    )


def _relative_import(error: ImportError, modules: Sequence[str]) -> str | None:
    if "relative import" not in str(error) or not modules:
        return None
    return (
        f"The file was imported as the module {modules[-1]!r}, outside of its package. Name it"
        f" together with the package ('--app package.{modules[-1]}'); if its directory is to be"
        " the package, it needs a file '__init__.py'."
    )


def _missing_name(error: ImportError) -> str | None:
    found = re.match(r"cannot import name '([^']+)'", str(error))
    module = sys.modules.get(error.name or "")
    # Newer versions of Python make the suggestion themselves.
    if found is None or module is None or sys.version_info >= (3, 12):
        return None
    return did_you_mean(found[1], vars(module)).strip() or None
