"""The form for books: several authors, and a picture of the cover."""

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest

from erlen import Erlen
from erlen.testing import FlaskClient

BOOK = {
    "title": "Zadig II", "authors-0": "V.", "year": "1800", "language": "fr", "copies": "1",
}  # fmt: skip


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 20, height: int = 30) -> bytes:
    """Return a picture of one colour."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x7c\x2f\x24" * min(width, 500)) * min(height, 500)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )  # fmt: skip


def picture(content: bytes | None = None, name: str = "cover.png") -> tuple[BytesIO, str]:
    """Return a file to send."""
    return BytesIO(png() if content is None else content), name


def kept(app: Erlen) -> list[str]:
    """Return the names of the pictures that are kept."""
    folder = Path(app.config["COVERS"])
    return os.listdir(folder) if folder.exists() else []


def test_a_book_of_several_authors(alma: FlaskClient) -> None:
    form = {**BOOK, "authors-0": "Jules Verne", "authors-1": "", "authors-2": "André Laurie"}
    page = alma.post("/books/new", data=form, follow_redirects=True).text
    assert "<dt>Authors</dt>" in page
    assert 'href="/?q=Jules+Verne">Jules Verne</a>, <a' in page
    book = alma.get("/api/books?q=laurie zadig").get_json()["items"][0]
    assert book["author"] == "Jules Verne; André Laurie"
    page = alma.get(f"/books/{book['id']}/edit").text
    assert 'name="authors-1" type="text" value="André Laurie"' in page


def test_a_row_for_an_author_is_added_and_removed(alma: FlaskClient) -> None:
    page = alma.post("/books/new", data={**BOOK, "_add_row": "authors"}).text
    assert 'name="authors-1"' in page
    assert 'value="Zadig II"' in page
    form = {**BOOK, "authors-1": "W.", "_remove_row": "authors-0"}
    page = alma.post("/books/new", data=form).text
    assert 'name="authors-1"' not in page
    assert 'value="W."' in page
    assert alma.get("/api/books?q=zadig ii").get_json()["total"] == 0


def test_authors_stay_apart(alma: FlaskClient) -> None:
    page = alma.post("/books/new", data={**BOOK, "authors-0": "A; B"})
    assert page.status_code == 400
    assert "Give each author a row." in page.text


def test_a_cover_is_shown(app: Erlen, alma: FlaskClient) -> None:
    page = alma.post("/books/new", data={**BOOK, "cover": picture()}, follow_redirects=True).text
    [name] = kept(app)
    assert f'<img class="cover" src="/covers/{name}"' in page
    with alma.get(f"/covers/{name}") as response:
        assert response.data == png()
        assert response.content_type == "image/png"
        assert response.headers["Content-Security-Policy"].startswith("sandbox")


def test_a_cover_is_replaced_and_removed(app: Erlen, alma: FlaskClient) -> None:
    response = alma.post("/books/new", data={**BOOK, "cover": picture()})
    address = response.headers["Location"]
    [first] = kept(app)
    alma.post(f"{address}/edit", data=BOOK)
    assert kept(app) == [first]
    alma.post(f"{address}/edit", data={**BOOK, "cover": picture(png(10, 10))})
    [second] = kept(app)
    assert second != first
    alma.post(f"{address}/edit", data={**BOOK, "remove_cover": "y"})
    assert kept(app) == []
    assert "<img class=" not in alma.get(address).text


def test_the_cover_goes_with_its_book(app: Erlen, alma: FlaskClient) -> None:
    response = alma.post("/books/new", data={**BOOK, "cover": picture()})
    alma.delete(f"/api{response.headers['Location']}")
    assert kept(app) == []


@pytest.mark.parametrize(
    ("content", "name", "complaint"),
    [
        (b"<script>alert(1)</script>", "a.png", "not what its name says"),
        (b"<svg onload='alert(1)'/>", "a.svg", "Files of this kind are not accepted."),
        (png(50_000, 50_000), "a.png", "The image has more than 25 megapixels."),
        (png(), "a.php.png", "more than one ending"),
    ],
)
def test_a_bad_cover_is_explained(
    app: Erlen, alma: FlaskClient, content: bytes, name: str, complaint: str
) -> None:
    response = alma.post("/books/new", data={**BOOK, "cover": picture(content, name)})
    assert response.status_code == 400
    assert complaint in response.text
    assert 'value="Zadig II"' in response.text
    assert kept(app) == []


def test_a_refused_book_leaves_no_cover(app: Erlen, alma: FlaskClient) -> None:
    alma.post("/books/new", data=BOOK)
    response = alma.post("/books/new", data={**BOOK, "cover": picture()})
    assert response.status_code == 409
    assert kept(app) == []


def test_an_unknown_cover_is_not_found(client: FlaskClient) -> None:
    assert client.get("/covers/missing.png").status_code == 404
    assert client.get("/covers/..%2fshelf.db").status_code == 404
