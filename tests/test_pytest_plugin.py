"""The fixtures that pytest finds by itself, in projects of their own."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

import erlen.testing

if t.TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ["pytester"]

APP_FIXTURE = """
    import pytest
    from erlen import Flask

    @pytest.fixture
    def app():
        app = Flask("shop")
        app.add_url_rule("/", view_func=lambda: "index", endpoint="index")

        @app.cli.command("hello")
        def hello():
            print("Hello from a command")

        return app
"""


@pytest.fixture
def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Run pytest on the project in the current folder, with the plugin and no others."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(*args: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess("-p", "erlen.testing.pytest_plugin", *args)

    return run


def test_fixtures_build_on_app(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    """With a fixture ``app`` in conftest.py, all others work."""
    pytester.makeconftest(APP_FIXTURE)
    pytester.makepyfile(
        """
        from urllib.request import urlopen
        from erlen import current_app, request
        from erlen.testing import FlaskClient, FlaskCliRunner

        def test_client(app, client):
            assert isinstance(client, FlaskClient)
            assert client.application is app
            assert client.get("/").text == "index"

        def test_runner(runner):
            assert isinstance(runner, FlaskCliRunner)
            assert "Hello from a command" in runner.invoke(args=["hello"]).output

        def test_app_ctx(app_ctx):
            assert current_app.name == "shop"
            assert app_ctx.app is current_app._get_current_object()

        def test_req_ctx(req_ctx):
            assert request.path == "/"
            assert req_ctx.request is request._get_current_object()

        def test_live_server(live_server):
            with urlopen(live_server.url_for("index"), timeout=30) as response:
                assert response.read() == b"index"
        """
    )
    run().assert_outcomes(passed=5)


def test_nothing_happens_on_the_side(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    """A test that uses ``app`` alone gets it as it is, with no context around it."""
    pytester.makeconftest(APP_FIXTURE)
    pytester.makepyfile(
        """
        from erlen import has_app_context, has_request_context

        def test_app(app):
            assert app.testing is False
            assert not has_app_context()
            assert not has_request_context()

        def test_nothing(request):
            assert not {"app", "client"} & set(request.fixturenames)
        """
    )
    run().assert_outcomes(passed=2)


def test_users_fixtures_go_first(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    """What a conftest.py or a test module defines takes the place of the plugin's."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture
        def client():
            return "from conftest"

        @pytest.fixture(scope="session")
        def app():
            return "an application"
        """
    )
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def runner(client):
            return f"{client} and module"

        def test_all(app, client, runner):
            assert app == "an application"
            assert client == "from conftest"
            assert runner == "from conftest and module"
        """
    )
    run().assert_outcomes(passed=1)


def test_users_fixture_can_extend(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    """A fixture of the same name may build on the plugin's."""
    pytester.makeconftest(
        APP_FIXTURE
        + """
    @pytest.fixture
    def client(client):
        client.environ_base["HTTP_X_TOKEN"] = "secret"
        return client
"""
    )
    pytester.makepyfile(
        """
        def test_client(client):
            assert client.get("/").request.headers["X-Token"] == "secret"
        """
    )
    run().assert_outcomes(passed=1)


@pytest.mark.parametrize("first", ["otherplugin", "erlen.testing.pytest_plugin"])
def test_other_plugins_go_first(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Another plugin's fixtures are used, whichever of the two is loaded first."""
    pytester.makepyfile(
        otherplugin="""
        import pytest

        @pytest.fixture
        def client():
            return "the other plugin's"

        runner = "not a fixture"
        """
    )
    pytester.makeconftest(APP_FIXTURE)
    pytester.makepyfile(
        """
        def test_client(client, runner):
            assert client == "the other plugin's"
            assert runner.app.name == "shop"
        """
    )
    pytester.syspathinsert()
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    plugins = sorted(["otherplugin", "erlen.testing.pytest_plugin"], key=lambda n: n != first)
    arguments = [argument for name in plugins for argument in ("-p", name)]
    pytester.runpytest_inprocess(*arguments).assert_outcomes(passed=1)


def test_fixtures_of_one_folder(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    """A conftest.py that defines ``client`` for its folder leaves the others the plugin's."""
    pytester.makeconftest(APP_FIXTURE)
    for folder in ("a", "b"):
        (pytester.path / folder).mkdir()
        (pytester.path / folder / f"test_{folder}.py").write_text(
            f"def test_client(client): assert (client == 'own') is {folder == 'a'}"
        )
    (pytester.path / "a" / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef client(): return 'own'\n"
    )
    run("a", "b").assert_outcomes(passed=2)


# The application that the command would run


def test_app_is_located(pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]) -> None:
    """Without a fixture ``app``, the application of app.py is tested, in test mode."""
    pytester.makepyfile(
        app="""
        from erlen import Flask

        app = Flask(__name__)
        app.add_url_rule("/", view_func=lambda: "found")
        """
    )
    pytester.makepyfile(
        """
        import app as module

        def test_found(app, client):
            assert app.testing
            assert client.get("/").text == "found"

        def test_restored():
            assert not module.app.testing
        """
    )
    run().assert_outcomes(passed=2)


@pytest.mark.parametrize("variable", ["ERLEN_APP", "FLASK_APP"])
def test_app_is_named(
    pytester: pytest.Pytester,
    run: Callable[..., pytest.RunResult],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    """The environment variable may name another module, or a factory with its arguments."""
    monkeypatch.setenv(variable, "shop:make('Ada')")
    pytester.makepyfile(
        shop="""
        from erlen import Flask

        def make(name):
            app = Flask(__name__)
            app.add_url_rule("/", view_func=lambda: name)
            return app
        """
    )
    pytester.makepyfile("def test_found(client): assert client.get('/').text == 'Ada'")
    run().assert_outcomes(passed=1)


def test_app_cannot_be_imported(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    """A mistake in the application's module is shown, not hidden."""
    pytester.makepyfile(app="import absent_module")
    pytester.makepyfile("def test_client(client): pass")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*No module named 'absent_module'*"])


def test_app_is_not_found(pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]) -> None:
    """Where there is no application either, the test says how to define the fixture."""
    pytester.makepyfile("def test_client(client): pass")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*The test needs an application*", "*def app():*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_fixtures_are_listed(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    """``pytest --fixtures`` explains each of them."""
    result = run("--fixtures")
    for name in ("app", "client", "runner", "app_ctx", "req_ctx", "live_server"):
        result.stdout.fnmatch_lines([f"{name} -- *pytest_plugin.py:*"])


def test_plugin_imports_next_to_nothing() -> None:
    """Loading the module, which pytest does in every run, imports nothing but pytest."""
    script = """
import sys, types
import pytest

before = set(sys.modules)
for name, path in (("erlen", None), ("erlen.testing", sys.argv[1])):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [path] if path else []
import erlen.testing.pytest_plugin
print(*sorted(set(sys.modules) - before))
"""
    folder = str(Path(erlen.testing.__file__).parent)
    command = [sys.executable, "-c", script, folder]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.split() == ["erlen", "erlen.testing", "erlen.testing.pytest_plugin"]
