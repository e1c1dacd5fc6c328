"""Options, environment variables and ``.env`` files."""

from __future__ import annotations

import os
import sys
import typing as t

import pytest
from click.testing import CliRunner

from erlen.cli import cli, load_dotenv

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Project


@pytest.fixture
def env_files(project: Project) -> Path:
    """A directory with a .flaskenv and a .env file that disagree."""
    pytest.importorskip("dotenv")
    path: Path = project.path
    (path / ".flaskenv").write_text("FOO=flaskenv\nBAR=flaskenv\n")
    (path / ".env").write_text("FOO=env\nHAM=火腿\n", "utf-8")
    return path


@pytest.fixture(autouse=True)
def _fresh_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a file set."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"FLASK_GREET_NAME": "flask"}, "flask"),
        ({"ERLEN_GREET_NAME": "erlen"}, "erlen"),
        ({"FLASK_GREET_NAME": "flask", "ERLEN_GREET_NAME": "erlen"}, "erlen"),
        ({"FLASK_GREET_NAME": "flask", "ERLEN_GREET_NAME": ""}, "flask"),
    ],
)
def test_options_from_variables(
    app_project: Project, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str
) -> None:
    """Each option of each command is FLASK_COMMAND_OPTION, or ERLEN_…, which counts more."""
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    before = dict(os.environ)
    assert f"Hello {name}," in app_project.invoke("greet").output
    assert dict(os.environ) == {**before, "FLASK_RUN_FROM_CLI": "true"}


@pytest.mark.parametrize("prefix", ["FLASK", "ERLEN"])
def test_app_variable(project: Project, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """The application is taken from the environment, in help too."""
    project.write(web="from erlen import Flask\napp = Flask('x')\napp.cli.command('mine')(id)")
    monkeypatch.setenv(f"{prefix}_APP", "web")
    for args in ([], ["--help"]):
        assert "mine" in project.invoke(*args).output


def test_variables_after_a_wrong_option(
    app_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake on the command line leaves the environment as it was."""
    monkeypatch.setenv("ERLEN_APP", "app")
    assert app_project.invoke("--nonsense").exit_code == 2
    assert "FLASK_APP" not in os.environ


@pytest.mark.parametrize(
    ("args", "variables", "debug"),
    [
        ([], {}, False),
        (["--debug"], {}, True),
        (["--no-debug"], {"FLASK_DEBUG": "1"}, False),
        (["--no-debug"], {"ERLEN_DEBUG": "1"}, False),
        ([], {"FLASK_DEBUG": "1"}, True),
        ([], {"ERLEN_DEBUG": "1", "FLASK_DEBUG": "0"}, True),
    ],
)
def test_debug(
    app_project: Project,
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    variables: dict[str, str],
    debug: bool,
) -> None:
    """Debug mode is an option or a variable; the option counts more."""
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert f"debug {debug}" in app_project.invoke(*args, "greet").output


def test_default_files(env_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """.env counts more than .flaskenv, and the environment more than both."""
    monkeypatch.setenv("BAR", "environment")
    assert load_dotenv()
    assert os.environ["FOO"] == "env"
    assert os.environ["BAR"] == "environment"
    assert os.environ["HAM"] == "火腿"


def test_files_are_found_from_below(env_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of a directory further up count, and the directory stays what it was."""
    below = env_files / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    assert load_dotenv()
    assert os.environ["FOO"] == "env"
    assert os.getcwd() == str(below)


def test_named_file(env_files: Path) -> None:
    """A named file counts more than both."""
    (env_files / "more.env").write_text("FOO=more\n")
    assert load_dotenv("more.env")
    assert os.environ["FOO"] == "more"
    assert os.environ["BAR"] == "flaskenv"


def test_missing_file(env_files: Path) -> None:
    """A file that is not there loads nothing."""
    assert not load_dotenv("missing.env", load_defaults=False)


def test_two_spellings_in_files(env_files: Path) -> None:
    """A file counts more than another one also when they spell a variable differently."""
    (env_files / ".flaskenv").write_text("ERLEN_APP=from_flaskenv\n")
    (env_files / ".env").write_text("FLASK_APP=from_env\n")
    load_dotenv()
    assert "ERLEN_APP" not in os.environ
    assert os.environ["FLASK_APP"] == "from_env"


def test_environment_in_other_spelling(env_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file does not override the environment by spelling a variable differently."""
    (env_files / ".env").write_text("ERLEN_APP=from_env\n")
    monkeypatch.setenv("FLASK_APP", "from_environment")
    load_dotenv()
    assert "ERLEN_APP" not in os.environ


def test_variables_of_commands_in_files(app_project: Project) -> None:
    """A .env file can set the options of a command, under either prefix."""
    pytest.importorskip("dotenv")
    (app_project.path / ".env").write_text("ERLEN_GREET_NAME=file\nERLEN_DEBUG=1\n")
    assert "Hello file, says app, debug True" in app_project.invoke("greet").output


@pytest.mark.parametrize("prefix", ["FLASK", "ERLEN"])
def test_env_file_option(
    app_project: Project, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """--env-file names one more file, and has variables of its own."""
    pytest.importorskip("dotenv")
    (app_project.path / "x.env").write_text("FLASK_GREET_NAME=x\n")
    assert "Hello x" in app_project.invoke("-e", "x.env", "greet").output
    del os.environ["FLASK_GREET_NAME"]
    monkeypatch.setenv(f"{prefix}_ENV_FILE", "x.env")
    assert "Hello x" in app_project.invoke("greet").output


@pytest.mark.parametrize("prefix", ["FLASK", "ERLEN"])
def test_skip_files(env_files: Path, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """SKIP_DOTENV keeps the default files from being loaded."""
    monkeypatch.setenv(f"{prefix}_SKIP_DOTENV", "1")
    CliRunner().invoke(cli, ["routes"])
    assert "FOO" not in os.environ


def test_unreadable_file(app_project: Project) -> None:
    """A file in another encoding is an error of one line that names it."""
    pytest.importorskip("dotenv")
    (app_project.path / "bad.env").write_bytes(b"\xff\xfe")
    result = app_project.invoke("-e", "bad.env", "greet")
    assert result.exit_code == 2
    assert "'bad.env' is not encoded as UTF-8" in result.output


def test_without_dotenv(app_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without python-dotenv, a tip is shown, and a named file is an error."""
    monkeypatch.setitem(sys.modules, "dotenv", t.cast(t.Any, None))
    assert "Install" not in app_project.invoke("greet").output
    (app_project.path / ".env").write_text("FLASK_GREET_NAME=file\n")
    assert "Install python-dotenv" in app_project.invoke("greet").output
    result = app_project.invoke("-e", ".env", "greet")
    assert result.exit_code == 2
    assert "python-dotenv must be installed" in result.output
