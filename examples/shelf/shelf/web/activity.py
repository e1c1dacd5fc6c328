"""What happens in the library, on a page that follows it."""

from collections.abc import Iterator

from erlen import (
    Blueprint,
    EventStream,
    Response,
    ServerSentEvent,
    current_app,
    last_event_id,
    make_response,
    render_template,
    request,
)
from erlen.login import requires

from ..activity import find_happenings, watch

bp = Blueprint("activity", __name__)

# The only page with a script, one of our own.
CONTENT_POLICY = "script-src 'self'; connect-src 'self'"


@bp.get("/activity")
@requires("activity:view")
def index() -> Response:
    """Show what happened last."""
    happenings = find_happenings()
    last = happenings[-1].id if happenings else 0
    page = render_template("activity.html", happenings=happenings[::-1], last=last)
    response: Response = make_response(page)
    response.headers["Content-Security-Policy"] = (
        f"{current_app.config['CONTENT_POLICY']}; {CONTENT_POLICY}"
    )
    return response


@bp.get("/activity/events")
@requires("activity:view")
def events() -> EventStream:
    """Send what happens, as it happens.

    The stream ends after a while, and the browser comes again: so a thread of the server is held
    by nobody for long.
    """
    known = last_event_id() or request.args.get("after", "")
    after = int(known) if known.isascii() and known.isdecimal() and len(known) < 20 else 0
    return EventStream(make_events(after), retry=1000)


def make_events(after: int) -> Iterator[ServerSentEvent | None]:
    """Yield an event for everything that happens."""
    for happening in watch(after, current_app.config["ACTIVITY_SECONDS"]):
        if happening is None:
            yield None
            continue
        line = render_template("happening.html", happening=happening)
        yield ServerSentEvent(line, event="happening", id=str(happening.id))
