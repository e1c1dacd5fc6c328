"""Borrowing and returning."""

from erlen import Blueprint, abort, current_app, flash, redirect, render_template, url_for
from erlen.login import can, current_user, login_required
from erlen.typing import ResponseReturnValue

from ..books import find_book
from ..exceptions import Refused
from ..loans import borrow, count_loans, find_loan, find_loans, give_back
from ..readers import reader_of
from .readers import current_reader, require_account

bp = Blueprint("loans", __name__)


@bp.get("/loans")
@login_required
def index() -> ResponseReturnValue:
    """Show what the reader has borrowed, now and before."""
    reader = current_reader()
    if reader is None:
        return render_template("loans.html", open_loans=[], past_loans=[], past_count=0)
    return render_template(
        "loans.html",
        open_loans=find_loans("open", reader_id=reader.id),
        past_loans=find_loans("returned", reader_id=reader.id, limit=50),
        past_count=count_loans("returned", reader_id=reader.id),
    )


@bp.post("/books/<int:book_id>/borrow")
def take(book_id: int) -> ResponseReturnValue:
    """Borrow a copy of a book."""
    book = find_book(book_id)
    if book is None:
        abort(404, "There is no such book.")
    book_path = url_for("catalogue.show", book_id=book.id)
    if not current_user.is_authenticated:
        flash("Log in first.")
        return redirect(url_for("accounts.login", next=book_path), 303)
    if not can("loan:own"):
        abort(403, "Only readers borrow books.")
    try:
        reader = reader_of(require_account())
        loan = borrow(book.id, reader.id, current_app.config["LOAN_DAYS"])
    except Refused as refused:
        flash(str(refused), "error")
        return redirect(book_path, 303)
    flash(f"“{book.title}” is yours until {loan.due_on:%d %B %Y}.")
    return redirect(book_path, 303)


@bp.post("/loans/<int:loan_id>/return")
@login_required
def bring_back(loan_id: int) -> ResponseReturnValue:
    """Return a book that this reader has."""
    loan = find_loan(loan_id)
    reader = current_reader()
    if loan is None or reader is None or loan.reader_id != reader.id:
        abort(404, "You have no such loan.")
    give_back(loan)
    flash(f"Thank you for returning “{loan.book.title}”.")
    return redirect(url_for("loans.index"), 303)
