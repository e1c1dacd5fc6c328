"""Searching and paging, which the pages and the JSON endpoints do alike."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar

from erlen import abort

from ..books import SORTS, BookData, Search
from ..languages import LANGUAGES
from .fields import Fields

T = TypeVar("T")

PAGE_SIZE = 24
LAST_PAGE = 1_000_000


@dataclass(frozen=True)
class Span:
    """Which part of a list to show."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many items come before this part."""
        return (self.number - 1) * self.size


@dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list, counted from 1."""

    items: list[T]
    span: Span
    total: int

    @property
    def number(self) -> int:
        """Which page this is."""
        return self.span.number

    @property
    def last(self) -> int:
        """The number of the last page; an empty list has one page."""
        return max(1, -(-self.total // self.span.size))

    def links(self) -> dict[str, int]:
        """Return the numbers of the other pages worth a link, by relation."""
        links = {"first": 1, "prev": self.number - 1, "next": self.number + 1, "last": self.last}
        return {relation: page for relation, page in links.items() if 1 <= page <= self.last}


def check_page(span: Span, total: int) -> None:
    """Answer 404 if the list ends before this page."""
    if span.offset >= max(1, total):
        abort(404, f"There is no page {span.number}: the list ends before it.")


def read_span(fields: Fields) -> Span:
    """Read which page is asked for, and of what size."""
    number = fields.optional_number("page", 1, LAST_PAGE)
    size = fields.optional_number("per_page", 1, 100)
    return Span(number or 1, size or PAGE_SIZE)


def read_search(fields: Fields) -> Search:
    """Read what books are asked for."""
    this_year = date.today().year
    search = Search(
        text=fields.optional_text("q", limit=100),
        language=fields.optional_choice("language", LANGUAGES),
        first_year=fields.optional_number("from", 1, this_year),
        last_year=fields.optional_number("to", 1, this_year),
        available=fields.optional_choice("available", ("1",)) is not None,
        sort=fields.optional_choice("sort", SORTS) or "title",
    )
    if search.first_year and search.last_year and search.last_year < search.first_year:
        fields.errors.setdefault("to", "This is before the first year.")
    return search


def read_book(fields: Fields) -> BookData:
    """Read what is known of a book."""
    this_year = date.today().year
    book = BookData(
        title=fields.text("title", limit=200),
        english_title=fields.optional_text("english_title", limit=200) or None,
        author=fields.text("author", limit=100),
        born=fields.optional_number("born", 1, this_year),
        died=fields.optional_number("died", 1, this_year),
        year=fields.number("year", 1, this_year),
        language=fields.choice("language", LANGUAGES),
        copies=fields.number("copies", 0, 999),
    )
    if book.born and book.died and book.died < book.born:
        fields.errors.setdefault("died", "This is before the year of birth.")
    return book


def query(search: Search, span: Span | None = None) -> dict[str, Any]:
    """Return the parameters of a query string that asks for this search, in parts as long."""
    parameters = {
        "q": search.text,
        "language": search.language,
        "from": search.first_year,
        "to": search.last_year,
        "available": "1" if search.available else None,
        "sort": search.sort if search.sort != "title" else None,
        "per_page": span.size if span and span.size != PAGE_SIZE else None,
    }
    return {name: value for name, value in parameters.items() if value}
