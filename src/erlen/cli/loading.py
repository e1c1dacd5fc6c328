"""Finding an application: its module, and in the module the object or its factory."""

from __future__ import annotations

import ast
import inspect
import os
import sys
import typing as t

import click

from ..setup import App
from .errors import format_error, raised_in_user_code
from .hints import did_you_mean, near_module

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType, ModuleType

    from ..typing import Application

APP_NAMES = ("app", "application")
FACTORY_NAMES = ("create_app", "make_app")


class NoAppException(click.UsageError):
    """Raised when no application can be found, or when its module cannot be imported.

    On the command line it is shown as one line and ends the command with status 2.
    """

    def show(self, file: t.IO[t.Any] | None = None) -> None:
        """Print the error alone: how the command is used does not help here."""
        color = self.ctx.color if self.ctx is not None else None
        message = f"Error: {self.format_message()}"
        click.echo(message, file=file, err=file is None, color=color)


class ImportFailed(NoAppException):
    """Raised when the application's module is there, and an import inside of it fails."""


def find_best_app(module: ModuleType) -> Application:
    """Return the application that a module most likely means.

    That is its ``app`` or ``application``, or else the only application it has, or else what its
    ``create_app()`` or ``make_app()`` returns.

    :param module: the module, imported.
    :raises NoAppException: when there is no such application, or more than one.
    """
    for name in APP_NAMES:
        candidate = getattr(module, name, None)
        if isinstance(candidate, App):
            return candidate

    # An application under two names is still one.
    apps = {id(app): (name, app) for name, app in vars(module).items() if isinstance(app, App)}
    if len(apps) == 1:
        ((_, app),) = apps.values()
        return app
    if apps:
        raise NoAppException(
            f"Detected multiple applications in module {module.__name__!r}:"
            f" {', '.join(name for name, _ in apps.values())}. Use '{module.__name__}:name' to"
            " specify the one that is meant."
        )

    made = _app_of_factory(module)
    if made is not None:
        return made

    raise NoAppException(
        f"Failed to find an application or a factory in module {module.__name__!r}."
        f" Use '{module.__name__}:name' to specify one."
        + _origin_hint(module)
        + _foreign_hint(*vars(module).values())
    )


def _app_of_factory(module: ModuleType) -> Application | None:
    for name in FACTORY_NAMES:
        factory = getattr(module, name, None)
        if not inspect.isfunction(factory):
            continue
        try:
            app = factory()
        except TypeError as error:
            if not _called_with_wrong_args(factory):
                raise
            raise NoAppException(
                f"Detected factory {name!r} in module {module.__name__!r}, but could not call"
                f" it without arguments. Use '{module.__name__}:{name}(args)' to specify them."
            ) from error
        if isinstance(app, App):
            return app
    return None


def _called_with_wrong_args(f: Callable[..., t.Any]) -> bool:
    """Whether the TypeError being handled is about the call of a function, not from inside it.

    :param f: the function that was called, written in Python.
    """
    error = sys.exception()
    tb = error.__traceback__ if error is not None else None
    code = t.cast("FunctionType", f).__code__
    while tb is not None:
        if tb.tb_frame.f_code is code:
            return False
        tb = tb.tb_next
    return True


def find_app_by_string(module: ModuleType, app_name: str) -> Application:
    """Return the application that a name or a factory's call stands for.

    :param module: the module, imported.
    :param app_name: the name of an application or of a factory, or a call of the factory with
        literal arguments: ``app``, ``create_app``, ``create_app("dev", key=1)``.
    :raises NoAppException: when that gives no application.
    """
    name, args, kwargs = _parse_app_name(app_name)
    try:
        found = getattr(module, name)
    except AttributeError as error:
        raise NoAppException(
            f"Failed to find attribute {name!r} in {module.__name__!r}."
            + did_you_mean(name, vars(module))
        ) from error

    app = found
    if inspect.isfunction(found):
        try:
            app = found(*args, **kwargs)
        except TypeError as error:
            if not _called_with_wrong_args(found):
                raise
            raise NoAppException(
                f"The factory {app_name!r} in module {module.__name__!r} could not be called"
                f" with the specified arguments: {error}."
            ) from error

    if isinstance(app, App):
        return app
    raise NoAppException(
        f"A valid application was not obtained from '{module.__name__}:{app_name}':"
        f" it is of type {type(app).__name__!r}." + _foreign_hint(app)
    )


def _parse_app_name(app_name: str) -> tuple[str, list[t.Any], dict[str, t.Any]]:
    """Split ``name`` or ``name(arguments)`` into the name and the values of the arguments."""
    try:
        expression = ast.parse(app_name.strip(), mode="eval").body
    except SyntaxError:
        expression = None

    if isinstance(expression, ast.Name):
        return expression.id, [], {}
    if not isinstance(expression, ast.Call):
        raise NoAppException(f"Failed to parse {app_name!r} as an attribute name or function call.")
    if not isinstance(expression.func, ast.Name):
        raise NoAppException(f"Function reference must be a simple name: {app_name!r}.")

    try:
        args = [ast.literal_eval(argument) for argument in expression.args]
        kwargs = {_keyword(k): ast.literal_eval(k.value) for k in expression.keywords}
    except (ValueError, TypeError):
        raise NoAppException(
            f"Failed to parse arguments as literal values: {app_name!r}."
        ) from None
    return expression.func.id, args, kwargs


def _keyword(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ValueError("'**' is no literal argument")
    return keyword.arg


def _origin_hint(module: ModuleType) -> str:
    """Say where a module is from, unless that is where it was expected.

    A user's ``code.py`` or ``click.py`` is not imported: a module of that name is there already.
    """
    file = getattr(module, "__file__", None)
    if file is None or file.startswith(os.path.join(sys.path[0], "")):
        return ""
    return f" The module was imported from {file!r}."


def _foreign_hint(*values: t.Any) -> str:
    """Say so where the application that was found is one of Flask itself."""
    classes = (cls for value in values for cls in type(value).__mro__)
    if not any(cls.__module__ == "flask.app" and cls.__name__ == "Flask" for cls in classes):
        return ""
    return (
        " There is an application of the installed Flask. Set ERLEN_COMPAT=1 to have Erlen"
        " answer 'import flask'."
    )


def prepare_import(path: str | os.PathLike[str]) -> str:
    """Return the dotted name of a module given as a file or a name, and make it importable.

    The directory that holds the module, or the outermost package around it, comes first in
    :data:`sys.path`.

    :param path: a path or a dotted name, with or without ``.py``.
    """
    location = os.path.realpath(path)
    base, extension = os.path.splitext(location)
    if extension == ".py":
        location = base
    if os.path.basename(location) == "__init__":
        location = os.path.dirname(location)

    location, name = os.path.split(location)
    names = [name]
    while os.path.exists(os.path.join(location, "__init__.py")):
        location, name = os.path.split(location)
        names.insert(0, name)

    if sys.path[0] != location:
        sys.path.insert(0, location)
    return ".".join(names)


@t.overload
def locate_app(
    module_name: str, app_name: str | None, raise_if_not_found: t.Literal[True] = True
) -> Application: ...


@t.overload
def locate_app(
    module_name: str, app_name: str | None, raise_if_not_found: t.Literal[False]
) -> Application | None: ...


def locate_app(
    module_name: str, app_name: str | None, raise_if_not_found: bool = True
) -> Application | None:
    """Import a module and return the application in it.

    :param module_name: the module's dotted name.
    :param app_name: as for :func:`find_app_by_string`; ``None`` looks for the likely names.
    :param raise_if_not_found: pass ``False`` to get ``None`` when there is no such module.
    :raises NoAppException: when there is no such module or application, or when an import inside
        the module fails; then the message has the traceback of the user's own files.
    """
    if not module_name:
        raise NoAppException("The root directory is not a module that could be imported.")
    try:
        __import__(module_name)
    except ImportError as error:
        if raised_in_user_code(error):
            raise ImportFailed(
                f"While importing {module_name!r}, an ImportError was raised:"
                f"\n\n{format_error(error)}"
            ) from None
        if not raise_if_not_found:
            return None
        raise NoAppException(
            f"Could not import {module_name!r}.{near_module(module_name, sys.path[:1])}"
        ) from None

    module = sys.modules[module_name]
    if app_name is None:
        return find_best_app(module)
    return find_app_by_string(module, app_name)
