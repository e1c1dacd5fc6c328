"""Which application a command works on."""

from __future__ import annotations

import code
import typing as t

import pytest

from erlen.cli import NoAppException, ScriptInfo, locate_app, prepare_import

if t.TYPE_CHECKING:
    from tests.cli.conftest import Project

FACTORY = """
    from erlen import Flask

    def create_app(name="made", *, suffix=""):
        return Flask(name + suffix)
"""


def test_app_py_is_found(app_project: Project) -> None:
    """Without any option, the application of app.py in the current directory is taken."""
    assert "says app" in app_project.invoke("greet").output


def test_wsgi_py_comes_first(app_project: Project) -> None:
    """Where there are both files, wsgi.py counts."""
    app_project.write(wsgi="from erlen import Flask\napplication = Flask('from_wsgi')")
    assert ScriptInfo().load_app().name == "from_wsgi"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("hello", "only"),
        ("hello.py", "only"),
        ("hello:only", "only"),
        ("pkg.web", "web"),
        ("pkg/__init__.py", "in package"),
        ("pkg/below/deep", "deep"),
        ("pkg/web.py:app", "web"),
        ("factory", "made"),
        ("factory:create_app", "made"),
        ("factory:create_app()", "made"),
        ("factory:create_app('x', suffix='y')", "xy"),
        (" factory: create_app( 'x', ) ".strip(), "x"),
    ],
)
def test_app_option(project: Project, path: str, name: str) -> None:
    """--app takes a module or file, alone or with an object, a factory, or its call."""
    project.write(
        {
            "pkg/__init__": "from erlen import Flask\napplication = Flask('in package')",
            "pkg/web": "from erlen import Flask\napp = Flask('web')",
            "pkg/below/__init__": "",
            "pkg/below/deep": "from erlen import Flask\napp = Flask('deep')",
        },
        hello="from erlen import Flask\nonly = again = Flask('only')",
        factory=FACTORY,
    )
    assert ScriptInfo(app_import_path=path).load_app().name == name


def test_app_option_of_the_command(project: Project) -> None:
    """The option works at the command line, before the name of the command."""
    project.write(factory=FACTORY)
    result = project.invoke("--app", "factory:create_app()", "routes")
    assert "/static/<path:filename>" in result.output


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("helo", "Could not import 'helo'. Did you mean 'hello'?"),
        ("hello:wed", "Failed to find attribute 'wed' in 'hello'. Did you mean 'web'?"),
        ("hello:make(", "Failed to parse 'make(' as an attribute name or function call."),
        ("hello:a.b()", "Function reference must be a simple name: 'a.b()'."),
        ("hello:make(x)", "Failed to parse arguments as literal values: 'make(x)'."),
        ("hello:make(**{})", "Failed to parse arguments as literal values"),
        ("hello:make(1, 2)", "could not be called with the specified arguments: make() takes"),
        ("hello:number", "A valid application was not obtained from 'hello:number': it is of"),
        ("hello:make('x')", "it is of type 'str'."),
        ("both", "Detected multiple applications in module 'both': a, b. Use 'both:name'"),
        ("needs", "Detected factory 'create_app' in module 'needs', but could not call it"),
        ("nothing", "Failed to find an application or a factory in module 'nothing'."),
        ("/", "The root directory is not a module"),
        ("hello.x.y", "Could not import 'hello.x.y'."),
        ("code", f"The module was imported from {code.__file__!r}."),
    ],
)
def test_app_option_mistakes(project: Project, path: str, message: str) -> None:
    """Each wrong --app gets one line that says what is wrong with it."""
    project.write(
        hello="from erlen import Flask\nweb = Flask('web')\nnumber = 1\ndef make(a): return a",
        both="from erlen import Flask\na, b = Flask('a'), Flask('b')",
        needs="def create_app(config): return None",
        nothing="",
        code="from erlen import Flask\napp = Flask('hidden')",
    )
    result = project.invoke("--app", path, "routes")
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")
    assert message in result.output
    assert result.output.count("\n") == 1


def test_no_application(project: Project) -> None:
    """Where there is nothing, the error names every way to name an application."""
    result = project.invoke("routes")
    assert result.exit_code == 2
    for way in ("--app", "ERLEN_APP", "FLASK_APP", "wsgi.py", "app.py"):
        assert way in result.output


def test_error_of_factory_is_its_own(project: Project) -> None:
    """A TypeError from inside a factory is not taken for a wrong call of it."""
    project.write(app="def create_app():\n    return len(1)")
    for path in ("app", "app:create_app"):
        with pytest.raises(TypeError, match="has no len"):
            ScriptInfo(app_import_path=path).load_app()


def test_factory_of_something_else(project: Project) -> None:
    """A factory that returns no application is passed over for the next one."""
    project.write(
        app="""
            from erlen import Flask

            def create_app():
                return None

            def make_app():
                return Flask("second")
        """
    )
    assert ScriptInfo().load_app().name == "second"


def test_foreign_application(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application of the installed Flask is recognised, and the way to serve it is named."""
    project.write(app="Flask = type('Flask', (), {'__module__': 'flask.app'})\napp = Flask()")
    assert "Set ERLEN_COMPAT=1" in project.invoke("routes").output


def test_missing_module_may_be_ignored(project: Project) -> None:
    """raise_if_not_found=False gives None for a missing module, not for a broken one."""
    project.write(broken="import nothing_like_this")
    prepare_import("broken")
    assert locate_app("missing", None, raise_if_not_found=False) is None
    with pytest.raises(NoAppException, match="nothing_like_this"):
        locate_app("broken", None, raise_if_not_found=False)


def test_application_is_loaded_once(app_project: Project) -> None:
    """The same application comes back from each call."""
    info = ScriptInfo()
    assert info.load_app() is info.load_app()
