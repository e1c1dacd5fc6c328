"""Borrowing and returning, by readers in their browsers."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

from conftest import PASSWORD, log_in

from erlen import Erlen
from erlen.testing import FlaskClient


def find(client: FlaskClient, text: str) -> int:
    """Return the id of the first book that a search finds."""
    book_id: int = client.get("/api/books", query_string={"q": text}).get_json()["items"][0]["id"]
    return book_id


def test_the_same_browser_on_another_device_has_the_same_loans(
    app: Erlen, ada: FlaskClient
) -> None:
    ada.post(f"/books/{find(ada, 'emma')}/borrow")
    assert "Emma" in log_in(app, "ADA").get("/loans").text


def test_who_borrows_without_an_account_logs_in_and_comes_back(client: FlaskClient) -> None:
    book_id = find(client, "emma")
    response = client.post(f"/books/{book_id}/borrow")
    assert response.status_code == 303
    assert response.location == f"/account/login?next=/books/{book_id}"
    form = {"email": "ada@shelf.example", "password": PASSWORD}
    assert client.post(response.location, data=form).location == f"/books/{book_id}"


def test_a_borrowed_book_is_among_my_loans_until_returned(
    ada: FlaskClient, db: sqlite3.Connection
) -> None:
    book_id = find(ada, "middlemarch")
    page = ada.post(f"/books/{book_id}/borrow", follow_redirects=True).text
    due = date.today() + timedelta(days=21)
    assert f'You have this book until <time datetime="{due}">' in page
    assert "Middlemarch" in ada.get("/loans").text
    (loan_id,) = db.execute("SELECT id FROM loans").fetchone()
    page = ada.post(f"/loans/{loan_id}/return", follow_redirects=True).text
    assert "Thank you for returning “Middlemarch”." in page
    assert "You have no books at the moment." in page
    assert "<h2>Returned</h2>" in page


def test_returning_twice_changes_nothing(ada: FlaskClient, db: sqlite3.Connection) -> None:
    ada.post(f"/books/{find(ada, 'emma')}/borrow")
    ada.post("/loans/1/return")
    db.execute("UPDATE loans SET returned_on = '2020-01-01'")
    assert ada.post("/loans/1/return").status_code == 303
    assert db.execute("SELECT returned_on FROM loans").fetchone() == ("2020-01-01",)


def test_a_reader_takes_one_copy_of_a_book(ada: FlaskClient) -> None:
    book_id = find(ada, "utopia")
    ada.post(f"/books/{book_id}/borrow")
    page = ada.post(f"/books/{book_id}/borrow", follow_redirects=True).text
    assert "has a copy of the book already" in page


def test_another_reader_cannot_return_my_book(ada: FlaskClient, ben: FlaskClient) -> None:
    ada.post(f"/books/{find(ada, 'emma')}/borrow")
    assert ben.post("/loans/1/return").status_code == 404
    assert ben.delete("/api/loans/1").status_code == 404
    assert ada.get("/api/loans/1").get_json()["returned_on"] is None


def test_an_overdue_book_is_marked(ada: FlaskClient, db: sqlite3.Connection) -> None:
    book_id = find(ada, "emma")
    ada.post(f"/books/{book_id}/borrow")
    assert "Overdue" not in ada.get("/loans").text
    db.execute("UPDATE loans SET due_on = ?", ((date.today() - timedelta(days=1)).isoformat(),))
    assert "Overdue" in ada.get("/loans").text
    assert "Overdue" in ada.get(f"/books/{book_id}").text
    assert "is due back on" not in ada.get(f"/books/{book_id}").text
    assert ada.get("/api/loans?state=overdue").get_json()["total"] == 1


def test_a_book_due_today_is_not_overdue(ada: FlaskClient, db: sqlite3.Connection) -> None:
    ada.post(f"/books/{find(ada, 'emma')}/borrow")
    db.execute("UPDATE loans SET due_on = ?", (date.today().isoformat(),))
    assert ada.get("/api/loans?state=overdue").get_json()["total"] == 0


def test_the_last_copy_goes_to_one_reader(
    app: Erlen, alma: FlaskClient, db: sqlite3.Connection
) -> None:
    cookie = alma.get_cookie("session")
    assert cookie is not None
    cookies = {"Cookie": f"session={cookie.value}"}
    (book_id,) = db.execute("SELECT id FROM books WHERE copies = 1 LIMIT 1").fetchone()

    def borrow(number: int) -> int:
        loan = {"book": book_id, "reader": f"Reader {number}"}
        program = app.test_client(use_cookies=False)
        return program.post("/api/loans", json=loan, headers=cookies).status_code

    with ThreadPoolExecutor(16) as pool:
        answers = sorted(pool.map(borrow, range(16)))
    assert answers == [201] + [409] * 15
    assert db.execute("SELECT count(*) FROM loans").fetchone() == (1,)


def test_loans_stay_on_record_at_the_book_for_librarians(
    ada: FlaskClient, alma: FlaskClient
) -> None:
    book_id = find(ada, "emma")
    ada.post(f"/books/{book_id}/borrow")
    ada.post("/loans/1/return")
    assert "Who has read it" in alma.get(f"/books/{book_id}").text
    assert "Who has read it" not in ada.get(f"/books/{book_id}").text


def test_my_loans_show_the_last_fifty_returned(ada: FlaskClient, db: sqlite3.Connection) -> None:
    ada.post("/books/700/borrow")
    ada.post("/loans/1/return")
    db.execute("DELETE FROM loans")
    db.executemany(
        """INSERT INTO loans (book_id, reader_id, borrowed_on, due_on, returned_on)
        VALUES (?, 1, '2020-01-01', '2020-01-21', '2020-01-09')""",
        [(number,) for number in range(1, 61)],
    )
    assert "These are the last 50 of 60." in ada.get("/loans").text
