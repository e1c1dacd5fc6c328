"""The ``shell`` command."""

from __future__ import annotations

import sys
import typing as t

import pytest

if t.TYPE_CHECKING:
    from tests.cli.conftest import Project


def test_session(app_project: Project) -> None:
    """The session has the shell context's names, and shows what it belongs to."""
    status, output = app_project.run("shell", stdin="print('name', app.name)\n")
    assert status == 0
    assert "name app\n" in output
    assert "App: app\n" in output
    assert f"Instance: {app_project.path / 'instance'}\n" in output
    assert f"on {sys.platform}" in output


def test_shell_context_processor(app_project: Project) -> None:
    """Functions of the application add names."""
    with (app_project.path / "app.py").open("a") as file:
        file.write("\napp.shell_context_processor(lambda: {'answer': 42})\n")
    assert "got 42" in app_project.invoke("shell", stdin="print('got', answer)\n").output


def test_startup_file(app_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of PYTHONSTARTUP runs first; its mistakes do not end the session."""
    app_project.write(startup="early = 'set early'\n1 / 0\n")
    monkeypatch.setenv("PYTHONSTARTUP", "startup.py")
    output = app_project.invoke("shell", stdin="print(early)\n").output
    assert "set early\n" in output
    assert 'startup.py", line 2' in output
    assert "erlen/cli" not in output


def test_completion(app_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tab key offers the names of the session."""
    readline = pytest.importorskip("readline")
    hooks: list[str] = []
    monkeypatch.setattr(sys, "__interactivehook__", lambda: hooks.append("called"), raising=False)
    before = readline.get_completer()
    try:
        app_project.invoke("shell")
        assert readline.get_completer()("app.n", 0).startswith("app.name")
    finally:
        readline.set_completer(before)
    assert hooks == ["called"]


@pytest.mark.parametrize("missing", ["hook", "readline"])
def test_without_completion(
    app_project: Project, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """The session works where there is no hook, or no line editing."""
    monkeypatch.setattr(sys, "__interactivehook__", lambda: None, raising=False)
    if missing == "hook":
        monkeypatch.delattr(sys, "__interactivehook__")
    else:
        monkeypatch.setitem(sys.modules, "readline", t.cast(t.Any, None))
    assert "name app" in app_project.invoke("shell", stdin="print('name', app.name)\n").output
