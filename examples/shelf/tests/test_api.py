"""The JSON endpoints."""

import sqlite3
from typing import Any

import pytest

from erlen.testing import FlaskClient

NEW = {"title": "Nowhere", "author": "N. N.", "year": 1901, "language": "en", "copies": 2}


@pytest.fixture
def book(client: FlaskClient) -> dict[str, Any]:
    """A book that was just added."""
    added: dict[str, Any] = client.post("/api/books", json=NEW).get_json()
    return added


def test_the_entrance_says_where_everything_is(client: FlaskClient) -> None:
    assert client.get("/api/").get_json() == {"books": "/api/books", "loans": "/api/loans"}


def test_a_new_book_is_where_the_answer_says(client: FlaskClient) -> None:
    response = client.post("/api/books", json=NEW)
    assert response.status_code == 201
    shown = client.get(response.headers["Location"]).get_json()
    assert shown == response.get_json()
    assert shown["available"] == 2
    assert shown["english_title"] is None


def test_a_book_cannot_be_added_twice(client: FlaskClient, book: dict[str, Any]) -> None:
    response = client.post("/api/books", json={**NEW, "title": "NOWHERE"})
    assert response.status_code == 409
    assert response.get_json()["detail"] == "“NOWHERE” by N. N. is in the catalogue already."


def test_put_writes_a_book_anew(client: FlaskClient, book: dict[str, Any]) -> None:
    changed = {**NEW, "title": "Erewhon II", "born": 1870}
    response = client.put(book["url"], json=changed)
    assert response.get_json() == {**book, **changed}
    assert client.get(book["url"]).get_json() == response.get_json()


def test_put_needs_the_whole_book(client: FlaskClient, book: dict[str, Any]) -> None:
    response = client.put(book["url"], json={"title": "Only"})
    assert response.status_code == 400
    assert set(response.get_json()["errors"]) == {"author", "year", "language", "copies"}


def test_copies_cannot_be_fewer_than_are_out(client: FlaskClient, book: dict[str, Any]) -> None:
    client.post("/api/loans", json={"book": book["id"], "reader": "Ada"})
    assert client.put(book["url"], json={**NEW, "copies": 0}).status_code == 409
    assert client.put(book["url"], json={**NEW, "copies": 1}).get_json()["available"] == 0


def test_a_book_never_lent_can_be_removed(client: FlaskClient, book: dict[str, Any]) -> None:
    assert client.delete(book["url"]).status_code == 204
    assert client.get(book["url"]).status_code == 404
    assert client.delete(book["url"]).status_code == 404


def test_a_book_once_lent_cannot_be_removed(client: FlaskClient, book: dict[str, Any]) -> None:
    loan = client.post("/api/loans", json={"book": book["id"], "reader": "Ada"}).get_json()
    client.delete(loan["url"])
    response = client.delete(book["url"])
    assert response.status_code == 409
    assert "To retire it" in response.get_json()["detail"]


def test_what_is_unchanged_is_not_sent_again(client: FlaskClient, book: dict[str, Any]) -> None:
    tag = client.get(book["url"]).headers["ETag"]
    response = client.get(book["url"], headers={"If-None-Match": tag})
    assert (response.status_code, response.data) == (304, b"")
    client.post("/api/loans", json={"book": book["id"], "reader": "Ada"})
    assert client.get(book["url"], headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_change_based_on_an_old_state_is_refused(
    client: FlaskClient, book: dict[str, Any], method: str
) -> None:
    old = client.get(book["url"]).headers["ETag"]
    client.put(book["url"], json={**NEW, "copies": 5})
    new = client.get(book["url"]).headers["ETag"]
    late = client.open(book["url"], method=method, json=NEW, headers={"If-Match": old})
    assert late.status_code == 412
    right = client.open(book["url"], method=method, json=NEW, headers={"If-Match": new})
    assert right.status_code in (200, 204)


def test_a_loan_is_made_shown_and_ended(client: FlaskClient, book: dict[str, Any]) -> None:
    response = client.post("/api/loans", json={"book": book["id"], "reader": "Ada"})
    assert response.status_code == 201
    loan = client.get(response.headers["Location"]).get_json()
    assert (loan["book"], loan["reader"], loan["returned_on"]) == (book["id"], "Ada", None)
    assert client.get(book["url"]).get_json()["available"] == 1
    assert client.delete(loan["url"]).get_json()["returned_on"] is not None
    assert client.get(book["url"]).get_json()["available"] == 2


def test_loans_are_listed_by_reader_and_state(client: FlaskClient, book: dict[str, Any]) -> None:
    for reader in ("Ada", "Ben"):
        client.post("/api/loans", json={"book": book["id"], "reader": reader})
    client.delete("/api/loans/1")
    assert client.get("/api/loans").get_json()["total"] == 2
    assert client.get("/api/loans?reader=ben").get_json()["items"][0]["reader"] == "Ben"
    assert client.get("/api/loans?reader=ada&state=open").get_json()["items"] == []
    assert client.get("/api/loans?state=returned").get_json()["items"][0]["reader"] == "Ada"


def test_links_lead_through_a_list(client: FlaskClient) -> None:
    page = client.get("/api/books?q=dickens&sort=oldest&per_page=5&page=2").get_json()
    assert set(page["links"]) == {"first", "prev", "next", "last"}
    following = client.get(page["links"]["next"]).get_json()
    assert following["page"] == 3
    assert following["items"][0]["year"] >= page["items"][-1]["year"]


def test_nothing_is_written_when_a_loan_is_refused(
    client: FlaskClient, book: dict[str, Any], db: sqlite3.Connection
) -> None:
    for _ in range(2):
        client.post("/api/loans", json={"book": book["id"], "reader": "Ada"})
    assert db.execute("SELECT count(*) FROM loans").fetchone() == (1,)


def test_programs_get_no_cookie(client: FlaskClient) -> None:
    response = client.get("/api/books")
    assert "Set-Cookie" not in response.headers
    assert "Cookie" not in response.headers.get("Vary", "")
