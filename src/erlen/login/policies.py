"""Policies: functions that decide whether a user has a permission for an object."""

from __future__ import annotations

import typing as t
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import isawaitable, signature

from erlen.exceptions import ConfigError

from .permissions_grants import check_name

if t.TYPE_CHECKING:
    from erlen import Flask

U = t.TypeVar("U")
M = t.TypeVar("M")
R = t.TypeVar("R", bound="bool | Awaitable[bool]")


@dataclass(frozen=True)
class Policy:
    """A policy, with what it is asked for."""

    function: Callable[..., t.Any]
    anonymous: bool

    @property
    def name(self) -> str:
        """Where the function stands."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    def allows(self, app: Flask, user: t.Any, objects: tuple[t.Any, ...]) -> bool:
        """Ask the function.

        :param app: the application.
        :param user: the user.
        :param objects: the object, if any.
        """
        return bool(wait_for(app, self.function(user, *objects)))


class PolicyTable:
    """Policies by permission and class."""

    def __init__(self) -> None:
        self._policies: dict[tuple[str, type[t.Any] | None], Policy] = {}

    def add(self, permission: str, model: type[t.Any] | None, new: Policy) -> None:
        """Add a policy.

        :param permission: the name of the permission.
        :param model: the class of the objects that it decides for.
        :param new: the policy.
        :raises ConfigError: where another function decides already.
        """
        key = (check_name(permission), model)
        present = self._policies.get(key)
        if present is not None and present.name != new.name:
            of = "" if model is None else f" of {model.__name__}"
            raise ConfigError(
                f"Two policies decide on {permission!r}{of}: {present.name} and {new.name}. Make"
                " one of them."
            )
        self._policies[key] = new

    def find(self, permission: str, objects: tuple[t.Any, ...]) -> Policy | None:
        """Return the policy that decides.

        :param permission: the name of the permission.
        :param objects: the object, if any; a policy for one of its base classes will do.
        """
        classes = objects[0].__class__.__mro__ if objects else (None,)
        for model in classes:
            found = self._policies.get((permission, model))
            if found is not None:
                return found
        return None

    def has(self, permission: str) -> bool:
        """Tell whether there is a policy for a permission, whatever the object.

        :param permission: the name of the permission.
        """
        return any(name == permission for name, _ in self._policies)


#: The policies that all applications of the process have.
shared = PolicyTable()


@t.overload
def policy(
    permission: str, model: type[M], *, anonymous: bool = ...
) -> Callable[[Callable[[U, M], R]], Callable[[U, M], R]]: ...


@t.overload
def policy(
    permission: str, *, anonymous: bool = ...
) -> Callable[[Callable[[U], R]], Callable[[U], R]]: ...


def policy(
    permission: str, model: type[t.Any] | None = None, *, anonymous: bool = False
) -> Callable[[Callable[..., t.Any]], Callable[..., t.Any]]:
    """Let the decorated function decide on a permission for the objects of a class.

    It alone decides: what roles grant, it asks for by :func:`~erlen.login.permissions.granted`. It
    may be a coroutine function. For subclasses it decides too, unless they have one of their own.

    :param permission: the name of the permission.
    :param model: the class; ``None`` where the permission is not for objects.
    :param anonymous: whether it is asked for users who are not logged in, too. Otherwise those have
        not got the permission.
    :raises ConfigError: where another function decides already, or where this one cannot be called
        with the user and, for a class, an object.

    .. code-block:: python

        @policy("book:edit", Book)
        def may_edit(user: User, book: Book) -> bool:
            return book.owner_id == user.id or granted("book:edit")
    """
    check_name(permission)

    def add(function: Callable[..., t.Any]) -> Callable[..., t.Any]:
        new = Policy(function, anonymous)
        _check_parameters(permission, model, new)
        shared.add(permission, model, new)
        return function

    return add


def _check_parameters(permission: str, model: type[t.Any] | None, new: Policy) -> None:
    """Raise where a policy cannot be called with what it will be given.

    Without its class, one that is for objects would never be asked.
    """
    if model is None:
        given: tuple[t.Any, ...] = (None,)
        remedy = f"the user alone. For objects, name their class: @policy({permission!r}, Book)."
    else:
        given = (None, None)
        remedy = f"the user and an object of {model.__name__}. Give it these two parameters."
    try:
        signature(new.function).bind(*given)
    except TypeError:
        raise ConfigError(
            f"The policy {new.name} on {permission!r} cannot be called with {remedy}"
        ) from None


def wait_for(app: Flask, result: t.Any) -> t.Any:
    """Return a result, or if it is awaitable, what comes of it.

    :param app: the application.
    :param result: the result.
    """
    if not isawaitable(result):
        return result

    async def wait() -> t.Any:
        return await result

    return app.ensure_sync(wait)()
