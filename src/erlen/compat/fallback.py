"""Letting a module answer for names that it does not have."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

#: What a fallback returns for a name that it does not know either.
MISSING: t.Final = object()


def add_fallback(module: ModuleType, find: Callable[[str], t.Any]) -> None:
    """Ask a function for names that are missing in a module, before any that was added earlier.

    :param module: the module.
    :param find: takes the name and returns the value, or :data:`MISSING`.
    """
    previous = module.__dict__.get("__getattr__")

    def __getattr__(name: str) -> t.Any:
        value = find(name)
        if value is not MISSING:
            return value
        if previous is not None:
            return previous(name)
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

    setattr(module, "__getattr__", __getattr__)  # noqa: B010
