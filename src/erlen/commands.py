"""Groups of commands that run with an application context."""

from __future__ import annotations

import typing as t
from abc import ABC, abstractmethod
from functools import update_wrapper
from inspect import iscoroutinefunction

import click

from .local import _cv_app

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .typing import Application

F = t.TypeVar("F", bound="Callable[..., t.Any]")


class AppSource(ABC):
    """What a command asks for the application while none is active.

    The one implementation, :class:`erlen.cli.ScriptInfo`, has to know the application class and
    so lies far above this module; it makes itself the :attr:`default` when it is imported.
    """

    #: The class to create when a command runs without one in its click context.
    default: t.ClassVar[type[AppSource]]

    @abstractmethod
    def load_app(self) -> Application:
        """Return the application, loading it first if need be."""


def with_appcontext(f: F) -> F:
    """Decorate a command's function so that it runs inside an application context.

    The commands of ``app.cli``, of ``blueprint.cli`` and of every :class:`AppGroup` are wrapped
    already; this is for a plain click command that is added to such a group or to a script of
    your own. The context stays open for the command's subcommands.

    :param f: the function below ``@click.command()``; a coroutine function is run to its end.
    :return: a function for click to call, which loads the application where none is active.

    .. code-block:: python

        @click.command()
        @with_appcontext
        def count_users():
            click.echo(current_app.config["USERS"])
    """

    @click.pass_context
    def in_appcontext(ctx: click.Context, /, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if _cv_app.get(None) is None:
            app = ctx.ensure_object(AppSource.default).load_app()
            ctx.with_resource(app.app_context())
        return ctx.invoke(_cv_app.get().app.ensure_sync(f), *args, **kwargs)

    return t.cast(F, update_wrapper(in_appcontext, f))


class AppGroup(click.Group):
    """A click group whose commands run inside an application context.

    ``app.cli`` and ``blueprint.cli`` are such groups. Make one yourself to nest commands:

    .. code-block:: python

        users = AppGroup("users")

        @users.command("create")
        @click.argument("name")
        def create_user(name: str) -> None:
            click.echo(f"{current_app.name}: {name}")

        app.cli.add_command(users)    # erlen users create ada
    """

    @t.overload
    def command(self, __func: Callable[..., t.Any]) -> click.Command: ...

    @t.overload
    def command(
        self, *args: t.Any, **kwargs: t.Any
    ) -> Callable[[Callable[..., t.Any]], click.Command]: ...

    def command(
        self, *args: t.Any, **kwargs: t.Any
    ) -> click.Command | Callable[[Callable[..., t.Any]], click.Command]:
        """Decorate a function to make it a command of this group.

        It takes what :meth:`click.Group.command` takes.

        :param with_appcontext: pass ``False`` for a command that needs no application context.
            A coroutine function gets one in any case, for it is the application that runs it.
        """
        needs_context = kwargs.pop("with_appcontext", True)

        def wrap(f: Callable[..., t.Any]) -> Callable[..., t.Any]:
            return with_appcontext(f) if needs_context or iscoroutinefunction(f) else f

        if args and callable(args[0]):
            command: click.Command = super().command(wrap(args[0]))
            return command

        make_command = super().command(*args, **kwargs)
        return lambda f: make_command(wrap(f))

    @t.overload
    def group(self, __func: Callable[..., t.Any]) -> click.Group: ...

    @t.overload
    def group(
        self, *args: t.Any, **kwargs: t.Any
    ) -> Callable[[Callable[..., t.Any]], click.Group]: ...

    def group(
        self, *args: t.Any, **kwargs: t.Any
    ) -> click.Group | Callable[[Callable[..., t.Any]], click.Group]:
        """Decorate a function to make it a group inside this one.

        It takes what :meth:`click.Group.group` takes. The new group is an :class:`AppGroup`
        unless ``cls`` says otherwise.
        """
        if args and callable(args[0]):
            return super().group(cls=AppGroup)(args[0])

        kwargs.setdefault("cls", AppGroup)
        make_group: Callable[[Callable[..., t.Any]], click.Group] = super().group(*args, **kwargs)
        return make_group
