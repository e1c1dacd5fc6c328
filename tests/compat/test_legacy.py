"""Names that Flask 3 removed, served to who asks for them."""

from __future__ import annotations

import typing as t

import pytest

from erlen.compat.removed import REMOVED, find_removed

if t.TYPE_CHECKING:
    from .conftest import Sandbox


def test_stacks(plain: Sandbox) -> None:
    """The stacks show the contexts, from every module they could be imported from, and warn."""
    plain.run_code("""
        import warnings
        import erlen.compat
        erlen.compat.install(legacy=["_request_ctx_stack", "flask._app_ctx_stack"])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            from flask import Flask, _request_ctx_stack
            from flask.globals import _app_ctx_stack
        assert {w.category for w in caught} == {DeprecationWarning}
        assert all(w.filename == "<string>" for w in caught), caught
        text = str(caught[0].message)
        assert "Flask 2.3 removed 'flask._request_ctx_stack'" in text, text
        assert "flask.globals.request_ctx" in text, text
        app = Flask(__name__)
        assert _request_ctx_stack.top is None and _app_ctx_stack.top is None
        with app.test_request_context("/x") as ctx:
            assert _request_ctx_stack.top is ctx and _app_ctx_stack.top.app is app
            _request_ctx_stack.top.my_extension_data = 1
        context = app.app_context()
        _app_ctx_stack.push(context)
        assert _app_ctx_stack.pop() is context and _app_ctx_stack.pop() is None
    """)


def test_only_for_one_package(sandbox: Sandbox) -> None:
    """With a package before the colon, other modules still do not find the name."""
    for name in ("old_extension", "probing_extension"):
        package = sandbox.site_packages / name
        package.mkdir()
        (package / "__init__.py").write_text(
            "import warnings\n"
            "with warnings.catch_warnings():\n"
            "    warnings.simplefilter('ignore')\n"
            "    try:\n"
            "        from flask import Markup\n"
            "    except ImportError:\n"
            "        Markup = None\n"
        )
    out = sandbox.run_code("""
        import erlen.compat
        erlen.compat.install(legacy=["old_extension:Markup"])
        import markupsafe, old_extension, probing_extension, flask
        assert old_extension.Markup is markupsafe.Markup
        assert probing_extension.Markup is None and not hasattr(flask, "Markup")
        erlen.compat.install(legacy=["probing_extension:Markup"])
        import importlib
        importlib.reload(probing_extension)
        assert probing_extension.Markup is markupsafe.Markup and not hasattr(flask, "Markup")
        erlen.compat.install(legacy=["Markup"])
        import warnings
        warnings.simplefilter("ignore")
        assert flask.Markup is markupsafe.Markup
        print(erlen.compat.legacy_names())
    """)
    assert out == "('old_extension:Markup', 'probing_extension:Markup', 'Markup')\n"


def test_json_classes(plain: Sandbox) -> None:
    """The old encoder knows what the JSON provider knows."""
    plain.run_code("""
        import datetime, io, json, uuid, warnings
        import erlen.compat
        erlen.compat.install(legacy=["json.JSONEncoder", "JSONDecoder", "flask.json.htmlsafe_dump"])
        erlen.compat.install(legacy=["json.htmlsafe_dumps"])
        warnings.simplefilter("ignore")
        from flask.json import JSONDecoder, JSONEncoder, htmlsafe_dump, htmlsafe_dumps

        class Mine(JSONEncoder):
            def default(self, o):
                return "set" if isinstance(o, set) else super().default(o)

        data = {"set": set(), "day": datetime.date(2024, 2, 29), "id": uuid.UUID(int=1)}
        text = json.dumps(data, cls=Mine)
        assert json.loads(text, cls=JSONDecoder) == {
            "set": "set", "day": "Thu, 29 Feb 2024 00:00:00 GMT",
            "id": "00000000-0000-0000-0000-000000000001"}
        assert htmlsafe_dumps("<a>") == r'"\\u003ca\\u003e"'
        file = io.StringIO()
        htmlsafe_dump("<", file)
        assert file.getvalue() == r'"\\u003c"'
    """)


def test_first_request(plain: Sandbox) -> None:
    """before_first_request runs once, before the first request, on application and blueprint."""
    plain.run_code("""
        import warnings
        import erlen.compat
        erlen.compat.install(legacy=["Flask.before_first_request"])
        erlen.compat.install(legacy=["Blueprint.before_app_first_request"])
        warnings.simplefilter("ignore")
        from flask import Blueprint, Flask
        app, blueprint, calls = Flask(__name__), Blueprint("b", __name__), []

        @app.before_first_request
        def once():
            calls.append("app")

        @blueprint.before_app_first_request
        def too():
            calls.append("blueprint")

        app.add_url_rule("/", "index", lambda: "".join(sorted(calls)))
        app.register_blueprint(blueprint)
        http = app.test_client()
        assert [http.get("/").text for _ in range(2)] == ["appblueprint"] * 2
    """)


def test_properties(plain: Sandbox) -> None:
    """Old properties of the application read and write its configuration, and warn."""
    plain.run_code("""
        import warnings
        import erlen.compat
        erlen.compat.install(legacy=["Flask.session_cookie_name", "Flask.use_x_sendfile"])
        from flask import Flask
        app = Flask(__name__)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            app.session_cookie_name = "sid"
            assert app.config["SESSION_COOKIE_NAME"] == app.session_cookie_name == "sid"
            app.use_x_sendfile = True
        assert len(caught) == 3 and caught[0].filename == "<string>"
    """)


def test_scaffold_module(plain: Sandbox) -> None:
    """A removed module is served as a whole, and still is the one module."""
    plain.run_code("""
        import warnings
        import erlen.compat
        erlen.compat.install(legacy=["scaffold"])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            from flask.scaffold import Scaffold
        assert "flask.sansio.scaffold" in str(caught[0].message) and len(caught) == 1
        import erlen.scaffold
        assert Scaffold is erlen.scaffold.Scaffold
    """)


def test_every_name(plain: Sandbox) -> None:
    """Each name of the table can be served, from each of its modules."""
    names = [f"{removed.modules[0]}.{removed.attribute}" for removed in REMOVED]
    plain.run_code(f"""
        import importlib, warnings
        import erlen.compat
        from erlen.compat.removed import REMOVED
        erlen.compat.install(legacy={names})
        warnings.simplefilter("ignore")
        for removed in REMOVED:
            for module in removed.modules:
                value = importlib.import_module(module)
                for part in removed.attribute.split("."):
                    value = getattr(value, part)
                assert value is not None
        from datetime import timedelta
        from flask.helpers import get_env, total_seconds
        assert total_seconds(timedelta(minutes=2)) == 120 and get_env() == "production"
    """)


def test_unknown_name(plain: Sandbox) -> None:
    """A name that Flask never had is refused, with the closest ones."""
    with pytest.raises(ValueError, match=r"'_request_stack' is no name .*'_request_ctx_stack'"):
        find_removed("_request_stack")
    outcome = plain.run("-c", "import erlen.compat; erlen.compat.install(['nonsense'])")
    assert outcome.err.splitlines()[-1] == (
        "ValueError: 'nonsense' is no name that Erlen knows Flask to have removed."
    )
