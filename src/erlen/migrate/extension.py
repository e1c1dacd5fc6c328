"""The extension: what an application says about its migrations."""

from __future__ import annotations

import argparse
import os
import sys
import typing as t
from pathlib import Path

from alembic.config import Config as AlembicConfig

from ..ctx import has_app_context
from ..globals import current_app, g

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..typing import Application

    Configure = Callable[["Config"], "Config"]

HERE = Path(__file__).resolve().parent

#: The environment that serves while a project has no ``env.py`` of its own.
BUILTIN = HERE / "builtin"
TEMPLATES = HERE / "templates"


class MigrateConfig:
    """What an application keeps about its migrations, as ``app.extensions["migrate"]``.

    :param migrate: the extension object.
    :param db: the database object, an :class:`erlen.db.SQLAlchemy`.
    :param kwargs: arguments for Alembic's ``EnvironmentContext.configure()``.
    """

    def __init__(self, migrate: Migrate, db: t.Any, **kwargs: t.Any) -> None:
        self.migrate = migrate
        self.db = db
        self.directory = migrate.directory
        self.configure_args = kwargs

    @property
    def metadata(self) -> t.Any:
        """The metadata of the default database; what very old ``env.py`` files ask for."""
        return self.db.metadata


class Config(AlembicConfig):
    """Alembic's configuration, with our templates.

    :param template_directory: the folder in which templates are looked for.
    """

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        self.template_directory: str | None = kwargs.pop("template_directory", None)
        # Alembic's default is the stream of the moment when it was imported.
        kwargs.setdefault("stdout", sys.stdout)
        super().__init__(*args, **kwargs)

    def get_template_directory(self) -> str:
        """Return the folder that holds the templates for :func:`erlen.migrate.init`."""
        return self.template_directory or str(TEMPLATES)


class Migrate:
    """Migrations for an application.

    .. code-block:: python

        db = SQLAlchemy(app)
        migrate = Migrate(app, db)

    That is all: ``erlen db migrate`` and ``erlen db upgrade`` work from here on. The signature is
    that of Flask-Migrate 4.

    :param app: the application; without it, call :meth:`init_app` later.
    :param db: the database object.
    :param directory: the folder of the migrations. A relative one is looked for in the current
        folder, then beside the application.
    :param command: the name of the group of commands.
    :param compare_type: whether changed types of columns are noticed.
    :param render_as_batch: whether migrations are written in Alembic's batch mode, which SQLite
        needs to alter a table.
    :param kwargs: more arguments for Alembic's ``EnvironmentContext.configure()``.
    """

    def __init__(
        self,
        app: Application | None = None,
        db: t.Any = None,
        directory: str | os.PathLike[str] = "migrations",
        command: str = "db",
        compare_type: t.Any = True,
        render_as_batch: bool = True,
        **kwargs: t.Any,
    ) -> None:
        self.configure_callbacks: list[Configure] = []
        self.db = db
        self.command = command
        self.directory = str(directory)
        self.alembic_ctx_kwargs = kwargs
        self.alembic_ctx_kwargs["compare_type"] = compare_type
        self.alembic_ctx_kwargs["render_as_batch"] = render_as_batch
        if app is not None and db is not None:
            self.init_app(app, db, directory)

    def init_app(
        self,
        app: Application,
        db: t.Any = None,
        directory: str | os.PathLike[str] | None = None,
        command: str | None = None,
        compare_type: t.Any = None,
        render_as_batch: bool | None = None,
        **kwargs: t.Any,
    ) -> None:
        """Give an application its migrations, and the group of commands.

        What is not given here stays as it was given to the constructor.

        :param app: the application.
        :param db: the database object.
        :param directory: the folder of the migrations.
        :param command: the name of the group of commands.
        :param compare_type: whether changed types of columns are noticed.
        :param render_as_batch: whether migrations are written in batch mode.
        :param kwargs: more arguments for Alembic's ``EnvironmentContext.configure()``.
        """
        self.db = db or self.db
        self.command = command or self.command
        self.directory = str(directory or self.directory)
        self.alembic_ctx_kwargs.update(kwargs)
        if compare_type is not None:
            self.alembic_ctx_kwargs["compare_type"] = compare_type
        if render_as_batch is not None:
            self.alembic_ctx_kwargs["render_as_batch"] = render_as_batch
        arguments = dict(self.alembic_ctx_kwargs)
        if app.config.get("MIGRATE_COMPARE_SERVER_DEFAULT") is not None:
            arguments.setdefault(
                "compare_server_default", app.config["MIGRATE_COMPARE_SERVER_DEFAULT"]
            )
        app.extensions["migrate"] = MigrateConfig(self, self.db, **arguments)

        # Here, not at the top: the commands are made of the functions, which know this module.
        from .cli import db as group

        app.cli.add_command(group, name=self.command)

    def configure(self, f: Configure) -> Configure:
        """Decorate a function that changes Alembic's configuration, or returns another one.

        :param f: takes the :class:`Config` and returns one.
        """
        self.configure_callbacks.append(f)
        return f

    def call_configure_callbacks(self, config: Config) -> Config:
        """Hand a configuration through all functions decorated with :meth:`configure`.

        :param config: the configuration as read.
        """
        for f in self.configure_callbacks:
            config = f(config)
        return config

    def get_config(
        self,
        directory: str | os.PathLike[str] | None = None,
        x_arg: str | Iterable[str] | None = None,
        opts: Iterable[str] | None = None,
    ) -> Config:
        """Return Alembic's configuration for a folder of migrations.

        :param directory: the folder; by default the one that the extension was given.
        :param x_arg: what the ``-x`` option was given, once or several times.
        :param opts: names of options to set in ``config.cmd_opts``.
        """
        folder = find_directory(self.directory if directory is None else directory)
        config = Config(os.path.join(folder, "alembic.ini"))
        if os.path.exists(os.path.join(folder, "env.py")):
            config.set_main_option("script_location", _escape(folder))
        else:
            _use_builtin(config, folder)
        config.attributes["directory"] = folder
        options = config.cmd_opts = config.cmd_opts or argparse.Namespace()
        for name in opts or ():
            setattr(options, name, True)
        if not hasattr(options, "x"):
            options.x = [*(getattr(g, "x_arg", None) or ()), *_as_list(x_arg)]
        return self.call_configure_callbacks(config)


def _as_list(value: str | Iterable[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _escape(path: str) -> str:
    # The file is read with configparser, to which a percent sign means something.
    return path.replace("%", "%%")


def _use_builtin(config: Config, folder: str) -> None:
    config.set_main_option("script_location", _escape(str(BUILTIN)))
    # One path a line: any other separator may be part of a path.
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", _escape(os.path.join(folder, "versions")))


def find_directory(directory: str | os.PathLike[str]) -> str:
    """Return the folder of the migrations: as it is named, or beside the application.

    A server is seldom started in the folder of the project; so where the current folder does not
    have the migrations, those beside the application's module, or in its package, are taken.

    :param directory: the folder as the extension or the command was given it.
    """
    name = str(directory)
    if os.path.isabs(name) or os.path.isdir(name) or not has_app_context():
        return name
    root = current_app.root_path
    for base in (root, os.path.dirname(root)):
        candidate = os.path.join(base, name)
        if os.path.isdir(candidate):
            return candidate
    return name
