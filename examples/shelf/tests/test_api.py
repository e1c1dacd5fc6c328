"""The JSON endpoints, used by a librarian."""

import sqlite3
from typing import Any

import pytest

from erlen.testing import FlaskClient

NEW = {"title": "Nowhere", "author": "N. N.", "year": 1901, "language": "en", "copies": 2}


@pytest.fixture
def book(alma: FlaskClient) -> dict[str, Any]:
    """A book that was just added."""
    added: dict[str, Any] = alma.post("/api/books", json=NEW).get_json()
    return added


def test_the_entrance_says_where_everything_is(client: FlaskClient) -> None:
    assert client.get("/api/").get_json() == {"books": "/api/books", "loans": "/api/loans"}


def test_a_new_book_is_where_the_answer_says(alma: FlaskClient) -> None:
    response = alma.post("/api/books", json=NEW)
    assert response.status_code == 201
    shown = alma.get(response.headers["Location"]).get_json()
    assert shown == response.get_json()
    assert shown["available"] == 2
    assert shown["english_title"] is None


def test_a_book_cannot_be_added_twice(alma: FlaskClient, book: dict[str, Any]) -> None:
    response = alma.post("/api/books", json={**NEW, "title": "NOWHERE"})
    assert response.status_code == 409
    assert response.get_json()["detail"] == "“NOWHERE” by N. N. is in the catalogue already."


def test_put_writes_a_book_anew(alma: FlaskClient, book: dict[str, Any]) -> None:
    changed = {**NEW, "title": "Erewhon II", "born": 1870}
    response = alma.put(book["url"], json=changed)
    assert response.get_json() == {**book, **changed}
    assert alma.get(book["url"]).get_json() == response.get_json()


def test_put_needs_the_whole_book(alma: FlaskClient, book: dict[str, Any]) -> None:
    response = alma.put(book["url"], json={"title": "Only"})
    assert response.status_code == 400
    assert set(response.get_json()["errors"]) == {"author", "year", "language", "copies"}


def test_copies_cannot_be_fewer_than_are_out(alma: FlaskClient, book: dict[str, Any]) -> None:
    alma.post("/api/loans", json={"book": book["id"], "reader": "Ada"})
    assert alma.put(book["url"], json={**NEW, "copies": 0}).status_code == 409
    assert alma.put(book["url"], json={**NEW, "copies": 1}).get_json()["available"] == 0


def test_a_book_never_lent_can_be_removed(alma: FlaskClient, book: dict[str, Any]) -> None:
    assert alma.delete(book["url"]).status_code == 204
    assert alma.get(book["url"]).status_code == 404
    assert alma.delete(book["url"]).status_code == 404


def test_a_book_once_lent_cannot_be_removed(alma: FlaskClient, book: dict[str, Any]) -> None:
    loan = alma.post("/api/loans", json={"book": book["id"], "reader": "Ada"}).get_json()
    alma.delete(loan["url"])
    response = alma.delete(book["url"])
    assert response.status_code == 409
    assert "To retire it" in response.get_json()["detail"]


def test_what_is_unchanged_is_not_sent_again(alma: FlaskClient, book: dict[str, Any]) -> None:
    tag = alma.get(book["url"]).headers["ETag"]
    response = alma.get(book["url"], headers={"If-None-Match": tag})
    assert (response.status_code, response.data) == (304, b"")
    alma.post("/api/loans", json={"book": book["id"], "reader": "Ada"})
    assert alma.get(book["url"], headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_change_based_on_an_old_state_is_refused(
    alma: FlaskClient, book: dict[str, Any], method: str
) -> None:
    old = alma.get(book["url"]).headers["ETag"]
    alma.put(book["url"], json={**NEW, "copies": 5})
    new = alma.get(book["url"]).headers["ETag"]
    late = alma.open(book["url"], method=method, json=NEW, headers={"If-Match": old})
    assert late.status_code == 412
    right = alma.open(book["url"], method=method, json=NEW, headers={"If-Match": new})
    assert right.status_code in (200, 204)


def test_a_loan_is_made_shown_and_ended(alma: FlaskClient, book: dict[str, Any]) -> None:
    response = alma.post("/api/loans", json={"book": book["id"], "reader": "Ada"})
    assert response.status_code == 201
    loan = alma.get(response.headers["Location"]).get_json()
    assert (loan["book"], loan["reader"], loan["returned_on"]) == (book["id"], "Ada", None)
    assert alma.get(book["url"]).get_json()["available"] == 1
    assert alma.delete(loan["url"]).get_json()["returned_on"] is not None
    assert alma.get(book["url"]).get_json()["available"] == 2


def test_loans_are_listed_by_reader_and_state(alma: FlaskClient, book: dict[str, Any]) -> None:
    for reader in ("Ada", "Ben"):
        alma.post("/api/loans", json={"book": book["id"], "reader": reader})
    alma.delete("/api/loans/1")
    assert alma.get("/api/loans").get_json()["total"] == 2
    assert alma.get("/api/loans?reader=ben").get_json()["items"][0]["reader"] == "Ben"
    assert alma.get("/api/loans?reader=ada&state=open").get_json()["items"] == []
    assert alma.get("/api/loans?state=returned").get_json()["items"][0]["reader"] == "Ada"


def test_links_lead_through_a_list(alma: FlaskClient) -> None:
    page = alma.get("/api/books?q=dickens&sort=oldest&per_page=5&page=2").get_json()
    assert set(page["links"]) == {"first", "prev", "next", "last"}
    following = alma.get(page["links"]["next"]).get_json()
    assert following["page"] == 3
    assert following["items"][0]["year"] >= page["items"][-1]["year"]


def test_nothing_is_written_when_a_loan_is_refused(
    alma: FlaskClient, book: dict[str, Any], db: sqlite3.Connection
) -> None:
    for _ in range(2):
        alma.post("/api/loans", json={"book": book["id"], "reader": "Ada"})
    assert db.execute("SELECT count(*) FROM loans").fetchone() == (1,)


def test_programs_get_no_cookie(client: FlaskClient) -> None:
    response = client.get("/api/books")
    assert "Set-Cookie" not in response.headers
    assert "Cookie" not in response.headers.get("Vary", "")
