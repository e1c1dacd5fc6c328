"""Settings are data: reading them runs nothing, and nothing is on that was not asked for."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from werkzeug import serving

from erlen import Erlen, Flask, cli
from erlen.helpers import get_debug_flag


def test_variables_are_json_and_not_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no JSON is text."""
    texts = ["__import__('os').system('true')", "${PATH}", "!!python/object:x", "{broken", "None"]
    app = Flask(__name__)
    for text in texts:
        monkeypatch.setenv("FLASK_TEXT", text)
        app.config.from_prefixed_env()
        assert app.config["TEXT"] == text


def test_env_files_run_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value is no command, and what the environment says counts before the file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_SET_BEFORE", "environment")
    monkeypatch.delenv("TEST_COMMAND", raising=False)
    (tmp_path / ".env").write_text("TEST_COMMAND=$(touch made)\nTEST_SET_BEFORE=file\n")
    try:
        cli.load_dotenv()
        assert os.environ["TEST_COMMAND"] == "$(touch made)"
        assert os.environ["TEST_SET_BEFORE"] == "environment"
        assert not (tmp_path / "made").exists()
    finally:
        os.environ.pop("TEST_COMMAND", None)


@pytest.mark.parametrize("value", ["", "0", "false", "False", "NO", "no"])
def test_debug_mode_is_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever says no in the usual words has no debugger."""
    monkeypatch.setenv("FLASK_DEBUG", value)
    assert not get_debug_flag()
    assert not Flask(__name__).debug


def test_the_development_server_listens_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word on it, nobody else can connect, and there is no debugger."""
    calls: list[tuple[tuple[object, ...], dict[str, object]]] = []
    monkeypatch.setattr(
        serving, "run_simple", lambda *args, **options: calls.append((args, options))
    )
    app = Erlen(__name__)
    app.run(load_dotenv=False)
    (args, options) = calls[0]
    assert args[0] == "127.0.0.1"
    assert options["use_debugger"] is False
    assert options["use_reloader"] is False
    host = next(option for option in cli.run_command.params if option.name == "host")
    assert isinstance(host, click.Option)
    assert host.default == "127.0.0.1"


def test_a_missing_key_is_no_key() -> None:
    """Without SECRET_KEY nothing is signed with an empty or a well-known one (CVE-2023-27524)."""
    for key in (None, "", b""):
        app = Flask(__name__)
        app.secret_key = key
        assert app.session_interface.open_session(app, app.request_class({})) is None
