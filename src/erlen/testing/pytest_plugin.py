"""Fixtures for the tests of an application, which pytest finds by itself once Erlen is installed.

=============== ===================================================================
``app``         the application that the ``erlen`` command would run, with ``TESTING`` on
``client``      its test client
``runner``      a runner of its commands
``app_ctx``     an application context, active during the test
``req_ctx``     a request context, active during the test
``live_server`` the application on a local port, for browsers and other processes
=============== ===================================================================

All but the first build on the fixture ``app``. Most projects define that one themselves, in
``conftest.py``; a fixture that is defined there takes the place of one from here, under each name.

The fixtures give way to those of another plugin also (pytest-django has a ``client`` too), and
none is used unless a test names it: no context is pushed, and no configuration changed, on the
side.
"""

from __future__ import annotations

import os
import types
import typing as t

import pytest

# Nothing else may be imported here: pytest loads this module in every run in an environment
# where Erlen is installed.
if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from erlen.ctx import AppContext, RequestContext
    from erlen.testing import FlaskClient, FlaskCliRunner
    from erlen.testing.live import LiveServer
    from erlen.typing import Application

HOW_TO_DEFINE_APP = """\
The test needs an application, and none was found ({reason})

Define a fixture that makes it, in conftest.py:

    @pytest.fixture
    def app():
        app = create_app()
        app.config["TESTING"] = True
        return app
"""


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Application:
    """The application that the ``erlen`` command would run, with ``TESTING`` on."""
    from erlen.cli import NoAppException, ScriptInfo

    named = os.environ.get("ERLEN_APP") or os.environ.get("FLASK_APP")
    try:
        app = ScriptInfo(named, set_debug_flag=False).load_app()
    except NoAppException as error:
        pytest.fail(HOW_TO_DEFINE_APP.format(reason=error.message), pytrace=False)
    # It may be the same object in all tests, so each cleans up after itself.
    monkeypatch.setitem(app.config, "TESTING", True)
    return app


@pytest.fixture
def client(app: Application) -> FlaskClient:
    """A test client of ``app``. Cookies last as long as the test."""
    return t.cast("FlaskClient", app.test_client())


@pytest.fixture
def runner(app: Application) -> FlaskCliRunner:
    """A runner for the commands of ``app``."""
    return t.cast("FlaskCliRunner", app.test_cli_runner())


@pytest.fixture
def app_ctx(app: Application) -> Iterator[AppContext]:
    """An application context of ``app``, active during the test."""
    with app.app_context() as context:
        yield context


@pytest.fixture
def req_ctx(app: Application) -> Iterator[RequestContext]:
    """A request context of ``app``, for a GET of ``/``, active during the test."""
    with app.test_request_context() as context:
        yield context


@pytest.fixture
def live_server(app: Application) -> Iterator[LiveServer]:
    """A server that runs ``app`` at ``live_server.url`` in a thread of the tests' process."""
    from erlen.testing.live import LiveServer

    with LiveServer(app) as server:
        yield server


FIXTURES: dict[str, t.Any] = {
    "app": app,
    "client": client,
    "runner": runner,
    "app_ctx": app_ctx,
    "req_ctx": req_ctx,
    "live_server": live_server,
}
# As attributes of this module they would be registered whatever other plugins have.
del app, client, runner, app_ctx, req_ctx, live_server


def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures whose names no other plugin uses."""
    others = [plugin for plugin in config.pluginmanager.get_plugins() if not _is_conftest(plugin)]
    holder = types.ModuleType("erlen fixtures", "Fixtures for the tests of an application.")
    for name, fixture in FIXTURES.items():
        if not any(isinstance(getattr(other, name, None), type(fixture)) for other in others):
            setattr(holder, name, fixture)
    config.pluginmanager.register(holder, "erlen-fixtures")


def _is_conftest(plugin: object) -> bool:
    # What a conftest.py defines goes before a plugin's anyway, and for its own folder only.
    file = getattr(plugin, "__file__", None)
    return isinstance(file, str) and file.endswith("conftest.py")
