"""What each kind of server cannot do, and what a client sees in place of it."""

from __future__ import annotations

import enum
import typing as t

if t.TYPE_CHECKING:
    from .process import Server


class Ability(enum.Enum):
    """A column of the table in ``docs/how-to/deploy.md``, with its heading."""

    WEBSOCKETS = "WebSockets"
    CHUNKED = "bodies without a length"
    CUT = "cut ones noticed"
    REPEATED = "repeated headers"
    UNDERSCORES = "no false underscores"
    EXPECT = "`Expect: 100-continue`"
    HALF = "half a body is answered"
    OLD = "streams to HTTP/1.0"
    ENDING = "ends gracefully"


_WSGI = {Ability.WEBSOCKETS: "426"}
_NGINX = {Ability.HALF: "closes"}

#: For each kind: what it cannot do, and what happens in place of it.
CANNOT: dict[str, dict[Ability, str]] = {
    "erlen-serve": {},
    "granian-asgi": {},
    "granian-rsgi": {},
    "granian-rsgi-loop": {},
    "granian-wsgi": _WSGI | {Ability.CUT: "no", Ability.UNDERSCORES: "no"},
    "gunicorn-asgi": {Ability.HALF: "closes"},
    "gunicorn-gthread": _WSGI,
    "gunicorn-sync": _WSGI,
    "hypercorn": {Ability.HALF: "waits", Ability.ENDING: "no"},
    "nginx-erlen": _NGINX,
    "nginx-gunicorn": _WSGI | _NGINX,
    "nginx-uvicorn": _NGINX,
    "nginx-uwsgi": _WSGI | _NGINX | {Ability.REPEATED: "the last"},
    "uvicorn": {Ability.HALF: "closes"},
    "uvicorn-loop": {Ability.HALF: "closes"},
    "uwsgi": _WSGI | {Ability.CHUNKED: "411", Ability.UNDERSCORES: "no", Ability.EXPECT: "400"},
    "werkzeug": _WSGI | {Ability.OLD: "chunked"},
    "wsgiref": _WSGI | {Ability.CHUNKED: "411", Ability.UNDERSCORES: "no", Ability.EXPECT: "waits"},
}

#: The rows of the table, and the kinds that they stand for.
ROWS = {
    "`erlen serve`": "erlen-serve",
    "Gunicorn, `sync`": "gunicorn-sync",
    "Gunicorn, `gthread`": "gunicorn-gthread",
    "Gunicorn, `asgi`": "gunicorn-asgi",
    "uWSGI, HTTP": "uwsgi",
    "uvicorn, `h11`": "uvicorn",
    "Hypercorn": "hypercorn",
    "Granian, RSGI": "granian-rsgi",
    "Granian, ASGI": "granian-asgi",
    "Granian, WSGI": "granian-wsgi",
    "nginx, `erlen serve`": "nginx-erlen",
    "nginx, Gunicorn": "nginx-gunicorn",
    "nginx, uvicorn": "nginx-uvicorn",
    "nginx, uWSGI": "nginx-uwsgi",
}


def lack(server: Server, ability: Ability) -> str:
    """Return what happens where a server lacks an ability; nothing where it has it."""
    return CANNOT[server.kind].get(ability, "")
