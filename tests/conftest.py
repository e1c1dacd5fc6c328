"""Fixtures that all tests share."""

from __future__ import annotations

import logging
import os
import sys
import typing as t
from pathlib import Path

import pytest
from tests.overridden import OverriddenFlask

from erlen import Flask
from erlen.globals import _cv_app, _cv_request

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from erlen.ctx import AppContext, RequestContext
    from erlen.testing import FlaskClient

#: Environment variables with these beginnings change what the framework does.
OUR_VARIABLES = ("ERLEN_", "FLASK_", "WERKZEUG_")

#: The ways in which a request can come in.
GATEWAYS = ("wsgi", "asgi", "rsgi")

#: How the tests of the core are run: by each of these gateways, and each time on an application
#: as it is and on one whose steps are all overridden.
CORE_RUNS = ("wsgi", "asgi", "wsgi-overridden", "asgi-overridden")

#: Which tests are those of the core, below this folder.
CORE = (
    "core/",
    "security/",
    "test_debughelpers.py",
    "test_files.py",
    "test_formdata.py",
    "test_json.py",
    "test_logging.py",
    "test_sessions.py",
    "test_templating.py",
    "test_testing.py",
    "test_views.py",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of the core that have an application in each way in which that can be."""
    place = Path(metafunc.module.__file__).relative_to(Path(__file__).parent)
    names = metafunc.fixturenames
    if "gateway" in names and "gateway_client" not in names and place.as_posix().startswith(CORE):
        marker = metafunc.definition.get_closest_marker("gateways")
        runs = CORE_RUNS if marker is None else marker.args
        metafunc.parametrize("gateway", runs, indirect=True)


@pytest.fixture
def gateway(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the requests of all test clients come in, and perhaps ``-overridden``."""
    from erlen.testing import FlaskClient

    name: str = getattr(request, "param", "wsgi")
    monkeypatch.setattr(FlaskClient, "gateway", name.partition("-")[0])
    return name


@pytest.fixture(autouse=True)
def _no_leaked_context() -> Iterator[None]:
    """Fail a test that leaves a context pushed; the next one would see its request."""
    yield
    leaked = []
    for variable in (_cv_request, _cv_app):
        while (context := variable.get(None)) is not None:
            leaked.append(repr(context))
            context.pop()
    assert leaked == []


@pytest.fixture(autouse=True)
def _clean_environ() -> Iterator[None]:
    """Hide the framework's environment variables from a test, and undo what it sets itself."""
    before = _take_our_variables()
    yield
    _take_our_variables()
    os.environ.update(before)


def _take_our_variables() -> dict[str, str]:
    names = [name for name in os.environ if name.startswith(OUR_VARIABLES)]
    return {name: os.environ.pop(name) for name in names}


@pytest.fixture
def app(gateway: str) -> Flask:
    """An application without routes. Its templates and static files are in this folder."""
    # Loggers outlive their applications; another test may have switched this one off.
    logging.getLogger("erlen_test").disabled = False
    cls = OverriddenFlask if gateway.endswith("-overridden") else Flask
    app = cls("erlen_test", root_path=str(Path(__file__).parent))
    app.config.update(TESTING=True, SECRET_KEY="test key")
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A test client of ``app``."""
    return app.test_client()


@pytest.fixture(params=GATEWAYS)
def gateway_client(app: Flask, request: pytest.FixtureRequest) -> FlaskClient:
    """A test client of ``app``, once for each way in which a request can come in."""
    return app.test_client(gateway=request.param)


@pytest.fixture
def app_ctx(app: Flask) -> Iterator[AppContext]:
    """An application context of ``app`` that is active during the test."""
    with app.app_context() as context:
        yield context


@pytest.fixture
def req_ctx(app: Flask) -> Iterator[RequestContext]:
    """A request context of ``app``, for a GET of ``/``, that is active during the test."""
    with app.test_request_context() as context:
        yield context


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to write Python modules to, importable during the test and forgotten after it."""
    folder = tmp_path / "modules"
    folder.mkdir()
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in set(sys.modules) - before:
        if _is_inside(sys.modules[name], folder):
            del sys.modules[name]


def _is_inside(module: t.Any, folder: Path) -> bool:
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    return any(place is not None and folder in Path(place).parents for place in places)
