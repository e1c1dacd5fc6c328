"""The same library for programs: JSON in, JSON out, errors as problem details.

Everybody may read the catalogue. What changes something, and who borrowed what, is for those who
say who they are, by HTTP Basic (RFC 7617) with the address and the password of their account.

``owns_prefix`` makes the blueprint answer, in its own way, for unknown addresses below ``/api``.
"""

from collections.abc import Callable
from typing import Any

from werkzeug.exceptions import PreconditionFailed

from erlen import Blueprint, Response, abort, current_app, jsonify, request, url_for
from erlen.login import can, login_required, requires
from erlen.typing import ResponseReturnValue

from ..books import (
    BookData,
    add_book,
    change_book,
    count_books,
    find_book,
    find_books,
    lock_book,
    remove_book,
)
from ..covers import remove_cover
from ..db import LARGEST_ID, db
from ..loans import STATES, borrow, count_loans, find_loan, find_loans, give_back
from ..models import Book, Loan, Reader
from ..readers import find_named, reader_of, welcome
from .errors import handle_errors, show_problem
from .fields import Fields
from .listing import Page, check_page, query, read_book, read_search, read_span
from .readers import current_reader, require_account

bp = Blueprint("api", __name__, url_prefix="/api", owns_prefix=True)
handle_errors(bp, show_problem)

#: No reader has this id.
NOBODY = 0

BOOK_FIELDS = (
    "title", "english_title", "author", "born", "died", "year", "language", "copies",
)  # fmt: skip


@bp.get("/")
def index() -> ResponseReturnValue:
    """Say where everything is."""
    return {"books": url_for("api.list_books"), "loans": url_for("api.list_loans")}


@bp.get("/books")
def list_books() -> ResponseReturnValue:
    """List the books that the query string asks for: q, language, from, to, available, sort."""
    fields = Fields(request.args)
    search, span = read_search(fields), read_span(fields)
    fields.check()
    total = count_books(search)
    check_page(span, total)
    books = find_books(search, limit=span.size, offset=span.offset)
    return page_json(Page([book_json(book) for book in books], span, total), query(search, span))


@bp.post("/books")
@requires("book:edit")
def post_book() -> ResponseReturnValue:
    """Add a book."""
    book = add_book(read_json_book())
    return book_json(book), 201, {"Location": url_for("api.show_book", book_id=book.id)}


@bp.get("/books/<int:book_id>")
def show_book(book_id: int) -> ResponseReturnValue:
    """Show a book."""
    return book_json(get_book(book_id))


@bp.put("/books/<int:book_id>")
@requires("book:edit")
def put_book(book_id: int) -> ResponseReturnValue:
    """Write all that is known of a book anew; with ``If-Match``, only if nobody else just did."""
    new = read_json_book()
    with db.transaction():
        book = get_book(book_id, lock_book)
        check_unchanged(book)
        change_book(book, new)
    return book_json(book)


@bp.delete("/books/<int:book_id>")
@requires("book:edit")
def delete_book(book_id: int) -> ResponseReturnValue:
    """Remove a book that was never lent."""
    with db.transaction():
        book = get_book(book_id, lock_book)
        check_unchanged(book)
        cover = book.cover
        remove_book(book)
    remove_cover(cover)
    return "", 204


@bp.get("/loans")
@login_required
def list_loans() -> ResponseReturnValue:
    """List the loans that the query string asks for: reader, state. Readers see their own."""
    fields = Fields(request.args)
    name = fields.optional_text("reader", limit=60)
    state = fields.optional_choice("state", STATES) or "all"
    span = read_span(fields)
    reader = find_named(name) if name and not fields.errors else None
    own = current_reader()
    if not can("loan:view"):
        if name and (own is None or reader is not own):
            abort(403, "These are not your loans.")
        reader = own
    elif name and reader is None:
        fields.errors.setdefault("reader", "Nobody of this name has been here.")
    fields.check()
    reader_id = reader.id if reader else None if can("loan:view") else NOBODY
    total = count_loans(state, reader_id=reader_id)
    check_page(span, total)
    loans = find_loans(state, reader_id=reader_id, limit=span.size, offset=span.offset)
    own_query = {"reader": name or None, "state": state, "per_page": span.size}
    return page_json(Page([loan_json(loan) for loan in loans], span, total), own_query)


@bp.post("/loans")
@login_required
def post_loan() -> ResponseReturnValue:
    """Lend the book whose id is ``book``.

    Librarians lend it to ``reader``, who is welcome as a new one; others, to themselves.
    """
    fields = json_fields()
    fields.only("book", "reader")
    name = fields.optional_text("reader", limit=60)
    if name:
        fields.text("reader", limit=60)
    book = find_book(fields.number("book", 1, LARGEST_ID))
    if book is None:
        fields.errors.setdefault("book", "There is no such book.")
    fields.check()
    assert book is not None
    loan = borrow(book.id, find_borrower(name).id, current_app.config["LOAN_DAYS"])
    return loan_json(loan), 201, {"Location": url_for("api.show_loan", loan_id=loan.id)}


@bp.get("/loans/<int:loan_id>")
@login_required
def show_loan(loan_id: int) -> ResponseReturnValue:
    """Show a loan."""
    return loan_json(get_loan(loan_id))


@bp.delete("/loans/<int:loan_id>")
@login_required
def end_loan(loan_id: int) -> ResponseReturnValue:
    """End a loan: the book is back. What was lent stays on record."""
    loan = get_loan(loan_id)
    give_back(loan)
    return loan_json(loan)


@bp.after_request
def make_conditional(response: Response) -> Response:
    """Tag what is read, and answer 304 to who has it already."""
    if request.method in ("GET", "HEAD") and response.status_code == 200:
        response.add_etag()
        response.make_conditional(request)
    return response


def json_fields() -> Fields:
    """Return the fields of the JSON object that was sent."""
    values = request.get_json()
    if not isinstance(values, dict):
        abort(400, "Send a JSON object.")
    return Fields(values, typed=True)


def read_json_book() -> BookData:
    """Read the book that was sent."""
    fields = json_fields()
    fields.only(*BOOK_FIELDS)
    book = read_book(fields)
    fields.check()
    return book


def get_book(book_id: int, find: Callable[[int], Book | None] = find_book) -> Book:
    """Return the book with this id, or answer 404."""
    book = find(book_id)
    if book is None:
        abort(404, f"There is no book {book_id}.")
    return book


def find_borrower(name: str) -> Reader:
    """Return who borrows: the reader of this name for librarians, else who asks."""
    own = reader_of(require_account()) if not name or not can("loan:make") else None
    if own is None:
        return welcome(name)
    if name and find_named(name) is not own:
        abort(403, "You borrow under your own name.")
    return own


def get_loan(loan_id: int) -> Loan:
    """Return the loan with this id, or answer 404, for those of others too."""
    loan = find_loan(loan_id)
    own = current_reader()
    if loan and not can("loan:view") and (own is None or loan.reader_id != own.id):
        loan = None
    if loan is None:
        abort(404, f"There is no loan {loan_id}.")
    return loan


def check_unchanged(book: Book) -> None:
    """Answer 412 if the client names, in ``If-Match``, another state of the book than this."""
    current = jsonify(book_json(book))
    current.add_etag()
    tag, _weak = current.get_etag()
    if request.if_match and not (tag and request.if_match.contains(tag)):
        raise PreconditionFailed("The book has changed since you read it. Read it again.")


def book_json(book: Book) -> dict[str, Any]:
    """Return what programs see of a book."""
    return {
        **{name: getattr(book, name) for name in (*BOOK_FIELDS, "id", "available")},
        "url": url_for("api.show_book", book_id=book.id),
    }


def loan_json(loan: Loan) -> dict[str, Any]:
    """Return what programs see of a loan."""
    return {
        "id": loan.id,
        "book": loan.book_id,
        "title": loan.book.title,
        "reader": loan.reader.name,
        "borrowed_on": loan.borrowed_on.isoformat(),
        "due_on": loan.due_on.isoformat(),
        "returned_on": loan.returned_on and loan.returned_on.isoformat(),
        "overdue": loan.overdue,
        "url": url_for("api.show_loan", loan_id=loan.id),
    }


def page_json(page: Page[dict[str, Any]], query: dict[str, Any]) -> dict[str, Any]:
    """Return a page of a list, with the addresses of the others."""
    assert request.endpoint is not None
    return {
        "items": page.items,
        "page": page.number,
        "pages": page.last,
        "total": page.total,
        "links": {
            relation: url_for(request.endpoint, **query, page=number)
            for relation, number in page.links().items()
        },
    }
