"""``erlen compat check``."""

from __future__ import annotations

import textwrap
import typing as t
from pathlib import Path

import pytest

from erlen.compat.check import Finding, check_source
from erlen.compat.removed import REMOVED

if t.TYPE_CHECKING:
    from .conftest import Sandbox


def check(source: str) -> list[tuple[int, str, bool]]:
    """Return line, name and guard of what is found in a source text."""
    found = check_source(textwrap.dedent(source))
    return [(line, removed.attribute, guarded) for line, removed, guarded in found]


def test_imports() -> None:
    """Every form of import is found."""
    assert check("""\
        from flask import Flask, _request_ctx_stack, Markup as M
        from flask.globals import _app_ctx_stack
        from flask.scaffold import Scaffold
        import flask.scaffold as s
        from flask.json import JSONEncoder
        from .flask import Markup
        from other import escape
        import os
    """) == [
        (1, "_request_ctx_stack", False),
        (1, "Markup", False),
        (2, "_app_ctx_stack", False),
        (3, "scaffold", False),
        (4, "scaffold", False),
        (5, "JSONEncoder", False),
    ]


def test_attributes() -> None:
    """Uses through the module, and the decorators on anything, are found."""
    assert check("""\
        import flask
        class Encoder(flask.json.JSONEncoder):
            text = flask.escape("x") + flask.Flask.__name__
        def init_app(app):
            @app.before_first_request
            def start(): ...
            other.escape("x")
    """) == [
        (2, "JSONEncoder", False),
        (3, "escape", False),
        (5, "Flask.before_first_request", False),
    ]


def test_guards() -> None:
    """Code that is prepared for the name's absence is told from code that needs it."""
    assert check("""\
        try:
            from flask import _app_ctx_stack as stack
        except ImportError:
            from flask import _request_ctx_stack as stack
        if flask_version < (2, 3):
            from flask import Markup
        try:
            from flask import escape
        except ValueError:
            pass
        try:
            from flask.scaffold import Scaffold
        except:
            pass
    """) == [
        (2, "_app_ctx_stack", True),
        (4, "_request_ctx_stack", True),
        (6, "Markup", True),
        (8, "escape", False),
        (12, "scaffold", True),
    ]


def test_unreadable() -> None:
    """What is no Python is passed over."""
    assert check("from flask import (") == []
    assert check("import os\n") == []


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("/v/lib/python3.11/site-packages/flask_old/core.py", "flask_old"),
        ("/v/lib/python3.11/site-packages/flask_old.py", "flask_old"),
        ("/usr/lib/python3/dist-packages/flask_old/a/b.py", "flask_old"),
        ("/elsewhere/flask_old.py", "flask_old"),
    ],
)
def test_package(path: str, package: str) -> None:
    """A finding knows the package that install() would serve the name to."""
    assert Finding("Flask-Old", "1.0", Path(path), 1, REMOVED[0], False).package == package


def write_extension(sandbox: Sandbox, name: str, source: str, requires: str) -> None:
    """Install a distribution of one module."""
    module = name.lower().replace("-", "_")
    (sandbox.site_packages / f"{module}.py").write_text(source)
    info = sandbox.site_packages / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: {requires}\n"
    )
    (info / "RECORD").write_text(f"{module}.py,,\n{info.name}/METADATA,,\nmissing.py,,\n")


def test_command(sandbox: Sandbox) -> None:
    """The command names each use with its line, and the call that serves the names."""
    outcome = sandbox.run("-m", "erlen", "compat", "check")
    assert outcome.code == 0 and "Read 0 extensions" in outcome.out, outcome.err
    old = "import flask\nfrom flask import _app_ctx_stack\n"
    write_extension(sandbox, "Flask-Old", old, "click")
    prepared = "try:\n    from flask import Markup\nexcept ImportError:\n    pass\n"
    write_extension(sandbox, "prepared", prepared, "flask>=1.0")
    write_extension(sandbox, "unrelated", old, 'Flask ; extra == "web"')
    write_extension(sandbox, "neighbour", old, "flask-cors")
    outcome = sandbox.run("-m", "erlen", "compat", "check")
    assert outcome.code == 1
    assert "Read 2 extensions" in outcome.out
    assert "Flask-Old 1.0 needs flask._app_ctx_stack, removed in Flask 2.3" in outcome.out
    assert f"{sandbox.site_packages / 'flask_old.py'}:2" in outcome.out
    assert "prepared 1.0 can do without flask.Markup, removed in Flask 3.0" in outcome.out
    assert "erlen.compat.install(legacy=['flask_old:_app_ctx_stack'])" in outcome.out
