"""Events, and the dishes that people bring to them."""

import datetime
import sqlite3

from erlen import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from erlen.typing import ResponseReturnValue

from .accounts import login_required
from .db import get_db

bp = Blueprint("events", __name__)

#: A number that fits into the database.
ID = "int(max=2147483647)"


@bp.get("/")
def index() -> str:
    return render_template("events/index.html", events=list_events())


@bp.route("/events/new", methods=["GET", "POST"])
@login_required
def create() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("events/create.html")
    title = request.form["title"].strip()
    day = request.form["day"]
    if not 1 <= len(title) <= 80 or not is_day(day):
        flash("An event needs a title of at most 80 characters, and a day.")
        return render_template("events/create.html"), 422
    db = get_db()
    cursor = db.execute(
        "INSERT INTO event (host_id, title, day) VALUES (?, ?, ?)",
        (g.account["id"], title, day),
    )
    db.commit()
    return redirect(url_for("events.show", event_id=cursor.lastrowid))


@bp.get(f"/events/<{ID}:event_id>")
def show(event_id: int) -> str:
    event = get_event(event_id)
    return render_template("events/show.html", event=event, dishes=list_dishes(event_id))


@bp.post(f"/events/<{ID}:event_id>/dishes")
@login_required
def bring(event_id: int) -> ResponseReturnValue:
    if add_dish(event_id, request.form["name"]) is None:
        flash("A dish has a name of at most 80 characters.")
    return redirect(url_for("events.show", event_id=event_id))


@bp.post(f"/dishes/<{ID}:dish_id>/remove")
@login_required
def take_back(dish_id: int) -> ResponseReturnValue:
    db = get_db()
    dish = db.execute("SELECT * FROM dish WHERE id = ?", (dish_id,)).fetchone()
    if dish is None:
        abort(404)
    if dish["cook_id"] != g.account["id"]:
        abort(403, "This dish is somebody else's.")
    db.execute("DELETE FROM dish WHERE id = ?", (dish_id,))
    db.commit()
    return redirect(url_for("events.show", event_id=dish["event_id"]))


def is_day(text: str) -> bool:
    """Tell whether *text* is a date such as 2030-05-17."""
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def list_events() -> list[sqlite3.Row]:
    """Return all events, the next one first."""
    return (
        get_db()
        .execute(
            "SELECT event.id, title, day, account.name AS host"
            " FROM event JOIN account ON account.id = host_id ORDER BY day, event.id"
        )
        .fetchall()
    )


def get_event(event_id: int) -> sqlite3.Row:
    """Return one event; where there is none, the answer is 404."""
    event: sqlite3.Row | None = (
        get_db()
        .execute(
            "SELECT event.id, title, day, account.name AS host"
            " FROM event JOIN account ON account.id = host_id WHERE event.id = ?",
            (event_id,),
        )
        .fetchone()
    )
    if event is None:
        abort(404, "There is no such event.")
    return event


def list_dishes(event_id: int) -> list[sqlite3.Row]:
    """Return the dishes of an event, in the order in which they were promised."""
    return (
        get_db()
        .execute(
            "SELECT dish.id, dish.name, cook_id, account.name AS cook"
            " FROM dish JOIN account ON account.id = cook_id WHERE event_id = ? ORDER BY dish.id",
            (event_id,),
        )
        .fetchall()
    )


def add_dish(event_id: int, name: str) -> int | None:
    """Store a dish of the account that is logged in; return its number, or ``None``."""
    get_event(event_id)
    name = name.strip()
    if not 1 <= len(name) <= 80:
        return None
    db = get_db()
    cursor = db.execute(
        "INSERT INTO dish (event_id, cook_id, name) VALUES (?, ?, ?)",
        (event_id, g.account["id"], name),
    )
    db.commit()
    return cursor.lastrowid
