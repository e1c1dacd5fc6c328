"""A guard against N+1 queries: one query for a list, and one more for each item of it.

They come from attributes that are loaded when they are first touched. For one object that is
right; in a loop over the result of a query it is a query for each. The guard remembers which query
an object came from, and speaks up when a second object from there loads the same attribute.
"""

from __future__ import annotations

import typing as t
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.orm import RelationshipProperty

from .callers import Line, find_line

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.orm import InstanceState, ORMExecuteState, QueryContext

__all__ = ["NPlusOneError", "NPlusOneWarning", "forbid_n_plus_one"]

Mode = t.Literal["warn", "raise"]


class NPlusOneWarning(UserWarning):
    """The items of a list each run a query of their own for the same attribute."""


class NPlusOneError(Exception):
    """The same as :class:`NPlusOneWarning`, where the guard is set to ``"raise"``."""


@dataclass(eq=False)
class Origin:
    """A query that objects came from."""

    line: Line
    entity: str
    count: int = 0
    lazy: dict[str, int] = field(default_factory=dict)


_origins: WeakKeyDictionary[InstanceState[t.Any], Origin] = WeakKeyDictionary()
_forced: ContextVar[Mode | None] = ContextVar("erlen.db.nplusone", default=None)

#: Where in ``QueryContext.attributes`` the origin of a query is kept.
ORIGIN = "erlen.origin"


class Guard:
    """Watches the sessions and the models of one extension.

    :param find_mode: says, at the time of a query, what to do; ``None`` for nothing.
    """

    def __init__(self, find_mode: Callable[[], Mode | None]) -> None:
        self.find_mode = find_mode

    @property
    def mode(self) -> Mode | None:
        """What to do at the moment."""
        return _forced.get() or self.find_mode()

    def watch(self, session: t.Any, model: type) -> None:
        """Begin to watch.

        :param session: the sessions: a class, a factory, or a scoped session.
        :param model: the base class of the models.
        """
        event.listen(session, "do_orm_execute", self._look)
        event.listen(model, "load", self._remember, propagate=True, restore_load_context=False)

    def _remember(self, target: object, context: QueryContext) -> None:
        """Note which query an object came from."""
        if self.mode is None:
            return
        state: InstanceState[t.Any] = target._sa_instance_state  # type: ignore[attr-defined]
        origin: Origin | None = context.attributes.get(ORIGIN)
        if origin is None:
            origin = Origin(find_line(), state.class_.__name__)
            context.attributes[ORIGIN] = origin
        origin.count += 1
        _origins[state] = origin

    def _look(self, execution: ORMExecuteState) -> None:
        """Speak up where this is the second of many."""
        if not execution.is_select or (state := execution.lazy_loaded_from) is None:
            return
        mode = self.mode
        origin = _origins.get(state)
        if mode is None or origin is None or origin.count < 2:
            return
        relation = _relation(execution)
        if relation is None:
            return
        name = f"{relation.parent.class_.__name__}.{relation.key}"
        origin.lazy[name] = origin.lazy.get(name, 0) + 1
        if origin.lazy[name] == 2:
            _speak(mode, _message(name, relation, origin, find_line()))


def _relation(execution: ORMExecuteState) -> RelationshipProperty[t.Any] | None:
    path = execution.loader_strategy_path
    steps = () if path is None else tuple(path.path)
    relations = [step for step in steps if isinstance(step, RelationshipProperty)]
    return relations[-1] if relations else None


def _message(name: str, relation: RelationshipProperty[t.Any], origin: Origin, line: Line) -> str:
    # A join for what there is one of; a second query for what there may be many of, since a join
    # would repeat the parent for each.
    loader = "selectinload" if relation.uselist else "joinedload"
    return (
        f"N+1 queries: {name} is loaded for one object at a time at {line}. The objects came from"
        f" the query at {origin.line}. Load them together there: add"
        f" .options({loader}({name})) to it, with: from sqlalchemy.orm import {loader}"
    )


def _speak(mode: Mode, message: str) -> None:
    if mode == "raise":
        raise NPlusOneError(message)
    line = find_line()
    warnings.warn_explicit(message, NPlusOneWarning, line.file, line.number)


@contextmanager
def forbid_n_plus_one(mode: Mode = "raise") -> Iterator[None]:
    """Make N+1 queries raise within a ``with`` block, whatever the configuration says.

    :param mode: ``"raise"``, or ``"warn"``.
    :raises NPlusOneError: at the line that loads the attribute of a second object.

    .. code-block:: python

        def test_list(client):
            with db.forbid_n_plus_one():
                client.get("/books")
    """
    token = _forced.set(mode)
    try:
        yield
    finally:
        _forced.reset(token)
