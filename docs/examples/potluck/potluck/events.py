"""Events, and the dishes that people bring to them."""

import sqlalchemy as sa
from erlen import Blueprint, abort, flash, redirect, render_template, request, url_for
from erlen.login import current_user, login_required
from erlen.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload, selectinload

from .db import Dish, Event, db
from .forms import EventForm

bp = Blueprint("events", __name__)

#: A number that fits into the database.
ID = "int(max=2147483647)"


@bp.get("/")
def index() -> str:
    return render_template("events/index.html", events=list_events())


@bp.route("/events/new", methods=["GET", "POST"])
@login_required
def create() -> ResponseReturnValue:
    form = EventForm()
    if not form.validate_on_submit():
        status = 422 if form.is_submitted() else 200
        return render_template("events/create.html", form=form), status
    event = Event(host_id=current_user.id)
    form.populate_obj(event)
    with db.transaction():
        db.session.add(event)
    return redirect(url_for("events.show", event_id=event.id))


@bp.get(f"/events/<{ID}:event_id>")
def show(event_id: int) -> str:
    return render_template("events/show.html", event=get_event(event_id))


@bp.post(f"/events/<{ID}:event_id>/dishes")
@login_required
def bring(event_id: int) -> ResponseReturnValue:
    if add_dish(event_id, request.form["name"]) is None:
        flash("A dish has a name of at most 80 characters.")
    return redirect(url_for("events.show", event_id=event_id))


@bp.post(f"/dishes/<{ID}:dish_id>/remove")
@login_required
def take_back(dish_id: int) -> ResponseReturnValue:
    dish = db.get_or_404(Dish, dish_id)
    event_id = dish.event_id
    if dish.cook_id != current_user.id:
        abort(403, "This dish is somebody else's.")
    with db.transaction():
        db.session.delete(dish)
    return redirect(url_for("events.show", event_id=event_id))


def list_events() -> list[Event]:
    """Return all events, the next one first."""
    query = sa.select(Event).order_by(Event.day, Event.id).options(joinedload(Event.host))
    return list(db.session.scalars(query))


def get_event(event_id: int) -> Event:
    """Return one event with its dishes; where there is none, the answer is 404."""
    dishes = selectinload(Event.dishes).joinedload(Dish.cook)
    return db.get_or_404(Event, event_id, description="There is no such event.", options=[dishes])


def add_dish(event_id: int, name: str) -> Dish | None:
    """Store a dish of the account that is logged in; return it, or ``None``."""
    event = get_event(event_id)
    name = name.strip()
    if not 1 <= len(name) <= 80:
        return None
    dish = Dish(name=name, cook_id=current_user.id)
    with db.transaction():
        event.dishes.append(dish)
    return dish
