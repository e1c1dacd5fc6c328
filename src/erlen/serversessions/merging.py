"""How the changes that two requests made to one session at the same time come together."""

from __future__ import annotations

import typing as t

_MISSING: t.Any = object()


def merge(
    base: dict[str, t.Any], mine: dict[str, t.Any], theirs: dict[str, t.Any]
) -> dict[str, t.Any]:
    """Return what others made of a dictionary, with what was changed here put on top.

    A key that was set, changed or deleted here is so in the result, whatever others did with it;
    all other keys are as others left them. Dictionaries are merged by the same rule, and lists
    that both only added to get both additions.

    :param base: what both began with.
    :param mine: what it became here.
    :param theirs: what it became elsewhere.
    """
    merged = dict(theirs)
    for key in base.keys() | mine.keys():
        before, now = base.get(key, _MISSING), mine.get(key, _MISSING)
        if now is _MISSING:
            merged.pop(key, None)
        elif before is _MISSING or not is_same(before, now):
            merged[key] = _merge_values(before, now, theirs.get(key, _MISSING))
    return merged


def _merge_values(base: t.Any, mine: t.Any, theirs: t.Any) -> t.Any:
    if theirs is _MISSING or theirs is base:
        return mine
    kinds = {type(mine), type(theirs)}
    if kinds == {dict} and type(base) in (dict, type(_MISSING)):
        return merge({} if base is _MISSING else base, mine, theirs)
    if kinds == {list}:
        start = [] if base is _MISSING else base
        if type(start) is list and _begins(mine, start) and _begins(theirs, start):
            return theirs + mine[len(start) :]
    return mine


def _begins(items: list[t.Any], start: list[t.Any]) -> bool:
    return len(items) >= len(start) and all(map(is_same, start, items))


def is_same(a: t.Any, b: t.Any) -> bool:
    """Tell whether two values of a session are written alike; ``1``, ``True`` and ``1.0`` are not.

    :param a: one of them.
    :param b: the other.
    """
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(is_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(is_same, a, b))
    return bool(a == b)
