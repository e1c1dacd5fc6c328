"""What a user sees whose code has a mistake in it."""

from __future__ import annotations

import os
import sys
import typing as t

import pytest

import erlen
from erlen.cli import FlaskGroup, cli
from erlen.cli.errors import format_error
from erlen.cli.hints import find_hint

if t.TYPE_CHECKING:
    from tests.cli.conftest import Project

MACHINERY = ("erlen/cli", "click/", "importlib", "runpy")


def assert_trimmed(output: str) -> None:
    assert output.count("Traceback (most recent call last)") <= 1
    for part in MACHINERY:
        assert part not in output


def test_import_error_deep_inside(project: Project) -> None:
    """A failing import in a module that the application imports is shown with both files."""
    project.write(app="import helper", helper="\nimport reqests_x\n", requests_x="")
    status, output = project.run("routes")
    assert status == 2
    assert "Error: While importing 'app', an ImportError was raised:" in output
    assert 'app.py", line 1' in output
    assert 'helper.py", line 2' in output
    assert "Did you mean 'requests_x'?" in output
    assert_trimmed(output)


@pytest.mark.parametrize(
    ("source", "last_line"),
    [
        ("def x(:", "SyntaxError: invalid syntax"),
        ("undefined", "NameError: name 'undefined' is not defined"),
        ("def create_app():\n    raise ValueError('no')", "ValueError: no"),
        (
            "def create_app():\n    import missing_x",
            "ModuleNotFoundError: No module named 'missing_x'",
        ),
    ],
)
def test_any_other_error(project: Project, source: str, last_line: str) -> None:
    """Every error of the application's module or factory shows the user's file, and that alone."""
    project.write(app=source)
    status, output = project.run("routes")
    assert status == 1
    assert 'app.py", line' in output
    assert last_line in output
    assert_trimmed(output)


def test_error_of_command(app_project: Project) -> None:
    """An error inside a command of the application is trimmed in the same way."""
    status, output = app_project.run("fail")
    assert status == 1
    assert 'raise LookupError("from the command")' in output
    assert_trimmed(output)


@pytest.mark.parametrize("full", ["", "0", "1"])
def test_hook(
    app_project: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    full: str,
) -> None:
    """What trims is Python's hook for uncaught exceptions; a variable switches it off."""
    monkeypatch.setenv("ERLEN_FULL_TRACEBACK", full)
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    with pytest.raises(LookupError) as caught:
        cli(["fail"])
    sys.excepthook(caught.type, caught.value, caught.tb)
    assert ("in_appcontext" in capsys.readouterr().err) is (full == "1")


def test_error_stays_itself_in_tests(app_project: Project) -> None:
    """Under a test runner, the exception arrives as it was raised."""
    assert isinstance(app_project.invoke("fail").exception, LookupError)


def test_causes_are_trimmed_too(project: Project) -> None:
    """Exceptions that led to another one are shown as well, without the machinery."""
    project.write(
        app="""
            try:
                import missing_x
            except ImportError as error:
                raise RuntimeError("so") from error
        """
    )
    _, output = project.run("routes")
    assert output.count("Traceback") == 2
    assert "direct cause" in output
    assert not any(part in output for part in MACHINERY)


def test_full_traceback(project: Project) -> None:
    """ERLEN_FULL_TRACEBACK=1 shows all frames."""
    project.write(app="undefined")
    assert "locate_app" in project.run("routes", ERLEN_FULL_TRACEBACK="1")[1]
    assert "locate_app" not in project.run("routes", ERLEN_FULL_TRACEBACK="0")[1]


def test_own_faults_are_shown_whole() -> None:
    """An error with no frame of the user's keeps its traceback."""
    with pytest.raises(TypeError) as caught:
        FlaskGroup(no_such_option=True)
    caught.value.__traceback__ = caught.tb.tb_next
    assert "erlen/cli" in format_error(caught.value).replace(os.sep, "/")


def test_import_cycle(project: Project) -> None:
    """A circular import is shown as the chain of modules."""
    project.write(app="import models", models="import views", views="from models import x")
    output = project.invoke("routes").output
    assert "These modules import each other: models -> views -> models." in output


@pytest.mark.parametrize(
    ("app", "hint"),
    [
        ("import missing_x", "'missing_x' is not installed in this environment"),
        ("import pkg.modul", "Did you mean 'pkg.module'?"),
        ("import single.part", "'single' is the single file"),
        ("from . import models", "it needs a file '__init__.py'"),
    ],
)
def test_hints(project: Project, app: str, hint: str) -> None:
    """Under the traceback stands what to try."""
    project.write({"pkg/__init__": "", "pkg/module": ""}, app=app, single="")
    assert hint in project.invoke("routes").output


@pytest.mark.parametrize("is_there", [True, False])
def test_missing_flask(project: Project, monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    """A program that needs Flask is told that Erlen can answer for it, unless it does already."""
    project.write(app="raise ModuleNotFoundError(\"No module named 'flask.x'\", name='flask.x')")
    monkeypatch.delitem(sys.modules, "flask", raising=False)
    if is_there:
        monkeypatch.setitem(sys.modules, "flask", erlen)
    assert ("ERLEN_COMPAT=1" in project.invoke("routes").output) is not is_there


def test_file_that_hides_a_package(project: Project) -> None:
    """A file that imports a package of its own name is told so."""
    project.write(celery_x="from celery_x import Celery")
    output = project.invoke("--app", "celery_x", "routes").output
    assert "The module 'celery_x' imports itself." in output


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("no name"),
        ModuleNotFoundError("blocked", name="sys"),
        ModuleNotFoundError("no parent", name="missing_x.part"),
        AttributeError("partially initialized module 'other' has no attribute 'x'"),
        ImportError("something else"),
        ImportError("cannot import name 'qqqqq' from 'sys'", name="sys"),
        ValueError("attempted relative import"),
    ],
)
def test_no_hint(error: Exception) -> None:
    """Where nothing useful is known, nothing is said."""
    assert find_hint(error, []) is None


def test_misspelt_name(project: Project) -> None:
    """A name that a module lacks gets the nearest one it has."""
    project.write(app="from models import Bok", models="class Book: pass")
    assert "Did you mean" in project.invoke("routes").output


@pytest.mark.parametrize("source", ["import missing_x", "undefined"])
def test_help_with_broken_application(project: Project, source: str) -> None:
    """Help shows the error, and still the commands that do not need the application."""
    project.write(app=source)
    result = project.invoke("--help")
    assert result.exit_code == 0
    assert 'app.py", line 1' in result.output
    assert "Show the routes for the app." in result.output
    assert_trimmed(result.output)


def test_unknown_command_with_broken_application(project: Project) -> None:
    """An unknown command may be one of the application's: its error is shown as well."""
    project.write(app="import missing_x")
    result = project.invoke("greet")
    assert result.exit_code == 2
    assert "No module named 'missing_x'" in result.output
    assert "No such command 'greet'" in result.output
