"""Commands of the application, of blueprints, of plug-ins, and of a project's own script."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import sys
import typing as t
from types import ModuleType

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

import erlen
from erlen import Blueprint, Flask, current_app
from erlen.cli import AppGroup, FlaskGroup, ScriptInfo, cli, main, pass_script_info, with_appcontext
from erlen.local import _cv_app

if t.TYPE_CHECKING:
    from tests.cli.conftest import Project


def invoke(app: Flask, *args: str) -> str:
    """Run a command of a group around an application; return what it printed."""
    result = CliRunner().invoke(FlaskGroup(create_app=lambda: app), args)
    assert result.exit_code == 0, result.output
    return result.output


def show_app() -> None:
    """Print the current application's name."""
    click.echo(current_app.name)


def test_command_without_parentheses(app: Flask) -> None:
    """@app.cli.command works without arguments, and names the command after the function."""
    app.cli.command(show_app)
    assert invoke(app, "show-app") == f"{app.name}\n"


@pytest.mark.parametrize("options", [{}, {"with_appcontext": False}])
def test_coroutine_functions(app: Flask, options: dict[str, t.Any]) -> None:
    """Commands may be coroutine functions, also those that say they need no application context."""

    @app.cli.command("wait", **options)
    @click.argument("name")
    async def wait(name: str) -> None:
        await asyncio.sleep(0)
        click.echo(f"{name} in {current_app.name}")

    assert invoke(app, "wait", "ada") == f"ada in {app.name}\n"


def test_group_without_parentheses(app: Flask) -> None:
    """@app.cli.group works without arguments too, and gives an AppGroup."""

    @app.cli.group
    def users() -> None:
        pass

    assert isinstance(users, AppGroup)
    users.command("show")(show_app)
    assert invoke(app, "users", "show") == f"{app.name}\n"


def test_nested_groups(app: Flask) -> None:
    """Groups of groups run their commands in the application's context."""
    outer = AppGroup("outer")
    outer.group("inner")(lambda: None).command("show")(show_app)
    app.cli.add_command(outer)
    assert invoke(app, "outer", "inner", "show") == f"{app.name}\n"


def test_command_without_context() -> None:
    """with_appcontext=False is for commands that need no application."""
    group = AppGroup("group")
    group.command("check", with_appcontext=False)(lambda: click.echo(bool(current_app)))
    assert CliRunner().invoke(group, ["check"]).output == "False\n"


def test_with_appcontext_finds_the_application(app_project: Project) -> None:
    """A click command that nobody gave an application finds it as the erlen command would."""
    command = click.command()(with_appcontext(show_app))
    assert CliRunner().invoke(command).output == "app\n"


def test_context_reaches_parameters(app: Flask) -> None:
    """Callbacks of parameters run in the context, of the same application as the command."""
    seen: list[object] = []

    @app.cli.command("check")
    @click.option("--x", callback=lambda c, p, v: seen.append(_cv_app.get().app))
    @pass_script_info
    def check(info: ScriptInfo, x: str) -> None:
        seen.append(info.load_app())

    invoke(app, "check")
    assert seen == [app, app]


def test_blueprint_groups(app: Flask) -> None:
    """A blueprint's commands are in a group of its name, of another name, or in none."""
    for name, options in (
        ("plain", {}),
        ("renamed", {"cli_group": "other"}),
        ("merged", {"cli_group": None}),
    ):
        bp = Blueprint(name, __name__, **options)
        bp.cli.command(f"show-{name}")(show_app)
        app.register_blueprint(bp)
    for path in (["plain", "show-plain"], ["other", "show-renamed"], ["show-merged"]):
        assert invoke(app, *path) == f"{app.name}\n"


def test_own_script(app: Flask) -> None:
    """A project's own group has the standard commands and its own, without --app."""

    @click.group(cls=FlaskGroup, create_app=lambda: app)
    def script() -> None:
        """Management of the library."""

    script.command("show")(show_app)
    output = CliRunner().invoke(script, ["--help"]).output
    assert "Management of the library." in output
    assert "routes" in output
    assert CliRunner().invoke(script, ["show"]).output == f"{app.name}\n"


@pytest.mark.parametrize("set_debug_flag", [True, False])
def test_set_debug_flag(app: Flask, set_debug_flag: bool) -> None:
    """The environment's debug flag replaces the application's own, unless told not to."""
    app.debug = True
    ScriptInfo(create_app=lambda: app, set_debug_flag=set_debug_flag).load_app()
    assert app.debug is not set_debug_flag


def test_uncaught_errors_of_own_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Called as a program, a group prints errors trimmed; another hook is left in place."""
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    group = FlaskGroup(name="script", add_version_option=False)
    group(["--help"], standalone_mode=False)
    assert sys.excepthook is not sys.__excepthook__

    monkeypatch.setattr(sys, "excepthook", hook := lambda *args: None)
    group(["--help"], standalone_mode=False)
    assert sys.excepthook is hook


def test_hook_leaves_other_errors_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error that no command raised is printed by Python as ever."""
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    FlaskGroup(name="script")(["--version"], standalone_mode=False)
    try:
        raise LookupError("elsewhere")
    except LookupError as error:
        sys.excepthook(LookupError, error, error.__traceback__)
    assert "in test_hook_leaves_other_errors_alone" in capsys.readouterr().err


@pytest.fixture
def plugins(project: Project) -> Project:
    """Installed distributions with commands, one of them broken."""
    project.write(
        plug="import click\n@click.command()\ndef cmd(): click.echo('plugged')",
        broken_plug="import missing_x",
    )
    info = project.path / "plug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[flask.commands]\nold = plug:cmd\nbad = broken_plug:cmd\n"
        "[erlen.commands]\nnew = plug:cmd\n"
    )
    sys.path.insert(0, str(project.path))
    return project


@pytest.mark.parametrize("name", ["old", "new"])
def test_plugins(plugins: Project, app: Flask, name: str) -> None:
    """Commands come from the entry points of both names; no application is needed for them."""
    result = CliRunner().invoke(FlaskGroup(), [name])
    assert result.exit_code == 0
    assert "plugged\n" in result.output


def test_broken_plugin(plugins: Project, app: Flask) -> None:
    """A plug-in that cannot be imported is reported, and stops nothing else."""
    output = invoke(app, "routes")
    assert "The command 'bad' cannot be loaded from 'broken_plug:cmd'." in output
    assert 'broken_plug.py", line 1' in output
    assert "Endpoint" in output


@pytest.mark.parametrize("other", [None, ModuleType("flask"), click])
def test_version(monkeypatch: pytest.MonkeyPatch, other: t.Any) -> None:
    """--version names all that a bug report needs; Flask only where Erlen answers for it."""
    monkeypatch.setitem(sys.modules, "flask", other)
    output = CliRunner().invoke(cli, ["--version"]).output
    for line in (
        f"Python {platform.python_version()}",
        f"Erlen {importlib.metadata.version('erlen')}",
        f"Werkzeug {importlib.metadata.version('werkzeug')}",
    ):
        assert line in output.splitlines()
    assert "Flask" not in output


def test_version_under_the_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where 'import flask' is Erlen, the version that it answers for is shown too."""
    monkeypatch.setitem(sys.modules, "flask", erlen)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"of {name}")
    assert "Flask of flask (answered by Erlen)" in CliRunner().invoke(cli, ["--version"]).output


def test_program_name(project: Project) -> None:
    """Help shows the command as it was called."""
    assert "Usage: python -m erlen [OPTIONS]" in project.run("--help")[1]


def test_app_run_does_not_block(app_project: Project) -> None:
    """An app.run() at the top level of the module is passed over, with a note."""
    with (app_project.path / "app.py").open("a") as file:
        file.write("\napp.run(port=0)\n")
    result = app_project.invoke("greet")
    assert "Hello you" in result.output
    assert "Ignoring a call to 'app.run()'" in result.output
    assert os.environ["FLASK_RUN_FROM_CLI"] == "true"


def test_group_without_default_commands() -> None:
    """A group can do without the standard commands and --version."""
    group = FlaskGroup(add_default_commands=False, add_version_option=False)
    assert group.commands == {}
    assert "--version" not in group.params[-1].opts


def test_context_is_not_pushed_twice(app: Flask) -> None:
    """A command that runs inside the application's context stays in it."""
    app.cli.command("show")(show_app)
    with app.app_context() as ctx:
        seen: list[object] = []
        app.cli.command("check")(lambda: seen.append(_cv_app.get()))
        invoke(app, "check")
    assert seen == [ctx]


def test_prefix_of_own_script(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script with a prefix of its own for variables takes its options from those alone."""
    monkeypatch.setenv("ERLEN_SHOW_X", "erlen")
    monkeypatch.setenv("WIKI_SHOW_X", "wiki")
    group = FlaskGroup(create_app=lambda: app, context_settings={"auto_envvar_prefix": "WIKI"})
    group.command("show")(click.option("--x")(lambda x: click.echo(x)))
    assert CliRunner().invoke(group, ["show"]).output == "wiki\n"


def test_obj_of_ones_own(app: Flask) -> None:
    """A script may bring the ScriptInfo itself."""
    group = FlaskGroup(context_settings={"obj": ScriptInfo(create_app=lambda: app)})
    group.command("show")(show_app)
    assert CliRunner().invoke(group, ["show"]).output == f"{app.name}\n"


def test_main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The installed command runs main(), which takes the process's arguments."""
    monkeypatch.setattr(sys, "argv", ["erlen", "--version"])
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    with pytest.raises(SystemExit, match="0"):
        main()
    assert "Erlen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "incomplete", "expected"),
    [([], "gr", ["greet"]), (["run"], "--ho", ["--host"]), (["unknown"], "", [])],
)
def test_completion(
    app_project: Project, args: list[str], incomplete: str, expected: list[str]
) -> None:
    """The tab key of the user's shell completes the application's commands as well."""
    complete = ShellComplete(cli, {}, "erlen", "_ERLEN_COMPLETE")
    found = [item.value for item in complete.get_completions(args, incomplete)]
    # click leaves the contexts of completion open: the process ends with it.
    while ctx := _cv_app.get(None):
        ctx.pop()
    assert [value for value in found if value in expected] == expected
