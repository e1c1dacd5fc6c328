"""Accounts: who comes in, and who may do what."""

import re
import sqlite3
from typing import Any
from urllib.parse import quote

import pytest
from conftest import PASSWORD, log_in
from shelf.accounts import accounts

from erlen import Erlen
from erlen.testing import FlaskClient, FlaskCliRunner

CID = {
    "name": "  Cid   Hopper ",
    "email": "cid@shelf.example",
    "password": "flask of tea",
    "repeat": "flask of tea",
}


def outbox(app: Erlen) -> list[Any]:
    """Return the mails that were sent."""
    with app.app_context():
        return accounts.letters.mail.outbox


def test_somebody_registers_confirms_and_borrows(app: Erlen, client: FlaskClient) -> None:
    assert "Look into your mail" in client.post("/account/register", data=CID).text
    [mail] = outbox(app)
    link = re.search(r"http://localhost(/\S+)", mail.get_content())
    assert link is not None
    client.post(link[1], data={"password": CID["password"]})
    assert "Cid Hopper" in client.get("/").text
    page = client.post("/books/1/borrow", follow_redirects=True).text
    assert "is yours until" in page


def test_a_login_is_remembered_when_wanted(app: Erlen, client: FlaskClient) -> None:
    form = {"email": "ada@shelf.example", "password": PASSWORD, "remember": "y"}
    client.post("/account/login", data=form)
    client.delete_cookie("session")
    assert "Ada" in client.get("/").text
    client.post("/account/logout")
    assert "Log in" in client.get("/").text


def test_a_name_that_is_taken_gets_a_number(
    ada: FlaskClient, alma: FlaskClient, db: sqlite3.Connection
) -> None:
    alma.post("/api/loans", json={"book": 1, "reader": "ADA"})
    ada.post("/books/2/borrow")
    assert db.execute("SELECT name FROM readers ORDER BY id").fetchall() == [("ADA",), ("Ada (2)",)]


@pytest.mark.parametrize(
    "address", ["/activity", "/activity/events", "/readers", "/books/new", "/books/1/edit"]
)
def test_what_librarians_do_is_not_for_readers(
    client: FlaskClient, ada: FlaskClient, address: str
) -> None:
    assert client.get(address).location == f"/account/login?next={quote(address, safe='')}"
    assert ada.get(address).status_code == 403


@pytest.mark.parametrize(
    ("method", "address"),
    [("POST", "/api/books"), ("PUT", "/api/books/1"), ("DELETE", "/api/books/1")],
)
def test_programs_of_readers_cannot_change_books(
    client: FlaskClient, ada: FlaskClient, method: str, address: str
) -> None:
    response = client.open(address, method=method, json={})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic")
    assert ada.open(address, method=method, json={}).status_code == 403


def test_a_program_says_who_it_is(client: FlaskClient) -> None:
    auth = ("ada@shelf.example", PASSWORD)
    response = client.post("/api/loans", json={"book": 1}, auth=auth)
    assert (response.status_code, response.get_json()["reader"]) == (201, "Ada")
    assert "Set-Cookie" not in response.headers
    assert client.get("/api/loans", auth=auth).get_json()["total"] == 1
    assert client.get("/api/loans", auth=("ada@shelf.example", "no")).status_code == 401
    assert client.get("/api/loans").status_code == 401


def test_guesses_of_programs_are_counted(client: FlaskClient) -> None:
    answers = [
        client.get("/api/loans", auth=("ada@shelf.example", "no")).status_code for _ in range(7)
    ]
    assert answers == [401] * 5 + [429] * 2


def test_the_password_opens_no_page_but_those_for_programs(client: FlaskClient) -> None:
    assert client.get("/loans", auth=("ada@shelf.example", PASSWORD)).status_code == 302


def test_readers_see_their_own_loans_only(ada: FlaskClient, ben: FlaskClient) -> None:
    ada.post("/books/1/borrow")
    assert ada.get("/api/loans?reader=ada").get_json()["total"] == 1
    assert ben.get("/api/loans").get_json()["total"] == 0
    assert ben.get("/api/loans?reader=ada").status_code == 403
    assert ben.get("/api/loans?reader=nobody").status_code == 403
    assert ben.get("/api/loans/1").status_code == 404
    assert ben.post("/api/loans", json={"book": 2, "reader": "Ada"}).status_code == 403


def test_the_list_of_sessions_shows_each_device(app: Erlen, ada: FlaskClient) -> None:
    other = log_in(app, "ada")
    page = ada.get("/account/sessions").text
    assert page.count("Last used") == 2
    assert page.count("This device") == 1
    [address] = re.findall(r'action="(/account/sessions/[^"]+/end)"', page)
    assert "Type your password" in ada.post(address).text
    ada.post(address, data={"password": PASSWORD})
    assert "Log in" in other.get("/").text
    assert "Ada" in ada.get("/").text


def test_demo_accounts_keep_their_passwords(app: Erlen, runner: FlaskCliRunner) -> None:
    first = runner.invoke(args=["demo-accounts"]).output
    found = re.search(r"librarian@shelf.example with (\w{16})", first)
    assert found is not None
    assert runner.invoke(args=["demo-accounts"]).output == first
    form = {"email": "librarian@shelf.example", "password": found[1]}
    client = app.test_client()
    client.post("/account/login", data=form)
    assert client.get("/readers").status_code == 200


def test_a_reader_is_made_a_librarian(ada: FlaskClient, runner: FlaskCliRunner) -> None:
    assert runner.invoke(args=["make-librarian", "ada@shelf.example"]).exit_code == 0
    assert ada.get("/readers").status_code == 200
    assert runner.invoke(args=["make-librarian", "x@shelf.example"]).exit_code == 1
