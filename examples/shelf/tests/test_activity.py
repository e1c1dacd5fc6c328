"""What happens shows on a page that follows it."""

import pytest
from conftest import PASSWORD, log_in
from shelf.accounts import make_account

from erlen import Erlen
from erlen.testing import FlaskClient


@pytest.fixture(autouse=True)
def _no_waiting(app: Erlen) -> None:
    app.config["ACTIVITY_SECONDS"] = 0.01


def test_the_page_shows_the_latest_first(alma: FlaskClient, ada: FlaskClient) -> None:
    ada.post("/books/1/borrow")
    ada.post("/loans/1/return")
    ada.post("/loans/1/return")
    response = alma.get("/activity")
    assert response.text.count("<strong>Ada</strong>") == 2
    assert response.text.index("returned") < response.text.index("Ada</strong> borrowed")
    assert 'data-events="/activity/events?after=2"' in response.text
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "script-src 'self'" in policy
    assert "script-src" not in alma.get("/").headers["Content-Security-Policy"]


def test_a_browser_is_told_what_is_new_to_it(alma: FlaskClient, ada: FlaskClient) -> None:
    for book in (1, 2, 3):
        ada.post(f"/books/{book}/borrow")
    stream = alma.get("/activity/events?after=1")
    assert stream.mimetype == "text/event-stream"
    assert stream.text.startswith("retry: 1000\n\n")
    assert "id: 1\n" not in stream.text
    assert "event: happening\nid: 2\ndata: <strong>Ada</strong> borrowed <a href=" in stream.text
    again = alma.get("/activity/events?after=1", headers={"Last-Event-ID": "2"}).text
    assert "id: 2\n" not in again and "id: 3\n" in again


@pytest.mark.parametrize("known", ["", "x", "-1", "²", "9" * 19, "9" * 5000])
def test_any_other_id_does_no_harm(alma: FlaskClient, known: str) -> None:
    assert alma.get("/activity/events", query_string={"after": known}).status_code == 200


def test_what_readers_write_is_escaped(app: Erlen, alma: FlaskClient) -> None:
    with app.app_context():
        make_account("mallory@shelf.example", "<script>alert(1)</script>", PASSWORD)
    log_in(app, "mallory").post("/books/1/borrow")
    for page in ("/activity", "/activity/events", "/readers"):
        text = alma.get(page).text
        assert "&lt;script&gt;alert" in text and "<script>alert" not in text
