"""Who is reading: the reader of the account that is logged in, and the list of all."""

from erlen import Blueprint, abort, render_template, request
from erlen.login import current_user, requires
from erlen.typing import ResponseReturnValue

from ..models import Account, Reader
from ..readers import count_readers, find_readers
from .fields import Fields
from .listing import Page, check_page, read_span

bp = Blueprint("readers", __name__)


@bp.get("/readers")
@requires("reader:view")
def index() -> ResponseReturnValue:
    """List the readers, for librarians."""
    fields = Fields(request.args)
    span = read_span(fields)
    fields.check()
    total = count_readers()
    check_page(span, total)
    readers = find_readers(span.size, span.offset)
    return render_template("readers.html", page=Page(readers, span, total))


def current_account() -> Account | None:
    """Return the account that is logged in, if any."""
    if not current_user.is_authenticated:
        return None
    account: Account = current_user._get_current_object()
    return account


def current_reader() -> Reader | None:
    """Return the reader who is logged in, if there was a loan already."""
    account = current_account()
    return account.reader if account is not None else None


def require_account() -> Account:
    """Return the account that is logged in; views that need one ask for it before."""
    account = current_account()
    if account is None:
        abort(401)
    return account
