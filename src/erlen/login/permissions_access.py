"""What views say about who may use them, for those who look from outside."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from erlen import Flask

_ATTRIBUTE = "__erlen_access__"

Kind = t.Literal["public", "login", "permission"]


@dataclass(frozen=True)
class Access:
    """Who may use a view: everybody, whoever is logged in, or who has some permissions."""

    kind: Kind
    permissions: tuple[str, ...] = ()


def mark_access(target: object, kind: Kind, permissions: tuple[str, ...] = ()) -> None:
    """Note on a view or a blueprint who may use it; the decorators that see to it do.

    :param target: the view or the blueprint.
    :param kind: ``"public"``, ``"login"`` or ``"permission"``.
    :param permissions: the names of the permissions that are needed.
    """
    setattr(target, _ATTRIBUTE, Access(kind, permissions))


def find_accesses(app: Flask, endpoint: str) -> list[Access]:
    """Return what an endpoint says about who may use it, and the blueprints that it is on.

    :param app: the application.
    :param endpoint: the endpoint.
    """
    return [
        *_find_on_view(app.view_functions.get(endpoint)),
        *_find_on_blueprints(app, endpoint),
    ]


def is_static(app: Flask, endpoint: str) -> bool:
    """Tell whether an endpoint sends the static files of the application or of a blueprint.

    :param app: the application.
    :param endpoint: the endpoint.
    """
    module = getattr(app.view_functions.get(endpoint), "__module__", None) or ""
    return endpoint.rpartition(".")[2] == "static" and module.partition(".")[0] == "erlen"


def _find_on_view(view: t.Any) -> Iterator[Access]:
    view_class = getattr(view, "view_class", None)
    while view is not None:
        access = vars(view).get(_ATTRIBUTE) if hasattr(view, "__dict__") else None
        if isinstance(access, Access):
            yield access
        view = getattr(view, "__wrapped__", None)
    if view_class is not None:
        yield from _find_on_methods(view_class)


def _find_on_methods(view_class: type[t.Any]) -> list[Access]:
    """Return what a class says, or its methods, if each of them says something."""
    # What holds for a class need not hold for one that is derived from it.
    access = vars(view_class).get(_ATTRIBUTE)
    if isinstance(access, Access):
        return [access]
    names = [name.lower() for name in view_class.methods or ()]
    methods = [getattr(view_class, name) for name in names if hasattr(view_class, name)]
    found = [list(_find_on_view(method)) for method in methods or [view_class.dispatch_request]]
    return [access for accesses in found for access in accesses] if all(found) else []


def _find_on_blueprints(app: Flask, endpoint: str) -> Iterator[Access]:
    """Yield what the blueprints say. What is public of an outer one, is not so of the inner one."""
    name = endpoint.rpartition(".")[0]
    is_inner = True
    while name:
        access = getattr(app.blueprints.get(name), _ATTRIBUTE, None)
        if isinstance(access, Access) and (is_inner or access.kind != "public"):
            yield access
        name, is_inner = name.rpartition(".")[0], False
