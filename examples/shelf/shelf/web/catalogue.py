"""The catalogue's pages."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from io import StringIO
from typing import Any

from erlen import (
    Blueprint,
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from erlen.typing import ResponseReturnValue

from ..books import (
    Book,
    add_book,
    change_book,
    count_books,
    find_book,
    find_books,
    find_languages,
)
from ..db import get_db
from ..exceptions import Refused
from ..languages import LANGUAGES
from ..loans import find_loans
from .fields import Fields, Invalid
from .listing import Page, check_page, query, read_book, read_search, read_span
from .readers import current_reader

bp = Blueprint("catalogue", __name__)

SORT_NAMES = {
    "title": "Title",
    "author": "Author",
    "oldest": "Oldest first",
    "newest": "Newest first",
}

CSV_COLUMNS = (
    "title", "english_title", "author", "born", "died", "year", "language", "copies", "available",
)  # fmt: skip


@bp.get("/")
def index() -> ResponseReturnValue:
    """Show the books that the search form asks for, page by page."""
    db = get_db()
    used = find_languages(db)
    languages = {code: name for code, name in LANGUAGES.items() if code in used}
    fields = Fields(request.args)
    search, span = read_search(fields), read_span(fields)
    if fields.errors:
        return render_template("catalogue.html", errors=fields.errors, languages=languages), 400
    total = count_books(db, search)
    check_page(span, total)
    books = list(find_books(db, search, limit=span.size, offset=span.offset))
    return render_template(
        "catalogue.html",
        page=Page(books, span, total),
        query=query(search, span),
        errors={},
        languages=languages,
    )


@bp.get("/books.csv")
def export() -> ResponseReturnValue:
    """Send the books of a search as a table, while it is read from the database."""
    fields = Fields(request.args)
    search = read_search(fields)
    fields.check()
    lines = csv_lines(find_books(get_db(), search))
    return Response(
        stream_with_context(lines),
        mimetype="text/csv",
        headers={"Content-Disposition": 'attachment; filename="books.csv"'},
    )


@bp.get("/books/<int:book_id>")
def show(book_id: int) -> ResponseReturnValue:
    """Show a book and who had it."""
    db = get_db()
    book = get_book(book_id)
    reader = current_reader()
    open_loans = find_loans(db, "open", book_id=book.id)
    own_loans = [loan for loan in open_loans if reader and loan.reader_id == reader.id]
    return render_template(
        "book.html",
        book=book,
        own_loan=own_loans[0] if own_loans else None,
        open_loans=open_loans,
        past_loans=find_loans(db, "returned", book_id=book.id, limit=10),
    )


@bp.route("/books/new", methods=["GET", "POST"])
def add() -> ResponseReturnValue:
    """Ask for a new book, and add it."""
    if request.method == "GET":
        return book_form({"copies": 1})
    fields = Fields(request.form)
    try:
        book = read_book(fields)
        fields.check()
        book_id = add_book(get_db(), book)
    except (Invalid, Refused) as error:
        return book_form(request.form, error)
    flash(f"“{book.title}” is in the catalogue now.")
    return redirect(url_for("catalogue.show", book_id=book_id), 303)


@bp.route("/books/<int:book_id>/edit", methods=["GET", "POST"])
def edit(book_id: int) -> ResponseReturnValue:
    """Ask what is to change in a book, and change it."""
    db = get_db()
    book = get_book(book_id)
    if request.method == "GET":
        return book_form(asdict(book), book=book)
    fields = Fields(request.form)
    try:
        changed = read_book(fields)
        fields.check()
        change_book(db, book.id, changed)
    except (Invalid, Refused) as error:
        return book_form(request.form, error, book)
    flash(f"“{changed.title}” is changed.")
    return redirect(url_for("catalogue.show", book_id=book.id), 303)


@bp.app_template_filter("language")
def language_name(code: str) -> str:
    """Return the English name of a language."""
    return LANGUAGES.get(code, code)


@bp.app_context_processor
def add_choices() -> dict[str, object]:
    """Let templates list what can be chosen."""
    return {"LANGUAGES": LANGUAGES, "SORT_NAMES": SORT_NAMES}


def get_book(book_id: int) -> Book:
    """Return the book with this id, or answer 404."""
    book = find_book(get_db(), book_id)
    if book is None:
        abort(404, "There is no such book.")
    return book


def book_form(
    values: Mapping[str, Any],
    error: Invalid | Refused | None = None,
    book: Book | None = None,
) -> ResponseReturnValue:
    """Show the form for a new book or for ``book``, with what was typed and what is wrong."""
    errors = error.errors if isinstance(error, Invalid) else {}
    if isinstance(error, Refused):
        flash(str(error), "error")
    status = 200 if error is None else 400 if errors else 409
    return render_template("book_form.html", values=values, errors=errors, book=book), status


def csv_lines(books: Iterable[Book]) -> Iterator[str]:
    """Yield the lines of a table of books, the names of the columns first."""
    yield csv_line(CSV_COLUMNS)
    for book in books:
        yield csv_line(getattr(book, name) for name in CSV_COLUMNS)


def csv_line(cells: Iterable[object]) -> str:
    """Return a line of a table; no cell in it is one that spreadsheets take for a formula."""
    buffer = StringIO()
    csv.writer(buffer).writerow(
        f"'{cell}" if str(cell).startswith(("=", "+", "-", "@")) else cell for cell in cells
    )
    return buffer.getvalue()
