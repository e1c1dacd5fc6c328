"""Dictionaries and lists of hooks that tell when somebody edits them.

Extensions edit the public registries of an application directly, the lists inside them too, at any
time: ``app.before_request_funcs.setdefault(None, []).insert(0, f)``. The plans made from the
registries must notice. Each container here calls ``on_change`` after an edit.

A plain list that somebody puts into a registry stays the same object, since its owner may go on
editing it; :meth:`Registry.foreign` names those, and a plan compares them at each request.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy

OnChange = Callable[[], None]
F = t.TypeVar("F", bound=Callable[..., t.Any])


def _announcing(method: F) -> F:
    """Wrap a mutating method of a builtin container so that it calls ``on_change`` afterwards."""

    def wrapper(self: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        try:
            return method(self, *args, **kwargs)
        finally:
            self.on_change()

    wrapper.__name__ = method.__name__
    wrapper.__doc__ = method.__doc__
    return t.cast(F, wrapper)


class HookList(list[t.Any]):
    """A list that calls ``on_change`` after each edit.

    :param on_change: called without arguments.
    :param items: the first items.
    """

    def __init__(self, on_change: OnChange, items: t.Iterable[t.Any] = ()) -> None:
        super().__init__(items)
        self.on_change = on_change

    append = _announcing(list.append)
    extend = _announcing(list.extend)
    insert = _announcing(list.insert)
    remove = _announcing(list.remove)
    pop = _announcing(list.pop)
    clear = _announcing(list.clear)
    sort = _announcing(list.sort)
    reverse = _announcing(list.reverse)
    __setitem__ = _announcing(list.__setitem__)
    __delitem__ = _announcing(list.__delitem__)
    __iadd__ = _announcing(list.__iadd__)
    __imul__ = _announcing(list.__imul__)

    def __reduce__(self) -> tuple[t.Any, ...]:
        return list, (list(self),)


class Registry(defaultdict[t.Any, t.Any]):
    """A ``defaultdict`` that calls ``on_change`` after each edit of it or of what it made.

    :param on_change: called without arguments.
    :param make: makes the value for a missing key, given ``on_change``; ``None`` for a registry
        in which a missing key is an error.
    :param items: the first items.
    """

    def __init__(
        self,
        on_change: OnChange,
        make: Callable[[OnChange], t.Any] | None = HookList,
        items: t.Mapping[t.Any, t.Any] | None = None,
    ) -> None:
        self.on_change: OnChange = on_change
        super().__init__(None if make is None else lambda: make(on_change))
        if items:
            super().update(items)

    def foreign(self) -> list[tuple[list[t.Any], list[t.Any]]]:
        """Return each plain list among the values, with a copy of what it holds now."""
        return [
            (value, list(value))
            for value in self.values()
            if type(value) is not HookList or value.on_change is not self.on_change
        ]

    def setdefault(self, key: t.Any, default: t.Any = None) -> t.Any:
        """Return the value of a key; where it is missing, set it to *default* first.

        An empty plain list given as the default becomes a list that announces its edits.
        """
        if key in self:
            return self[key]
        if type(default) is list and not default:
            default = HookList(self.on_change)
        try:
            # In one step: another thread may do the same.
            return super().setdefault(key, default)
        finally:
            self.on_change()

    __setitem__ = _announcing(defaultdict.__setitem__)
    __delitem__ = _announcing(defaultdict.__delitem__)
    __ior__ = _announcing(defaultdict.__ior__)
    pop = _announcing(defaultdict.pop)
    popitem = _announcing(defaultdict.popitem)
    clear = _announcing(defaultdict.clear)
    update = _announcing(defaultdict.update)

    def copy(self) -> t.Self:
        """Return a copy that announces its edits as this one does."""
        copy = type(self)(self.on_change, None, self)
        copy.default_factory = self.default_factory
        return copy

    __copy__ = copy

    def __reduce__(self) -> tuple[t.Any, ...]:
        return dict, (dict(self),)

    def __deepcopy__(self, memo: dict[int, t.Any]) -> t.Self:
        copy = self.copy()
        for key, value in self.items():
            super(Registry, copy).__setitem__(key, deepcopy(value, memo))
        return copy


def handler_registry(on_change: OnChange) -> Registry:
    """Return a registry of error handlers: scope, then status code, then exception class."""
    return Registry(on_change, lambda change: Registry(change, lambda inner: Registry(inner, None)))


def call_all(functions: t.Iterable[Callable[..., t.Any]], exc: BaseException | None) -> None:
    """Call each function with *exc*, then raise the first exception that one of them raised."""
    first: BaseException | None = None
    for function in functions:
        try:
            function(exc)
        except BaseException as error:
            if first is None:
                first = error
            else:
                first.add_note(f"Then {function!r} raised {error!r}.")
    if first is not None:
        raise first
