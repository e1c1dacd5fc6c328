"""Looking for books."""

import csv
from io import StringIO

import pytest

from erlen.testing import FlaskClient


def titles(client: FlaskClient, **query: object) -> list[str]:
    """Return the titles on the first page of what a search finds."""
    items = client.get("/api/books", query_string=query).get_json()["items"]
    return [book["title"] for book in items]


def test_the_front_page_shows_books_and_the_search_form(client: FlaskClient) -> None:
    page = client.get("/").text
    assert "A Christmas Carol" in page
    assert '<label for="q">Title or author</label>' in page


def test_every_word_must_be_in_title_or_author(client: FlaskClient) -> None:
    assert titles(client, q="dickens christmas") == ["A Christmas Carol"]


def test_case_and_accents_do_not_matter(client: FlaskClient) -> None:
    assert "Émile, ou De l'éducation" in titles(client, q="EMILE")
    assert titles(client, q="Élite Bovary") == []


def test_a_book_is_found_by_its_english_title(client: FlaskClient) -> None:
    assert titles(client, q="war and peace") == ["Война и мир"]


@pytest.mark.parametrize("text", ["100%", "_", "' OR 1=1 --", "“", "\\"])
def test_signs_mean_themselves(client: FlaskClient, text: str) -> None:
    assert titles(client, q=text) == []


def test_language_and_years_narrow_the_search(client: FlaskClient) -> None:
    found = client.get("/api/books?language=fr&from=1830&to=1839&per_page=100").get_json()["items"]
    assert "Le Père Goriot" in [book["title"] for book in found]
    assert {book["language"] for book in found} == {"fr"}
    assert all(1830 <= book["year"] <= 1839 for book in found)


def test_only_books_on_the_shelf_are_shown_on_request(alma: FlaskClient) -> None:
    book = alma.get("/api/books?q=utopia").get_json()["items"][0]
    for name in ("Ada", "Ben", "Cid"):
        alma.post("/api/loans", json={"book": book["id"], "reader": name})
    assert titles(alma, q="utopia") == ["Utopia"]
    assert titles(alma, q="utopia", available="1") == []


def test_books_come_in_the_order_asked_for(client: FlaskClient) -> None:
    assert titles(client, sort="title")[0] == "A Book of Nonsense"
    assert titles(client, sort="oldest")[0] == "Divina Commedia"
    assert titles(client, sort="newest", language="da")[0] == "Pelle Erobreren"
    authors = [book["author"] for book in client.get("/api/books?sort=author").get_json()["items"]]
    assert authors == sorted(authors, key=lambda name: name.split()[-1])


def test_pages_are_linked_and_keep_the_search(client: FlaskClient) -> None:
    page = client.get("/?q=charles&page=1&per_page=5").text
    assert 'href="/?page=2&amp;q=charles&amp;per_page=5" rel="next"' in page
    assert 'rel="prev"' not in page


def test_the_pages_together_show_each_book_once(client: FlaskClient) -> None:
    seen: list[int] = []
    address = "/api/books?language=ru&per_page=7"
    while address:
        page = client.get(address).get_json()
        assert page["total"] == 46
        seen += [book["id"] for book in page["items"]]
        address = page["links"].get("next")
    assert len(seen) == len(set(seen)) == 46


def test_a_page_behind_the_last_is_not_found(client: FlaskClient) -> None:
    assert client.get("/?page=32").status_code == 404
    assert client.get("/?page=31").status_code == 200


def test_a_search_without_results_says_so(client: FlaskClient) -> None:
    response = client.get("/?q=zzzzzz")
    assert response.status_code == 200
    assert "No book is like that." in response.text


def test_a_book_page_tells_what_is_known(client: FlaskClient) -> None:
    book = client.get("/api/books?q=middlemarch").get_json()["items"][0]
    page = client.get(f"/books/{book['id']}").text
    assert '<h1 lang="en">Middlemarch</h1>' in page
    assert "(1819\N{EN DASH}1880)" in page
    assert "1872" in page


def test_the_table_holds_what_the_search_finds(client: FlaskClient) -> None:
    response = client.get("/books.csv?language=ru")
    rows = list(csv.DictReader(StringIO(response.text)))
    assert response.mimetype == "text/csv"
    assert len(rows) == 46
    assert rows[0]["author"]


def test_no_cell_of_the_table_is_a_formula(alma: FlaskClient) -> None:
    book = {"title": "=1+1", "author": "@A", "year": 1900, "language": "en", "copies": 1}
    assert alma.post("/api/books", json=book).status_code == 201
    rows = list(csv.DictReader(StringIO(alma.get("/books.csv?q==1%2B1").text)))
    assert (rows[0]["title"], rows[0]["author"]) == ("'=1+1", "'@A")


def test_titles_are_shown_as_text_not_as_markup(alma: FlaskClient) -> None:
    evil = "<script>alert(1)</script>\" onload='x"
    form = {"title": evil, "authors-0": evil, "year": "1900", "language": "en", "copies": "1"}
    page = alma.post("/books/new", data=form, follow_redirects=True).text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_new_book_is_in_the_catalogue(alma: FlaskClient) -> None:
    form = {"title": "Zadig II", "authors-0": "V.", "year": "1800", "language": "fr", "copies": "2"}
    response = alma.post("/books/new", data=form, follow_redirects=True)
    assert "“Zadig II” is in the catalogue now." in response.text
    assert titles(alma, q="zadig ii") == ["Zadig II"]


def test_a_book_can_be_changed(alma: FlaskClient) -> None:
    book = alma.get("/api/books?q=emma").get_json()["items"][0]
    form = {"title": "Emma!", "authors-0": "J. A.", "year": "1815", "language": "en", "copies": "9"}
    alma.post(f"/books/{book['id']}/edit", data=form)
    changed = alma.get(f"/api/books/{book['id']}").get_json()
    assert (changed["title"], changed["copies"], changed["born"]) == ("Emma!", 9, None)


def test_a_book_is_not_added_twice(alma: FlaskClient) -> None:
    form = {"title": "emma", "authors-0": "jane austen", "year": "1815", "language": "en"}
    response = alma.post("/books/new", data={**form, "copies": "1"})
    assert response.status_code == 409
    assert "is in the catalogue already" in response.text
    assert 'value="jane austen"' in response.text
