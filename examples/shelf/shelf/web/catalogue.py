"""The catalogue's pages."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import StringIO

from erlen import (
    Blueprint,
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from erlen.forms.storage import send_stored
from erlen.login import can, requires
from erlen.typing import ResponseReturnValue

from ..books import (
    add_book,
    change_book,
    count_books,
    find_book,
    find_books,
    find_languages,
    stream_books,
)
from ..covers import covers, remove_cover
from ..exceptions import Refused
from ..languages import LANGUAGES
from ..loans import find_loans
from ..models import Book
from .fields import Fields
from .forms import COVER_SIZE, BookForm, SearchForm, choices
from .listing import Page, check_page, query, read_search, read_span
from .readers import current_reader

bp = Blueprint("catalogue", __name__)

CSV_COLUMNS = (
    "title", "english_title", "author", "born", "died", "year", "language", "copies", "available",
)  # fmt: skip


@bp.get("/")
def index() -> ResponseReturnValue:
    """Show the books that the search form asks for, page by page."""
    used = find_languages()
    form = SearchForm(request.args)
    form.language.choices = choices({k: v for k, v in LANGUAGES.items() if k in used}, "Any")
    fields = Fields(request.args)
    search, span = form.read(fields), read_span(fields)
    if fields.errors:
        return render_template("catalogue.html", form=form), 400
    total = count_books(search)
    check_page(span, total)
    books = find_books(search, limit=span.size, offset=span.offset)
    return render_template(
        "catalogue.html", form=form, page=Page(books, span, total), query=query(search, span)
    )


@bp.get("/books.csv")
def export() -> ResponseReturnValue:
    """Send the books of a search as a table, while it is read from the database."""
    fields = Fields(request.args)
    search = read_search(fields)
    fields.check()
    return Response(
        csv_lines(stream_books(search)),
        mimetype="text/csv",
        headers={"Content-Disposition": 'attachment; filename="books.csv"'},
    )


@bp.get("/books/<int:book_id>")
def show(book_id: int) -> ResponseReturnValue:
    """Show a book, and who had it to those who may know."""
    book = get_book(book_id)
    reader = current_reader()
    open_loans = find_loans("open", book_id=book.id)
    own_loans = [loan for loan in open_loans if reader and loan.reader_id == reader.id]
    may_see = can("loan:view")
    return render_template(
        "book.html",
        book=book,
        own_loan=own_loans[0] if own_loans else None,
        open_loans=open_loans if may_see else [],
        past_loans=find_loans("returned", book_id=book.id, limit=10) if may_see else [],
        due_on=min((loan.due_on for loan in open_loans), default=None),
    )


@bp.route("/books/new", methods=["GET", "POST"])
@requires("book:edit")
def add() -> ResponseReturnValue:
    """Ask for a new book, and add it."""
    form = open_form()
    if not form.validate_on_submit() or form.book is None:
        return show_form(form)
    try:
        with saved_cover(form) as cover:
            added = add_book(form.book, cover)
    except Refused as error:
        return show_form(form, error)
    flash(f"“{added.title}” is in the catalogue now.")
    return redirect(url_for("catalogue.show", book_id=added.id), 303)


@bp.route("/books/<int:book_id>/edit", methods=["GET", "POST"])
@requires("book:edit")
def edit(book_id: int) -> ResponseReturnValue:
    """Ask what is to change in a book, and change it."""
    book = get_book(book_id)
    form = open_form(book)
    if not form.validate_on_submit() or form.book is None:
        return show_form(form, book=book)
    old = book.cover
    keep = None if "remove_cover" in form and form.remove_cover.data else old
    try:
        with saved_cover(form) as cover:
            change_book(book, form.book, cover=cover or keep)
    except Refused as error:
        return show_form(form, error, book)
    if book.cover != old:
        remove_cover(old)
    flash(f"“{book.title}” is changed.")
    return redirect(url_for("catalogue.show", book_id=book.id), 303)


@bp.get("/covers/<name>")
def cover(name: str) -> ResponseReturnValue:
    """Show the picture of a cover. Its name is never used for another, so it may be kept."""
    return send_stored(covers(), name, inline=True, max_age=365 * 24 * 3600)


@bp.app_template_filter("language")
def language_name(code: str) -> str:
    """Return the English name of a language."""
    return LANGUAGES.get(code, code)


@bp.app_context_processor
def add_choices() -> dict[str, object]:
    """Let templates list what can be chosen."""
    return {"LANGUAGES": LANGUAGES}


def get_book(book_id: int) -> Book:
    """Return the book with this id, or answer 404."""
    book = find_book(book_id)
    if book is None:
        abort(404, "There is no such book.")
    return book


def open_form(book: Book | None = None) -> BookForm:
    """Return the form for a book, with room for a picture in what may be sent."""
    request.max_content_length = COVER_SIZE + (request.max_content_length or 0)
    return BookForm(book)


def show_form(
    form: BookForm, refused: Refused | None = None, book: Book | None = None
) -> ResponseReturnValue:
    """Show the form for a new book or for ``book``, with what was typed and what is wrong."""
    if refused is not None:
        flash(str(refused), "error")
    status = 409 if refused else 400 if form.errors else 200
    return render_template("book_form.html", form=form, book=book), status


@contextmanager
def saved_cover(form: BookForm) -> Iterator[str | None]:
    """Keep the picture that was sent, if any, unless the book is refused."""
    if form.cover.data is None:
        yield None
        return
    with form.cover.data.saved(covers()) as name:
        yield name


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
