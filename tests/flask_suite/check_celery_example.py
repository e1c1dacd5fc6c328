"""Runs ``examples/celery`` of Flask's source distribution, which has no tests of its own.

Named so that only run.py collects it: the application is on the path, and Celery installed, there.
"""

from __future__ import annotations

import time
import typing as t

import pytest
from celery.contrib.testing.worker import start_worker  # type: ignore[import-not-found]

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """A client of the example, with a worker in a thread in place of one beside a Redis server."""
    monkeypatch.setenv("FLASK_CELERY__broker_url", "memory://")
    monkeypatch.setenv("FLASK_CELERY__result_backend", "cache+memory://")
    from make_celery import celery_app, flask_app  # type: ignore[import-not-found]

    with start_worker(celery_app, perform_ping_check=False):
        yield flask_app.test_client()


def wait_for(client: FlaskClient, task: str) -> dict[str, t.Any]:
    """Ask for a task's result until it is there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer: dict[str, t.Any] = client.get(f"/tasks/result/{task}").get_json()
        if answer["ready"]:
            return answer
        time.sleep(0.05)
    raise AssertionError("the task took too long")


def test_tasks(client: FlaskClient) -> None:
    """Tasks that views start run in the worker, with the application's context."""
    assert "Celery" in client.get("/").text
    task = client.post("/tasks/add", data={"a": 3, "b": 4}).get_json()["result_id"]
    assert wait_for(client, task) == {"ready": True, "successful": True, "value": 7}
    task = client.post("/tasks/process", data={"total": 1}).get_json()["result_id"]
    assert wait_for(client, task)["value"] == {"current": 1, "total": 1}
