"""The same data as JSON."""

from typing import Any

from erlen import Blueprint, abort, request, url_for
from erlen.login import current_user
from erlen.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from .db import Event
from .events import ID, add_dish, get_event, list_events

bp = Blueprint("api", __name__, url_prefix="/api", owns_prefix=True)


@bp.errorhandler(HTTPException)
def show_error(error: HTTPException) -> ResponseReturnValue:
    return {"error": error.name, "description": error.description}, error.code or 500


@bp.get("/events")
def events() -> ResponseReturnValue:
    return [summary(event) for event in list_events()]


@bp.get(f"/events/<{ID}:event_id>")
def event(event_id: int) -> ResponseReturnValue:
    event = get_event(event_id)
    dishes = [{"name": dish.name, "cook": dish.cook.name} for dish in event.dishes]
    return {**summary(event), "dishes": dishes}


@bp.post(f"/events/<{ID}:event_id>/dishes")
def bring(event_id: int) -> ResponseReturnValue:
    if not current_user.is_authenticated:
        abort(401, "Log in first.")
    data: Any = request.get_json()
    name = data.get("name") if isinstance(data, dict) else None
    if not isinstance(name, str) or add_dish(event_id, name) is None:
        abort(422, 'Send an object such as {"name": "Soup"}; the name has at most 80 characters.')
    location = url_for("api.event", event_id=event_id)
    return {"event": event_id, "name": name.strip()}, 201, {"Location": location}


def summary(event: Event) -> dict[str, Any]:
    """Return what a list says of an event."""
    return {
        "id": event.id,
        "title": event.title,
        "day": event.day.isoformat(),
        "host": event.host.name,
    }
