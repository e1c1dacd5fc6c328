"""Fixtures that all tests share."""

from __future__ import annotations

import logging
import os
import sys
import typing as t
from pathlib import Path

import pytest

from erlen import Flask
from erlen.globals import _cv_app, _cv_request

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from erlen.ctx import AppContext, RequestContext
    from erlen.testing import FlaskClient

#: Environment variables with these beginnings change what the framework does.
OUR_VARIABLES = ("ERLEN_", "FLASK_", "WERKZEUG_")

#: For each way in which a request can come in, how to make a client that sends its requests so.
GATEWAYS: dict[str, Callable[[Flask], FlaskClient]] = {
    "wsgi": lambda app: app.test_client(),
}


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
def app() -> Flask:
    """An application without routes. Its templates and static files are in this folder."""
    # Loggers outlive their applications; another test may have switched this one off.
    logging.getLogger("erlen_test").disabled = False
    app = Flask("erlen_test", root_path=str(Path(__file__).parent))
    app.config.update(TESTING=True, SECRET_KEY="test key")
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A test client of ``app``."""
    return app.test_client()


@pytest.fixture(params=sorted(GATEWAYS))
def gateway_client(app: Flask, request: pytest.FixtureRequest) -> FlaskClient:
    """A test client of ``app``, once for each way in which a request can come in."""
    return GATEWAYS[request.param](app)


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
