"""What is said when something goes wrong."""

import sqlite3
from pathlib import Path

import pytest
from shelf import create_app
from shelf.db import db as database
from sqlalchemy import event

from erlen import Erlen
from erlen.testing import FlaskClient

JSON = {"Accept": "application/json"}


def test_people_get_a_page(client: FlaskClient) -> None:
    response = client.get("/nothing/here", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert response.mimetype == "text/html"
    assert "<h1>Not Found</h1>" in response.text
    assert 'href="/"' in response.text


def test_programs_get_problem_details(client: FlaskClient) -> None:
    response = client.get("/nothing/here", headers=JSON)
    assert response.mimetype == "application/problem+json"
    assert response.get_json()["title"] == "Not Found"
    assert response.headers["Vary"] == "Accept"


def test_below_api_all_errors_are_json(client: FlaskClient) -> None:
    for address in ("/api/nothing", "/api/books/1/pages", "/api/books/x"):
        response = client.get(address, headers={"Accept": "text/html"})
        assert response.status_code == 404
        assert response.get_json()["status"] == 404


def test_a_wrong_method_says_which_are_right(client: FlaskClient) -> None:
    response = client.patch("/api/books/1")
    assert response.status_code == 405
    assert response.get_json()["status"] == 405
    assert {"GET", "PUT", "DELETE"} <= set(response.allow)
    page = client.post("/loans")
    assert page.status_code == 405
    assert "<h1>Method Not Allowed</h1>" in page.text
    assert "GET" in page.allow


def test_too_much_is_refused(client: FlaskClient, alma: FlaskClient) -> None:
    much = "x" * 70_000
    response = client.post("/account/register", data={"name": much})
    assert response.status_code == 413
    assert "<h1>Request Entity Too Large</h1>" in response.text
    answer = alma.post("/api/books", json={"title": much})
    assert (answer.status_code, answer.get_json()["status"]) == (413, 413)


@pytest.mark.parametrize(
    ("address", "kind"), [("/", "text/html"), ("/api/", "application/problem+json")]
)
def test_a_mistake_of_ours_is_an_honest_500(
    app: Erlen, monkeypatch: pytest.MonkeyPatch, address: str, kind: str
) -> None:
    def fail() -> str:
        raise RuntimeError("secret detail")

    app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setitem(app.view_functions, "catalogue.index", fail)
    monkeypatch.setitem(app.view_functions, "api.index", fail)
    response = app.test_client().get(address)
    assert response.status_code == 500
    assert response.mimetype == kind
    assert "secret" not in response.text


def make_app(place: Path | str) -> Erlen:
    return create_app({"TESTING": True, "SECRET_KEY": "for tests", "DATABASE": str(place)})


@pytest.mark.parametrize("address", ["/", "/books/1", "/api/books"])
def test_a_database_out_of_reach_is_a_503(tmp_path: Path, address: str) -> None:
    for place in (tmp_path, "postgresql://nobody@127.0.0.1:1/nothing"):
        response = make_app(place).test_client().get(address)
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "2"
        assert "cannot be reached" in response.text


def test_a_reader_sees_a_page_when_the_database_is_gone(app: Erlen, ada: FlaskClient) -> None:
    with app.app_context():
        database.drop_all()
        database.engine.dispose()
    Path(app.config["DATABASE"]).unlink()
    Path(app.config["DATABASE"]).mkdir()
    response = ada.get("/loans", headers={"Accept": "text/html"})
    assert response.status_code == 503
    assert "<h1>Service Unavailable</h1>" in response.text


def test_a_database_not_set_up_is_explained(tmp_path: Path) -> None:
    response = make_app(tmp_path / "new.db").test_client().get("/")
    assert response.status_code == 503
    assert "Run the commands init-db and seed." in response.text


@pytest.mark.parametrize("limit", ["query_only = ON", "max_page_count = 1"])
def test_a_database_that_takes_no_writes_still_reads(
    app: Erlen, alma: FlaskClient, db: sqlite3.Connection, limit: str
) -> None:
    def refuse(connection: sqlite3.Connection, record: object) -> None:
        connection.execute(f"PRAGMA {limit}")

    def count() -> int:
        number: int = db.execute("SELECT count(*) FROM books").fetchone()[0]
        return number

    db.execute("VACUUM")  # no free page is left in the file
    before = count()
    with app.app_context():
        engine = database.engine
    engine.dispose()
    event.listen(engine, "connect", refuse)
    big = {"title": "x" * 200, "author": "y" * 100, "year": 1900, "language": "en", "copies": 1}
    responses = [alma.post("/api/books", json={**big, "title": f"{n}" * 200}) for n in range(9)]
    assert {response.status_code for response in responses} & {503}
    assert alma.get("/").status_code == 200
    event.remove(engine, "connect", refuse)
    engine.dispose()
    assert count() == before + sum(response.status_code == 201 for response in responses)
    assert alma.post("/api/books", json=big).status_code == 201


def test_a_busy_database_is_a_503(app: Erlen, ada: FlaskClient, db: sqlite3.Connection) -> None:
    def be_impatient(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA busy_timeout = 0")

    with app.app_context():
        engine = database.engine
    engine.dispose()
    event.listen(engine, "connect", be_impatient)
    db.execute("BEGIN IMMEDIATE")
    response = ada.post("/api/loans", json={"book": 1})
    assert response.status_code == 503
    assert ada.get("/api/books/1").status_code == 200
    db.execute("ROLLBACK")
    assert ada.post("/api/loans", json={"book": 1}).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
    ],
)
def test_other_sites_cannot_change_anything(ada: FlaskClient, headers: dict[str, str]) -> None:
    assert ada.post("/books/1/borrow", headers=headers).status_code == 403
    assert ada.delete("/api/loans/1", headers=headers).status_code == 403
    assert ada.get("/", headers=headers).status_code == 200
    assert ada.get("/api/loans").get_json()["total"] == 0


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}, {}],
)
def test_our_own_pages_can(ada: FlaskClient, headers: dict[str, str]) -> None:
    assert ada.post("/books/1/borrow", headers=headers).status_code == 303
    assert ada.get("/api/loans").get_json()["total"] == 1


def test_pages_may_load_nothing_from_elsewhere(client: FlaskClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "style-src 'self'" in policy
