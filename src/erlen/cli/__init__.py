"""The command line: ``erlen run``, ``erlen shell``, ``erlen routes``, and the application's own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import typing as t

import click
from click.core import ParameterSource
from werkzeug.serving import run_simple

from ..commands import AppGroup as AppGroup
from ..commands import AppSource
from ..commands import with_appcontext as with_appcontext
from ..helpers import get_debug_flag, get_load_dotenv
from ..local import _cv_app
from ..server import develop
from .doctor import find_gaps
from .environment import adopt_variables
from .environment import load_dotenv as load_dotenv
from .errors import format_error, show_error, trim_uncaught
from .loading import NoAppException as NoAppException
from .loading import _called_with_wrong_args as _called_with_wrong_args
from .loading import find_app_by_string as find_app_by_string
from .loading import find_best_app as find_best_app
from .loading import locate_app as locate_app
from .loading import prepare_import as prepare_import
from .options import CertParamType as CertParamType
from .options import SeparatedPathType as SeparatedPathType
from .options import _validate_key
from .routes import routes_table
from .run import make_options, run
from .serve import KINDS, ServeCommand
from .sessions import sessions_group
from .shell import interact

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Application

# NOTE: Applications and their tests replace names of this module, above all show_server_banner,
# run_simple, get_debug_flag and load_dotenv. The code that uses those is here for that reason.

show_server_banner = develop.show_banner

#: The entry point groups whose commands are loaded; of two with one name, the later counts.
PLUGIN_GROUPS = ("flask.commands", "erlen.commands")

#: Where an application is looked for when none is named.
DEFAULT_MODULES = ("wsgi.py", "app.py")


class ScriptInfo(AppSource):
    """How a command finds its application; it travels as the object of the click context.

    :param app_import_path: where the application is, as for ``--app``: ``module``,
        ``module:name`` or ``module:factory(arguments)``.
    :param create_app: a function that returns the application, in place of looking for one.
    :param set_debug_flag: whether loading sets ``app.debug`` by the environment.
    :param load_dotenv_defaults: whether ``.flaskenv`` and ``.env`` are to be loaded. Nothing is
        loaded here; the ``--env-file`` option looks at this.
    """

    def __init__(
        self,
        app_import_path: str | None = None,
        create_app: Callable[..., Application] | None = None,
        set_debug_flag: bool = True,
        load_dotenv_defaults: bool = True,
    ) -> None:
        self.app_import_path = app_import_path
        self.create_app = create_app
        #: Anything that commands want to hand on to each other.
        self.data: dict[t.Any, t.Any] = {}
        self.set_debug_flag = set_debug_flag
        self.load_dotenv_defaults = get_load_dotenv(load_dotenv_defaults)
        self._loaded_app: Application | None = None

    def load_app(self) -> Application:
        """Return the application; the first call loads it.

        :raises NoAppException: when there is none to be found, or its module cannot be imported.
        """
        if self._loaded_app is None:
            app = self._find_app()
            if self.set_debug_flag:
                app.debug = get_debug_flag()
            self._loaded_app = app
        return self._loaded_app

    def _find_app(self) -> Application:
        if self.create_app is not None:
            return self.create_app()
        if self.app_import_path:
            # The colon of a Windows drive is followed by a slash.
            path, *name = re.split(r":(?![\\/])", self.app_import_path, maxsplit=1)
            return locate_app(prepare_import(path), name[0] if name else None)

        for path in DEFAULT_MODULES:
            app = locate_app(prepare_import(path), None, raise_if_not_found=False)
            if app is not None:
                return app
        raise NoAppException(
            "Could not locate an application. Use the '--app' option, the ERLEN_APP or FLASK_APP"
            " environment variable, or a 'wsgi.py' or 'app.py' file in the current directory."
        )


AppSource.default = ScriptInfo

#: Decorate a command's function to get the :class:`ScriptInfo` as its first argument.
pass_script_info = click.make_pass_decorator(ScriptInfo, ensure=True)


def get_version(ctx: click.Context, param: click.Parameter | None, value: t.Any) -> None:
    """Print the versions of what matters in a bug report, and end the command."""
    if not value or ctx.resilient_parsing:
        return

    lines = [
        f"Python {platform.python_version()}",
        f"Erlen {importlib.metadata.version('erlen')}",
        f"Werkzeug {importlib.metadata.version('werkzeug')}",
    ]
    if _answers_for_flask():
        lines.insert(2, f"Flask {importlib.metadata.version('flask')} (answered by Erlen)")
    click.echo("\n".join(lines), color=ctx.color)
    ctx.exit()


def _answers_for_flask() -> bool:
    """Whether ``import flask`` gives, or would give, Erlen."""
    try:
        spec = importlib.util.find_spec("flask")
    except ValueError:  # There is a makeshift module, as in tests.
        return False
    own_spec = importlib.util.find_spec("erlen")
    return spec is not None and own_spec is not None and spec.origin == own_spec.origin


version_option = click.Option(
    ["--version"],
    help="Show the versions of Erlen, Python and Werkzeug.",
    expose_value=False,
    callback=get_version,
    is_flag=True,
    is_eager=True,
)


def _set_app(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        ctx.ensure_object(ScriptInfo).app_import_path = value
    return value


# Eager, so that --help, which is eager too, can list the application's commands.
_app_option = click.Option(
    ["-A", "--app"],
    metavar="IMPORT",
    help=(
        "The application, or a factory that returns it, as 'module:name'. The module is a dotted"
        " name or a file. The name can be left out if it is 'app', 'application', 'create_app'"
        " or 'make_app'; a factory can be given arguments, as in 'module:create_app(\"dev\")'."
    ),
    is_eager=True,
    expose_value=False,
    callback=_set_app,
)


def _set_debug(ctx: click.Context, param: click.Parameter, value: bool) -> bool | None:
    source = ctx.get_parameter_source(param.name or "")
    if source in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP):
        return None

    # By way of the environment a factory sees it too, while it makes the application.
    os.environ["FLASK_DEBUG"] = "1" if value else "0"
    if "ERLEN_DEBUG" in os.environ:
        os.environ["ERLEN_DEBUG"] = os.environ["FLASK_DEBUG"]
    return value


_debug_option = click.Option(
    ["--debug/--no-debug"],
    help="Set debug mode.",
    expose_value=False,
    callback=_set_debug,
)


def _env_file_callback(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    info = ctx.find_object(ScriptInfo)
    load_defaults = info is None or info.load_dotenv_defaults
    if value is not None:
        _require_dotenv(ctx, param)
    if value is None and not load_defaults:
        return value

    try:
        load_dotenv(value, load_defaults=load_defaults)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"An environment file cannot be read: {error}.", ctx) from None
    _adopt_own_variables(ctx)
    return value


def _require_dotenv(ctx: click.Context, param: click.Parameter) -> None:
    try:
        import dotenv  # noqa: F401
    except ImportError:
        raise click.BadParameter(
            "python-dotenv must be installed to load an env file.", ctx, param
        ) from None


def _adopt_own_variables(ctx: click.Context) -> None:
    names = {(param.name or "").upper() for param in ctx.command.params}
    adopt_variables(ctx, names.__contains__)


# Eager and first of all, so that the files can set what other options read.
_env_file_option = click.Option(
    ["-e", "--env-file"],
    type=click.Path(exists=True, dir_okay=False),
    help=(
        "Set environment variables from this file, before those of '.env' and '.flaskenv'. What"
        " the environment itself sets comes before all files. Requires python-dotenv."
    ),
    is_eager=True,
    expose_value=False,
    callback=_env_file_callback,
)


class FlaskGroup(AppGroup):
    """A group that also has the commands of an application, which it finds, and of plug-ins.

    The ``erlen`` command is one. Make another for a project's own script:

    .. code-block:: python

        @click.group(cls=FlaskGroup, create_app=create_app)
        def cli():
            \"\"\"Management of the library.\"\"\"

    :param add_default_commands: whether to have ``run``, ``shell`` and ``routes``.
    :param create_app: a function that returns the application; without it, ``--app`` and the
        files of the current directory tell which it is.
    :param add_version_option: whether to have ``--version``.
    :param load_dotenv: whether to load ``.flaskenv`` and ``.env``.
    :param set_debug_flag: whether to set ``app.debug`` by the environment.
    :param extra: as for :class:`click.Group`.
    """

    def __init__(
        self,
        add_default_commands: bool = True,
        create_app: Callable[..., Application] | None = None,
        add_version_option: bool = True,
        load_dotenv: bool = True,
        set_debug_flag: bool = True,
        **extra: t.Any,
    ) -> None:
        # The options work by callbacks, so that the group's own function is free for the user.
        params = [*(extra.pop("params", None) or ()), _env_file_option, _app_option, _debug_option]
        if add_version_option:
            params.append(version_option)
        settings = {"auto_envvar_prefix": "FLASK", **extra.pop("context_settings", {})}
        super().__init__(params=params, context_settings=settings, **extra)

        self.create_app = create_app
        self.load_dotenv = load_dotenv
        self.set_debug_flag = set_debug_flag
        self._loaded_plugin_commands = False

        if add_default_commands:
            for command in (
                run_command,
                serve_command,
                shell_command,
                routes_command,
                doctor_command,
                sessions_group,
            ):
                self.add_command(command)

    def __call__(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Run as a program: what the script of an installed entry point calls."""
        trim_uncaught()
        return self.main(*args, **kwargs)

    def _load_plugin_commands(self) -> None:
        if self._loaded_plugin_commands:
            return

        self._loaded_plugin_commands = True
        for group in PLUGIN_GROUPS:
            for entry_point in importlib.metadata.entry_points(group=group):
                try:
                    self.add_command(entry_point.load(), entry_point.name)
                except Exception as error:
                    show_error(
                        f"Error: The command {entry_point.name!r} cannot be loaded from"
                        f" {entry_point.value!r}.\n\n{format_error(error)}"
                    )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a built-in command, a plug-in's, or one of the application, in this order.

        If the application cannot be found, its error is printed and it has no commands.
        """
        self._load_plugin_commands()
        command = super().get_command(ctx, cmd_name)
        # PERF: the master of 'erlen serve' does without the application; its workers load it.
        is_new = command in (doctor_command, sessions_group)
        if is_new or (command is serve_command and _answers_for_flask()):
            return self._own_command(ctx, cmd_name) or command
        if command is not None:
            return command

        try:
            app = ctx.ensure_object(ScriptInfo).load_app()
        except NoAppException as error:
            show_error(f"Error: {error.format_message()}")
            return None

        # So that callbacks of the command's parameters have the application as well.
        app_ctx = _cv_app.get(None)
        if app_ctx is None or app_ctx.app is not app:
            ctx.with_resource(app.app_context())
        return t.cast("click.Command | None", app.cli.get_command(ctx, cmd_name))

    def _own_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of the application, which may have had it before there was one here."""
        try:
            app = ctx.ensure_object(ScriptInfo).load_app()
        except Exception:
            # The built-in command tells what is wrong, if it is run and not only listed.
            return None
        return t.cast("click.Command | None", app.cli.get_command(ctx, cmd_name))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands.

        If the application cannot be loaded, its error is printed and the other commands remain.
        """
        self._load_plugin_commands()
        names = set(super().list_commands(ctx))
        try:
            names.update(ctx.ensure_object(ScriptInfo).load_app().cli.list_commands(ctx))
        except NoAppException as error:
            show_error(f"Error: {error.format_message()}")
        except Exception as error:
            show_error(format_error(error))
        return sorted(names)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name, and give it its variables."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None:
            prefix = f"{name.upper().replace('-', '_')}_"
            adopt_variables(ctx, lambda variable: variable.startswith(prefix))
        return name, command, rest

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: t.Any,
    ) -> click.Context:
        """Make the click context, with a :class:`ScriptInfo` as its object."""
        # An app.run() at the top level of the application's module would block the command; it
        # looks for this variable and returns at once.
        os.environ["FLASK_RUN_FROM_CLI"] = "true"

        if "obj" not in extra and "obj" not in self.context_settings:
            extra["obj"] = ScriptInfo(
                create_app=self.create_app,
                set_debug_flag=self.set_debug_flag,
                load_dotenv_defaults=self.load_dotenv,
            )
        return super().make_context(info_name, args, parent=parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the group's own options."""
        _adopt_own_variables(ctx)
        try:
            if _asks_for_help_only(self, ctx, args):
                # Help is shown before any option is processed that was not on the command line.
                _env_file_option.handle_parse_result(ctx, {}, [])
                _app_option.handle_parse_result(ctx, {}, [])
            return super().parse_args(ctx, args)
        except BaseException:
            # click closes only contexts that parsing has brought to life.
            ctx.close()
            raise


def _asks_for_help_only(group: FlaskGroup, ctx: click.Context, args: list[str]) -> bool:
    if not args:
        return group.no_args_is_help
    return len(args) == 1 and args[0] in group.get_help_option_names(ctx)


@click.command("run", short_help="Run a development server.")
@click.option(
    "--host", "-h", default="127.0.0.1", help="The name or address of the interface to listen on."
)
@click.option(
    "--port",
    "-p",
    type=click.IntRange(0, 65535),
    default=5000,
    help="The port to listen on; 0 takes a free one.",
)
@click.option(
    "--cert",
    type=CertParamType(),
    help="Serve HTTPS with this certificate file, or with 'adhoc' for one made on the spot.",
    is_eager=True,
)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    callback=_validate_key,
    expose_value=False,
    help="The key file of the certificate.",
)
@click.option(
    "--reload/--no-reload",
    default=None,
    help="Restart when files change. By default, in debug mode only.",
)
@click.option(
    "--debugger/--no-debugger",
    default=None,
    help="Answer errors with the interactive debugger. By default, in debug mode only.",
)
@click.option(
    "--with-threads/--without-threads",
    default=True,
    help="Handle each request in a thread of its own, or one after the other.",
)
@click.option(
    "--extra-files",
    default=None,
    type=SeparatedPathType(),
    help=f"More files to watch for the reloader, separated by {os.path.pathsep!r}.",
)
@click.option(
    "--exclude-patterns",
    default=None,
    type=SeparatedPathType(),
    help=f"fnmatch patterns of files that do not reload, separated by {os.path.pathsep!r}.",
)
@pass_script_info
def run_command(info: ScriptInfo, /, **params: t.Any) -> None:
    """Run a development server.

    It is meant for one developer's machine: neither its security nor its speed is made for more.
    With '--debug' it restarts when files change, browsers follow, and errors are shown in an
    interactive debugger.
    """
    source = click.get_current_context().get_parameter_source("port")
    is_port_named = source is not ParameterSource.DEFAULT
    options = make_options(params, is_port_named, get_debug_flag())
    run(info, options, show_server_banner, run_simple)


run_command.params.insert(0, _debug_option)


@click.command("serve", cls=ServeCommand, short_help="Run a production server.")
@click.option(
    "--show-settings",
    is_flag=True,
    help="Show each setting, its value and where that came from, and end.",
)
@click.option(
    "--print",
    "kind",
    type=click.Choice(KINDS),
    help="Print a deployment file for this application, and end.",
)
@pass_script_info
def serve_command(
    info: ScriptInfo, /, show_settings: bool, kind: str | None, **options: t.Any
) -> None:
    """Serve an application in production.

    The application is loaded in worker processes, which are replaced when they die. SIGHUP
    replaces all of them, so that new code is taken up without a failed request; SIGTERM ends the
    server when the requests that are under way have been answered.

    Each option is also a variable of the environment, as ERLEN_SERVE_WORKERS for --workers, and a
    key in [tool.erlen.serve] of pyproject.toml, as workers.
    """
    from .serving import serve

    serve(info, show_settings, kind, **options)


@click.command("shell", short_help="Run a shell in the app context.")
@with_appcontext
def shell_command() -> None:
    """Run an interactive Python session inside the application's context.

    It starts with the names that the application's shell context gives it, 'app' and 'g' among
    them.
    """
    interact(_cv_app.get().app)


@click.command("routes", short_help="Show the routes for the app.")
@click.option(
    "--sort",
    "-s",
    type=click.Choice(("endpoint", "methods", "domain", "rule", "match")),
    default="endpoint",
    help="The column to sort by; 'match' is the order in which a request tries the rules.",
)
@click.option("--all-methods", is_flag=True, help="Show HEAD and OPTIONS methods.")
@with_appcontext
def routes_command(sort: str, all_methods: bool) -> None:
    """Show all routes with their endpoints and methods."""
    for line in routes_table(_cv_app.get().app, sort, all_methods):
        click.echo(line)


@click.command("doctor", short_help="Name what is left to do before production.")
@with_appcontext
@click.pass_context
def doctor_command(ctx: click.Context) -> None:
    """Name each setting that is weaker than it should be in production, and the remedy.

    The exit code is 1 where there is one.
    """
    gaps = list(find_gaps(_cv_app.get().app))
    for gap in gaps:
        click.echo(f"- {gap}")
    if gaps:
        click.echo(f"{len(gaps)} to do before production.")
        ctx.exit(1)
    click.echo("Nothing is left to do.")


cli = FlaskGroup(
    name="erlen",
    help="""\
Run commands of Erlen and of an application.

The application is named by the '--app' option or the ERLEN_APP or FLASK_APP environment
variable, or found in a file 'wsgi.py' or 'app.py' of the current directory.
""",
)


def main() -> None:
    """Run the ``erlen`` command with the arguments of this process."""
    trim_uncaught()
    cli.main()
