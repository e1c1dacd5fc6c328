"""Names that Flask's modules have only because they import them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import typing as t
from importlib.util import find_spec

import pytest

if t.TYPE_CHECKING:
    from .conftest import Sandbox


def test_every_name(plain: Sandbox) -> None:
    """Each name of the table is there, under the alias and by attribute."""
    plain.run_code("""
        import importlib
        import erlen.compat
        from erlen.compat.incidental import INCIDENTAL
        erlen.compat.install()
        import flask
        assert flask.typing and flask.sansio
        for name, names in INCIDENTAL.items():
            if name.startswith("erlen.forms"):
                continue  # needs an extra, which is not in this environment
            name = name.replace("erlen.login", "flask_login").replace("erlen", "flask", 1)
            module = importlib.import_module(name)
            for attribute in names:
                assert getattr(module, attribute) is not None, (name, attribute)
            assert not hasattr(module, "nothing")
        from flask.app import Response, Rule, request
        from flask.helpers import BaseResponse
        import werkzeug
        assert Response is flask.Response and issubclass(flask.Response, BaseResponse)
        assert request is flask.request and BaseResponse is werkzeug.Response
    """)


@pytest.mark.skipif(find_spec("flask") is None, reason="Flask is not installed")
def test_real_flask_has_them() -> None:
    """Flask itself has all the names that are served, the context's proxies aside."""
    code = """
        from importlib import import_module
        from erlen.compat.incidental import INCIDENTAL
        for name, names in INCIDENTAL.items():
            for ours, theirs in (("forms", "flask_wtf"), ("login", "flask_login")):
                name = name.replace(f"erlen.{ours}", theirs)
            name = name.replace("erlen", "flask", 1)
            module = import_module(name)
            assert module.__name__.startswith("flask")
            missing = {attribute for attribute in names if not hasattr(module, attribute)}
            print(*missing)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    proxies = {"current_app", "g", "request", "session", "app_ctx", "request_ctx"}
    assert set(out.split()) <= proxies
