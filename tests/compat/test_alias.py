"""The same module objects under ``flask`` and ``erlen``, in processes with Flask and without."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from .conftest import Sandbox

#: Every module of Flask 3.1 that a program may import.
MODULES = (
    *("app", "blueprints", "cli", "config", "ctx", "debughelpers", "globals", "helpers", "json"),
    *("json.provider", "json.tag", "logging", "sansio", "sansio.app", "sansio.blueprints"),
    *("sansio.scaffold", "sessions", "signals", "templating", "testing", "typing", "views"),
    "wrappers",
)

CHECK = """
import importlib, sys
import erlen.compat
{before}
erlen.compat.install()
for name in {modules}:
    alias = importlib.import_module("flask." + name)
    real = importlib.import_module("erlen." + name)
    assert alias is real, name
    assert sys.modules["flask." + name] is sys.modules["erlen." + name], name
    assert real.__name__ == real.__spec__.name == "erlen." + name, name
    assert real.__spec__.loader is real.__loader__, name
assert sys.modules["flask"] is sys.modules["erlen"]
assert sys.modules["erlen"].__spec__.name == "erlen"
print("same")
"""


@pytest.mark.parametrize("order", [MODULES, MODULES[::-1]], ids=["forwards", "backwards"])
@pytest.mark.parametrize(
    "before", ["", "import erlen.testing, erlen.views"], ids=["alias first", "real first"]
)
def test_same_modules(plain: Sandbox, order: tuple[str, ...], before: str) -> None:
    """Whichever name is imported first, and in any order, there is one module."""
    assert plain.run_code(CHECK.format(modules=order, before=before)) == "same\n"


def test_flask_present(with_flask: Sandbox) -> None:
    """An installed Flask is shadowed."""
    assert with_flask.run_code(CHECK.format(modules=MODULES, before="")) == "same\n"


def test_statements(plain: Sandbox) -> None:
    """Every form of the import statement gives Erlen's objects."""
    plain.run_code("""
        import erlen.compat
        erlen.compat.install()
        import flask.json.provider as provider
        import flask.views
        from flask import Flask, request, testing
        from flask.sansio.app import App
        from flask.sansio.scaffold import Scaffold, _endpoint_from_view_func, _sentinel
        from flask.sansio.blueprints import Blueprint, BlueprintSetupState
        from flask.globals import _cv_app, request_ctx
        import erlen.app, erlen.json.provider, erlen.testing
        assert Flask is erlen.app.Flask and issubclass(Flask, App) and issubclass(App, Scaffold)
        assert provider is erlen.json.provider
        assert flask.views is erlen.views and testing is erlen.testing
        assert request is erlen.request
    """)


def test_star(plain: Sandbox) -> None:
    """A star brings what is imported later, too, and imports no template engine for that."""
    plain.run_code("""
        import sys
        import erlen
        assert "jinja2" not in sys.modules
        import erlen.compat
        erlen.compat.install()
        found = {}
        exec("from flask import *", found)
        assert found["render_template"] is erlen.render_template
        assert found["await_"] is erlen.await_
        assert found["Flask"] is erlen.Flask and found["g"] is vars(erlen)["g"]
    """)


def test_import_functions(plain: Sandbox) -> None:
    """find_spec, reload, pkgutil and resources do not make second copies."""
    plain.run_code("""
        import importlib.resources, importlib.util, pkgutil, sys
        import erlen.compat
        erlen.compat.install()
        spec = importlib.util.find_spec("flask.views")
        assert spec.origin.endswith("views.py") and "flask.views" not in sys.modules
        import flask.views, erlen.views
        assert importlib.util.find_spec("flask.views") is erlen.views.__spec__
        assert importlib.util.find_spec("flask.nothing") is None
        assert importlib.util.find_spec("flask.nothing_either") is None
        assert importlib.reload(flask.views) is erlen.views is sys.modules["flask.views"]
        assert erlen.views.__spec__.name == "erlen.views"
        assert importlib.reload(flask) is erlen
        assert pkgutil.resolve_name("flask.views:View") is erlen.views.View
        assert pkgutil.get_data("flask.json", "__init__.py")
        assert importlib.resources.files("flask").joinpath("views.py").is_file()
        found = [m.name for m in pkgutil.walk_packages(flask.__path__, "flask.")]
        assert "flask.json.tag" in found
        needy = ("accounts", "cli.worker", "db", "forms", "migrate", "server")
        extras = tuple(f"flask.{name}" for name in needy)
        for name in found:
            if name not in ("flask.scaffold", "flask.__main__") and not name.startswith(extras):
                if ".pytest_plugin" not in name and "__main__" not in name:
                    module = importlib.import_module(name)
                    assert module.__name__ == name.replace("flask", "erlen", 1), name
        import erlen.app
        copies = [n for n, m in sys.modules.items() if getattr(m, "__name__", n) != n]
        assert all(n.startswith("flask") or not n.startswith("erlen") for n in copies)
        base = erlen.app.Flask.__bases__[0]
        classes = [c for c in base.__subclasses__() if c.__name__ == "Flask"]
        assert len(classes) == 1, classes
    """)


def test_loader_of_a_spec(plain: Sandbox) -> None:
    """A spec that was found but not imported answers what runpy and inspect ask of it."""
    plain.run_code("""
        import importlib.util
        import erlen.compat
        erlen.compat.install()
        spec = importlib.util.find_spec("flask.views")
        assert "class View" in spec.loader.get_source("flask.views")
        assert spec.loader.get_code("flask.views").co_filename == spec.origin
        assert spec.loader.get_filename("flask.views") == spec.origin
        assert not spec.loader.is_package("flask.views")
        assert spec.loader.get_data(spec.origin)
        package = importlib.util.find_spec("flask.sansio")
        assert package.loader.is_package("flask.sansio") and package.submodule_search_locations
    """)


def test_threads(plain: Sandbox) -> None:
    """Many threads that import at once all get the one module, fully loaded."""
    plain.run_code("""
        import sys, threading
        import erlen.compat.alias
        sys.setswitchinterval(1e-6)
        names = ["testing", "views", "debughelpers", "sansio.app", "sansio.blueprints"]
        for name in [n for n in sys.modules if n.startswith("erlen.")]:
            if name.removeprefix("erlen.") in names:
                del sys.modules[name]
        erlen.compat.alias.install()
        start = threading.Barrier(24)
        wrong = []

        def work(number):
            start.wait()
            for name in names[number % 5:] + names[:number % 5]:
                prefix = ("flask.", "erlen.")[number % 2]
                module = __import__(prefix + name, fromlist=["x"])
                attribute = {"testing": "FlaskClient", "views": "View", "sansio.app": "App",
                    "debughelpers": "explain_template_loading_attempts",
                    "sansio.blueprints": "Blueprint"}[name]
                if not hasattr(module, attribute) or module is not sys.modules["erlen." + name]:
                    wrong.append((name, number))

        threads = [threading.Thread(target=work, args=[n]) for n in range(24)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert not wrong, wrong
        for name in names:
            module = sys.modules["flask." + name]
            assert module is sys.modules["erlen." + name]
            assert module.__spec__.name == "erlen." + name
    """)


def test_removed_modules(plain: Sandbox) -> None:
    """Names that Flask 3 does not have are not found, and nothing is loaded for them."""
    plain.run_code("""
        import importlib, sys
        import erlen.compat
        erlen.compat.install()
        import flask
        for name in ["scaffold", "ext", "exthook", "module", "session", "_compat", "nothing"]:
            try:
                importlib.import_module("flask." + name)
            except ModuleNotFoundError as error:
                assert error.name == "flask." + name, error
            else:
                raise AssertionError(name)
            assert "flask." + name not in sys.modules
        for name in ["_request_ctx_stack", "_app_ctx_stack", "Markup", "escape", "safe_join"]:
            assert not hasattr(flask, name), name
        assert not hasattr(flask.json, "JSONEncoder")
    """)


def test_metadata(plain: Sandbox) -> None:
    """importlib.metadata answers for Flask, whatever asks."""
    plain.run_code("""
        import importlib.metadata as metadata
        import erlen.compat.alias
        before = len(list(metadata.distributions()))
        erlen.compat.install()
        assert metadata.version("flask") == metadata.version("Flask") == "3.1.3"
        assert metadata.metadata("flask")["Name"] == "Flask"
        assert metadata.distribution("FLASK").read_text("nothing") is None
        assert metadata.packages_distributions()["flask"] == ["Flask"]
        served = len(erlen.compat.alias.SERVED)
        assert len(list(metadata.distributions())) == before + served
        (entry,) = metadata.entry_points(group="console_scripts", name="flask")
        assert entry.load().__module__.startswith("erlen")
        # Installers look into folders; what is not there must not seem to be.
        assert not list(metadata.distributions(name="flask", path=["/tmp"]))
        try:
            metadata.version("flask-bcrypt")
        except metadata.PackageNotFoundError:
            pass
        else:
            raise AssertionError
    """)


def test_metadata_of_installed(with_flask: Sandbox) -> None:
    """Where Flask is installed, its own metadata answers, once."""
    with_flask.run_code("""
        import importlib.metadata as metadata
        import erlen.compat
        erlen.compat.install()
        import flask
        assert flask is erlen
        assert metadata.version("flask") == "3.0.9"
        names = [found.metadata["Name"] for found in metadata.distributions()]
        assert names.count("Flask") == 1
    """)


def test_version_attribute(plain: Sandbox) -> None:
    """``flask.__version__`` answers with a warning that names the line which asks."""
    outcome = plain.run(
        *("-W", "always", "-c"),
        "import erlen.compat; erlen.compat.install(); import flask; print(flask.__version__);"
        "print(hasattr(flask, 'nothing'))",
    )
    assert outcome.out == "3.1.3\nFalse\n"
    assert "<string>:1: DeprecationWarning: The '__version__' attribute is" in outcome.err


def test_real_flask_imported(with_flask: Sandbox) -> None:
    """The error says that Flask is there already, from where, and what to do."""
    outcome = with_flask.run("-c", "import flask, erlen.compat; erlen.compat.install()")
    assert outcome.code == 1
    last = outcome.err.splitlines()[-1]
    assert last.startswith("RuntimeError: 'flask' was already imported, from ")
    assert "site-packages/flask/__init__.py" in last
    assert "before the first import of 'flask'" in last and "python -m erlen.compat" in last


def test_install_twice(plain: Sandbox) -> None:
    """A second call changes nothing, also after flask was imported."""
    plain.run_code("""
        import sys
        import erlen.compat
        assert not erlen.compat.is_installed()
        erlen.compat.install()
        before = list(sys.meta_path)
        import flask
        erlen.compat.install()
        assert sys.meta_path == before and erlen.compat.is_installed()
    """)


def test_forgotten_modules(plain: Sandbox) -> None:
    """Tests that clean sys.modules get the same modules again."""
    plain.run_code("""
        import sys
        import erlen.compat
        erlen.compat.install()
        import flask.testing
        module = sys.modules["erlen.testing"]
        del sys.modules["flask.testing"], sys.modules["flask"]
        import flask.testing
        assert sys.modules["flask.testing"] is module and flask is erlen
    """)


def test_without_erlen_nothing_changes(with_flask: Sandbox) -> None:
    """A name that is not served is left to the other finders."""
    with_flask.run_code("""
        import sys
        import erlen.compat
        erlen.compat.install()
        finder = sys.meta_path[0]
        assert finder.find_spec("flasky") is None and finder.find_spec("os.path") is None
        assert sys.meta_path[-1].find_spec("flask") is None
    """)


def test_another_name(plain: Sandbox) -> None:
    """One more entry in the table serves one more package, its submodules and its version."""
    plain.run_code("""
        import importlib.metadata as metadata
        from erlen.compat import Served, alias
        served = Served("flask_json_again", "erlen.json", "Flask-JSON-Again", "9.1")
        alias.SERVED += (served,)
        alias.install()
        import flask_json_again.tag
        import flask, erlen.json.tag
        assert flask_json_again is erlen.json is flask.json
        assert flask_json_again.tag is erlen.json.tag
        assert erlen.json.__spec__.name == "erlen.json"
        assert metadata.version("flask-json-again") == "9.1"
        assert metadata.version("flask") == "3.1.3"
    """)
