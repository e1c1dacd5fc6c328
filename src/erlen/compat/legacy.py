"""Serving names that Flask removed, for extensions that have not followed.

Flask 3 does not have them, so neither has Erlen: published extensions probe for some of them and
take an old path where they find one. :func:`erlen.compat.install` serves a named one to who needs
it.
"""

from __future__ import annotations

import sys
import typing as t
import warnings
from collections.abc import Callable, Iterable
from importlib import import_module

from .fallback import MISSING, add_fallback
from .removed import Removed, find_removed

if t.TYPE_CHECKING:
    from types import FrameType, ModuleType

#: Module of Erlen -> attribute -> the entry and the packages it is for; none means everyone.
_served: dict[str, dict[str, tuple[Removed, set[str]]]] = {}
_values: dict[Removed, t.Any] = {}


def serve(names: Iterable[str]) -> None:
    """Make removed names importable.

    :param names: entries as :func:`erlen.compat.install` takes them.
    """
    for name in names:
        removed, package = find_removed(name)
        owner, _, attribute = removed.attribute.rpartition(".")
        if owner:
            _serve_on_class(removed, owner, attribute)
            continue
        for module in removed.modules:
            _serve_in_module("erlen" + module.removeprefix("flask"), removed, package)


def _serve_in_module(module: str, removed: Removed, package: str) -> None:
    if module not in _served:
        _served[module] = {}
        _answer_missing(import_module(module))
    entry = _served[module].get(removed.attribute)
    if entry is None:
        _served[module][removed.attribute] = (removed, {package} if package else set())
    elif not package:
        entry[1].clear()
    elif entry[1]:
        entry[1].add(package)


def _answer_missing(module: ModuleType) -> None:
    names = _served[module.__name__]

    def find(attribute: str) -> t.Any:
        entry = names.get(attribute)
        if entry is None or not _is_for(entry[1], sys._getframe()):
            return MISSING
        removed = entry[0]
        _warn(removed)
        if removed not in _values:
            _values[removed] = removed.make()
        return _values[removed]

    add_fallback(module, find)


def warn_module(name: str) -> None:
    """Warn about the import of a module that Flask removed.

    :param name: the module's name without ``flask.``.
    """
    _warn(find_removed(name)[0])


def _is_for(packages: set[str], frame: FrameType | None) -> bool:
    """Say whether the code that asks belongs to one of *packages*, where any are named."""
    if not packages:
        return True
    # `from flask import x` asks once from inside importlib, then from the statement itself.
    while frame is not None and _module_of(frame).startswith(("importlib", "erlen.compat")):
        frame = frame.f_back
    asking = "" if frame is None else _module_of(frame)
    return any(asking == package or asking.startswith(f"{package}.") for package in packages)


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _warn(removed: Removed) -> None:
    # The line to name is the first one that is not ours; the import system's do not count.
    level = 2
    while _module_of(sys._getframe(level)).partition(".")[0] == "erlen":
        level += 1
    warnings.warn(
        f"Flask {removed.since} removed '{removed.modules[0]}.{removed.attribute}'; Erlen serves"
        f" it because erlen.compat.install() was told to. Use {removed.instead} instead.",
        DeprecationWarning,
        stacklevel=level + 1,
    )


def _serve_on_class(removed: Removed, owner: str, attribute: str) -> None:
    cls = getattr(import_module("erlen" + removed.modules[0].removeprefix("flask")), owner)
    if attribute in cls.__dict__:
        return
    value = removed.make()
    if isinstance(value, property):
        setattr(cls, attribute, _warning_property(removed, value))
    else:
        setattr(cls, attribute, _warning_method(removed, value))


def _warning_property(removed: Removed, wrapped: property) -> property:
    def read(self: t.Any) -> t.Any:
        _warn(removed)
        return wrapped.__get__(self)

    def write(self: t.Any, value: t.Any) -> None:
        _warn(removed)
        wrapped.__set__(self, value)

    return property(read, write)


def _warning_method(removed: Removed, function: Callable[..., t.Any]) -> Callable[..., t.Any]:
    def method(self: t.Any, f: Callable[[], t.Any]) -> t.Any:
        _warn(removed)
        return function(self, f)

    method.__name__ = function.__name__
    return method
