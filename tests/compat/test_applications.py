"""What published applications do, and Flask lets them do, beyond its documentation."""

from __future__ import annotations

import typing as t

import pytest

from erlen import Erlen, Flask, make_response

if t.TYPE_CHECKING:
    from erlen import Response


@pytest.mark.parametrize("application", [Flask, Erlen])
def test_headers_replaced(application: type[Flask]) -> None:
    """A view assigns a plain dictionary to a response's headers, as httpbin does."""
    app = application(__name__)

    @app.get("/")
    def index() -> Response:
        response = make_response("short and stout", 418)
        response.headers = {"X-More": "1", "Location": "/ü"}  # type: ignore[assignment]
        return response

    answer = app.test_client().get("/")
    assert (answer.status_code, answer.text) == (418, "short and stout")
    assert (answer.headers["X-More"], answer.headers["Location"]) == ("1", "/%C3%BC")
    assert answer.headers["Content-Length"] == "15"
