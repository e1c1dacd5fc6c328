"""Who is reading: a name, remembered in the session."""

import re

from erlen import Blueprint, flash, g, redirect, render_template, request, session, url_for
from erlen.typing import ResponseReturnValue

from ..models import Reader
from ..readers import find_reader, welcome
from .fields import Fields, Invalid

bp = Blueprint("readers", __name__)

# A path of this site. Browsers take "//" and "/\" for the start of another site's address.
OWN_PATH = re.compile(r"/(?!/)[!-\[\]-~]*")


@bp.get("/reader")
def choose() -> ResponseReturnValue:
    """Ask for the reader's name."""
    return render_template("reader.html", values=request.args, errors={})


@bp.post("/reader")
def enter() -> ResponseReturnValue:
    """Remember the reader's name, and go on to where it was needed."""
    fields = Fields(request.form)
    name = fields.text("name", limit=60)
    try:
        fields.check()
    except Invalid as invalid:
        return render_template("reader.html", values=request.form, errors=invalid.errors), 400
    reader = welcome(name)
    session.clear()
    session.permanent = True
    session["reader_id"] = reader.id
    flash(f"Welcome, {reader.name}.")
    next_path = request.form.get("next", "")
    return redirect(next_path if OWN_PATH.fullmatch(next_path) else url_for("catalogue.index"), 303)


@bp.post("/reader/leave")
def leave() -> ResponseReturnValue:
    """Forget the reader's name on this device."""
    session.clear()
    flash("Goodbye. Your name is forgotten on this device.")
    return redirect(url_for("catalogue.index"), 303)


@bp.app_context_processor
def add_reader() -> dict[str, object]:
    """Let templates call ``current_reader()``."""
    return {"current_reader": current_reader}


def current_reader() -> Reader | None:
    """Return the reader of this session, if one gave a name."""
    if "reader" not in g:
        reader_id = session.get("reader_id")
        g.reader = find_reader(reader_id) if reader_id is not None else None
    reader: Reader | None = g.reader
    return reader


def ask_name(next_path: str) -> ResponseReturnValue:
    """Send the reader to give a name first, and then on to ``next_path``."""
    flash("Tell us your name first.")
    return redirect(url_for("readers.choose", next=next_path), 303)
