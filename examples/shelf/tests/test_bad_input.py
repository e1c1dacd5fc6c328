"""Whatever is sent, the answer is clear, and never a failure of ours."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erlen.testing import FlaskClient

BOOK = {"title": "T", "author": "A", "year": 1900, "language": "en", "copies": 1}
HUGE = 10**30

BAD_SEARCHES: list[tuple[str, str]] = [
    ("page", "0"),
    ("page", "-1"),
    ("page", "x"),
    ("page", "1.5"),
    ("page", "٣"),
    ("page", str(HUGE)),
    ("page", "9" * 5000),
    ("per_page", "0"),
    ("per_page", "1000000"),
    ("from", "abc"),
    ("from", str(2**63)),
    ("to", "3000"),
    ("language", "xx"),
    ("sort", "title; DROP TABLE books"),
    ("available", "yes"),
    ("q", "x" * 101),
    ("q", "a\0b"),
    ("q", "a\x1bb"),
]

BAD_BOOKS: list[tuple[str, object]] = [
    ("title", None),
    ("title", ""),
    ("title", "  \n "),
    ("title", "\N{ZERO WIDTH SPACE}"),
    ("title", "x" * 201),
    ("title", "a\0b"),
    ("author", "x" * 101),
    ("author", "!!!"),
    ("year", None),
    ("year", 0),
    ("year", -5),
    ("year", 9999),
    ("year", HUGE),
    ("language", ""),
    ("language", "klingon"),
    ("copies", -1),
    ("copies", 1000),
    ("copies", 2**64),
    ("born", HUGE),
    ("english_title", "x" * 201),
    ("english_title", "\x7f"),
]

# Only JSON has types.
WRONG_TYPES: list[tuple[str, object]] = [
    ("title", 5),
    ("title", ["T"]),
    ("title", {"a": 1}),
    ("title", True),
    ("title", "\ud800"),
    ("year", "1900"),
    ("year", 1900.0),
    ("year", True),
    ("year", [1900]),
    ("copies", float("nan")),
    ("copies", 1e400),
    ("language", ["en"]),
    ("language", 7),
    ("colour", "red"),
    ("\ud800", 1),
]


@pytest.mark.parametrize(("name", "value"), BAD_SEARCHES)
def test_a_bad_search_names_the_field(client: FlaskClient, name: str, value: str) -> None:
    response = client.get("/api/books", query_string={name: value})
    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [name]
    assert client.get("/books.csv", query_string={name: value}).status_code == (
        200 if "page" in name else 400
    )


@pytest.mark.parametrize(("name", "value"), BAD_SEARCHES)
def test_a_bad_search_keeps_what_was_typed(client: FlaskClient, name: str, value: str) -> None:
    response = client.get("/", query_string={"to": "1900", name: value})
    assert response.status_code == 400
    if name in ("q", "from"):
        assert f'id="{name}-error"' in response.text
        assert 'value="1900"' in response.text


def test_years_in_the_wrong_order_are_explained(client: FlaskClient) -> None:
    response = client.get("/?from=1900&to=1800")
    assert response.status_code == 400
    assert "This is before the first year." in response.text


@pytest.mark.parametrize(("name", "value"), BAD_BOOKS + WRONG_TYPES)
def test_a_bad_book_is_refused_by_the_api(alma: FlaskClient, name: str, value: Any) -> None:
    for method, address in (("POST", "/api/books"), ("PUT", "/api/books/1")):
        response = alma.open(address, method=method, json={**BOOK, name: value})
        assert response.status_code == 400
        assert list(response.get_json()["errors"]) == [name]


@pytest.mark.parametrize("address", ["/books/new", "/books/1/edit"])
@pytest.mark.parametrize(("name", "value"), BAD_BOOKS)
def test_a_bad_book_form_keeps_what_was_typed(
    alma: FlaskClient, address: str, name: str, value: Any
) -> None:
    typed = {**BOOK, "english_title": "What I typed", name: "" if value is None else value}
    # The form has a row for each author.
    typed["authors-0"] = typed.pop("author")
    name = "authors-0" if name == "author" else name
    response = alma.post(address, data=typed)
    assert response.status_code == 400
    assert f'id="{name}-error"' in response.text
    assert 'aria-invalid="true"' in response.text
    if name != "english_title":
        assert 'value="What I typed"' in response.text


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[" * 60_000, b'{"a":' * 10_000, b"9" * 60_000, b"null", b"[1]"],
)
def test_a_body_that_is_no_object_is_refused(alma: FlaskClient, body: bytes) -> None:
    response = alma.post("/api/books", data=body, content_type="application/json")
    assert response.status_code == 400
    assert response.mimetype == "application/problem+json"


def test_json_must_be_called_json(alma: FlaskClient) -> None:
    assert alma.post("/api/books", data="{}", content_type="text/plain").status_code == 415


@pytest.mark.parametrize(
    ("loan", "field"),
    [
        ({"reader": "Ada"}, "book"),
        ({"book": 0, "reader": "Ada"}, "book"),
        ({"book": 999_999, "reader": "Ada"}, "book"),
        ({"book": 2**63 - 1, "reader": "Ada"}, "book"),
        ({"book": HUGE, "reader": "Ada"}, "book"),
        ({"book": "1", "reader": "Ada"}, "book"),
        ({"book": 1, "reader": "x" * 61}, "reader"),
        ({"book": 1, "reader": "a\0"}, "reader"),
        ({"book": 1, "reader": "Ada", "days": 9}, "days"),
    ],
)
def test_a_bad_loan_is_refused(alma: FlaskClient, loan: dict[str, Any], field: str) -> None:
    response = alma.post("/api/loans", json=loan)
    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [field]


@pytest.mark.parametrize("query", ["state=x", "reader=nobody", "reader=a%00", "page=0"])
def test_a_bad_question_for_loans_names_the_field(alma: FlaskClient, query: str) -> None:
    response = alma.get(f"/api/loans?{query}")
    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [query.partition("=")[0]]


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\0b", "\u200b", "-"])
def test_a_bad_name_is_kept_and_explained(client: FlaskClient, name: str) -> None:
    form = {"name": name, "email": "cid@shelf.example", "password": "p" * 8, "repeat": "p" * 8}
    response = client.post("/account/register", data=form)
    assert response.status_code == 422
    assert 'id="name-error"' in response.text
    assert 'value="cid@shelf.example"' in response.text


@pytest.mark.parametrize("number", ["0", "999999", str(2**63), str(HUGE), "-1", "x", "1e3", "٣"])
def test_an_unknown_number_is_not_found(alma: FlaskClient, number: str) -> None:
    assert alma.get(f"/books/{number}").status_code == 404
    assert alma.get(f"/books/{number}/edit").status_code == 404
    assert alma.post(f"/books/{number}/borrow").status_code == 404
    assert alma.post(f"/loans/{number}/return").status_code == 404
    for address in (f"/api/books/{number}", f"/api/loans/{number}"):
        response = alma.get(address)
        assert (response.status_code, response.get_json()["status"]) == (404, 404)
        assert alma.delete(address).status_code == 404
    assert alma.put(f"/api/books/{number}", json=BOOK).status_code == 404


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text(), max_size=2)
)
within_reason = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@within_reason
@given(fields=st.dictionaries(st.sampled_from([*BOOK, "born", "x"]), anything))
def test_no_object_makes_the_api_fail(alma: FlaskClient, fields: dict[str, Any]) -> None:
    assert alma.post("/api/books", json={**BOOK, **fields}).status_code < 500
    assert alma.post("/api/loans", json=fields).status_code < 500


@within_reason
@given(
    query=st.dictionaries(
        st.sampled_from(["q", "language", "from", "to", "page", "per_page", "sort", "x"]),
        st.text(st.characters(exclude_categories=["Cs"])),
    )
)
def test_no_query_makes_a_page_fail(alma: FlaskClient, query: dict[str, str]) -> None:
    for address in ("/", "/books.csv", "/api/books", "/api/loans", "/readers"):
        assert alma.get(address, query_string=query).status_code < 500


@within_reason
@given(
    form=st.dictionaries(
        st.sampled_from([*BOOK, "authors-0", "_add_row", "_remove_row", "name", "email", "next"]),
        st.text(st.characters(exclude_categories=["Cs"])),
    )
)
def test_no_form_makes_a_page_fail(alma: FlaskClient, form: dict[str, str]) -> None:
    for address in ("/books/new", "/books/1/edit", "/account/register"):
        assert alma.post(address, data={**BOOK, **form}).status_code < 500
