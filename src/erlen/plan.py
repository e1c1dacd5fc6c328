"""What a request to an endpoint will call, worked out once.

A plan depends on the registries of the application only. It is made when an endpoint is first
requested, and dropped when a registry is edited; see :mod:`erlen.registry`.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from inspect import iscoroutinefunction

from .names import _split_blueprint_path
from .registry import Registry

if t.TYPE_CHECKING:
    from . import typing as ft

Hook = Callable[..., t.Any]


class PlanTable:
    """The plans of an application, valid until a registry is edited.

    After an edit the application starts a new table. A request that has a plan of the old one
    sees by that that it must look again.
    """

    __slots__ = ("handlers", "loops", "plans", "processors", "teardown_appcontext")

    def __init__(self) -> None:
        self.plans: dict[str | None, Plan] = {}
        #: Error handlers found, by exception class and blueprints.
        self.handlers: dict[tuple[t.Any, ...], Hook | None] = {}
        #: Context processors ready to be called, by blueprints.
        self.processors: dict[tuple[str, ...], tuple[Hook, ...]] = {}
        #: The functions of ``teardown_appcontext``, ready to be called, last first.
        self.teardown_appcontext: tuple[Hook, ...] | None = None
        #: Whether requests run on an event loop; see :mod:`erlen.gateway.choice`.
        self.loops: int | None = None


class Plan:
    """The functions that a request to one endpoint calls, in their order, ready to be called.

    :param app: the application.
    :param table: the table that the plan belongs to.
    :param endpoint: the endpoint; ``None`` for requests that no rule matched.
    """

    __slots__ = (
        "after",
        "before",
        "endpoint",
        "on_loop",
        "preprocessors",
        "table",
        "teardown",
        "view",
        "watched",
    )

    def __init__(self, app: ft.Application, table: PlanTable, endpoint: str | None) -> None:
        self.table = table
        self.endpoint = endpoint
        names = blueprint_names(endpoint)
        outer_first = (None, *reversed(names))
        inner_first = (*names, None)
        ready = app.ensure_sync

        self.preprocessors: tuple[Hook, ...] = tuple(
            collect(app.url_value_preprocessors, outer_first)
        )
        self.before: tuple[Hook, ...] = tuple(
            ready(hook) for hook in collect(app.before_request_funcs, outer_first)
        )
        # The reversed order within each scope, but blueprints before the application.
        self.after: tuple[Hook, ...] = tuple(
            ready(hook) for hook in collect(app.after_request_funcs, inner_first, backwards=True)
        )
        self.teardown: tuple[Hook, ...] = tuple(
            ready(hook) for hook in collect(app.teardown_request_funcs, inner_first, backwards=True)
        )
        view = app.view_functions.get(endpoint)
        self.view: Hook | None = None if view is None else ready(view)
        #: Whether a server with an event loop runs a request to the endpoint on it.
        self.on_loop: bool = app._runs_on_loop(endpoint, names)
        #: Lists that can change unseen, each with a copy of what it held.
        self.watched = [
            pair
            for registry in (
                app.url_value_preprocessors,
                app.before_request_funcs,
                app.after_request_funcs,
                app.teardown_request_funcs,
            )
            for pair in registry.foreign()
        ]

    def is_stale(self) -> bool:
        """Return whether a list that nobody announces changes of has changed."""
        return any(list(current) != copy for current, copy in self.watched)


def is_coroutine_function(func: t.Any) -> bool:
    """Return whether calling a function, or what it wraps, makes a coroutine.

    A decorator that runs a coroutine function by ``ensure_sync`` is synchronous itself, and so is
    the view function that a class with asynchronous methods makes.

    :param func: a view, a hook or a handler.
    """
    seen = set()
    while func is not None and id(func) not in seen:
        call = getattr(type(func), "__call__", None)  # noqa: B004 (the method itself is wanted)
        if iscoroutinefunction(func) or iscoroutinefunction(call):
            return True
        seen.add(id(func))
        view_class = getattr(func, "view_class", None)
        if view_class is not None:
            names = (
                "dispatch_request",
                *map(str.lower, getattr(view_class, "methods", None) or ()),
            )
            return any(iscoroutinefunction(getattr(view_class, name, None)) for name in names)
        func = getattr(func, "__wrapped__", getattr(func, "func", None))
    return False


def blueprint_names(endpoint: str | None) -> tuple[str, ...]:
    """Return the names of the blueprints that an endpoint is on, innermost first."""
    if endpoint is None or "." not in endpoint:
        return ()
    return tuple(_split_blueprint_path(endpoint.rpartition(".")[0]))


def collect(
    registry: t.Mapping[t.Any, t.Any], scopes: t.Iterable[str | None], backwards: bool = False
) -> t.Iterator[Hook]:
    """Yield the functions of several scopes of a registry."""
    for scope in scopes:
        if scope in registry:
            functions = registry[scope]
            yield from reversed(functions) if backwards else functions


def has_foreign_handlers(spec: t.Mapping[t.Any, t.Any]) -> bool:
    """Return whether the error handlers' registry holds a dictionary that can change unseen."""
    return not all(
        isinstance(by_code, Registry)
        and all(isinstance(by_class, Registry) for by_class in by_code.values())
        for by_code in spec.values()
    )
