"""What a session on the server adds to a request, beside Flask-Session.

Each page is compared to the same page of an application without sessions on the server that does
not touch the session. Files are measured anywhere; Redis where one answers on this machine. What is
counted is the processor's time of the application: waiting for the store is the same for all.
"""

from __future__ import annotations

import socket
import tempfile
import typing as t
from importlib import import_module

from benchmarks.content import SECRET_KEY
from benchmarks.environs import Request, send
from benchmarks.timing import Cost, contest, requests_to

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.frameworks import Framework
    from benchmarks.timing import Contestant, Effort

#: Who takes part: class ``Flask`` and class ``Erlen``, and the real Flask with Flask-Session.
CONTESTANTS = ("erlen-flask", "erlen", "flask")
STORES = ("files", "Redis")
#: The pages: what they do with the session, and their path.
PAGES = {"read": "/read", "changed": "/change", "not touched": "/plain"}
#: How many times less a session is to add than with Flask-Session.
GOAL = 4.0
_ADDRESS = ("127.0.0.1", 6379)


def measure_sessions(frameworks: Iterable[Framework], effort: Effort) -> dict[str, dict[str, Cost]]:
    """Time what sessions on the server add to a request of each framework.

    :returns: what each page cost more than the page without, by the framework's name.
    """
    chosen = [item for item in frameworks if item.name in CONTESTANTS]
    rows: dict[str, dict[str, Cost]] = {}
    for store in STORES:
        if store == "Redis" and not _redis_answers():
            continue
        benches = {item.name: Bench(item, store) for item in chosen}
        for page, path in PAGES.items():
            contestants: dict[str, Contestant] = {}
            for name, bench in benches.items():
                contestants[name] = requests_to(bench.app, bench.request(path))
                contestants[f"{name} without"] = requests_to(bench.without, bench.request("/plain"))
            costs = contest(contestants, effort)
            rows[f"in {store}, {page}"] = {
                name: _added(costs[name], costs[f"{name} without"]) for name in benches
            }
    return rows


def _added(cost: Cost, without: Cost) -> Cost:
    """Return the difference; less than a microsecond is the noise of the machine."""
    added = cost.without(without)
    return Cost(max(added.best, 1.0), max(added.median, 1.0))


def goals(rows: Iterable[str]) -> dict[str, float]:
    """Return the goal of each row."""
    return dict.fromkeys(rows, GOAL)


class Bench:
    """Two applications of a framework, one of them with sessions on the server.

    :param framework: the framework.
    :param store: where the sessions are.
    """

    def __init__(self, framework: Framework, store: str) -> None:
        assert framework.api is not None
        self.module: t.Any = framework.api.module
        self.without: t.Any = framework.api.app()
        self.app: t.Any = framework.api.app()
        for app in (self.without, self.app):
            app.secret_key = SECRET_KEY
            app.add_url_rule("/plain", view_func=plain)
        # Files go with it.
        self._folder = tempfile.TemporaryDirectory(prefix="erlen-bench-")
        if framework.name == "flask":
            self._add_flask_session(store)
        else:
            self._add_erlen_sessions(store)
        self._add_views()
        self._visit()

    def _add_flask_session(self, store: str) -> None:
        if store == "Redis":
            server = import_module("redis").Redis(*_ADDRESS)
            self.app.config.update(SESSION_TYPE="redis", SESSION_REDIS=server)
            self.app.config["SESSION_KEY_PREFIX"] = "erlen-bench-flask:"
        else:
            cache = import_module("cachelib").FileSystemCache(self._folder.name)
            self.app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=cache)
        import_module("flask_session").Session(self.app)

    def _add_erlen_sessions(self, store: str) -> None:
        self.app.config["SESSION_BACKEND"] = "redis" if store == "Redis" else "filesystem"
        self.app.config["SESSION_REDIS_URL"] = "redis://{}:{}".format(*_ADDRESS)
        self.app.config["SESSION_KEY_PREFIX"] = "erlen-bench:"
        self.app.config["SESSION_FILE_DIR"] = self._folder.name
        # Long enough for a run, and no trace after it.
        self.app.config["SESSION_IDLE_TIMEOUT"] = 600

    def _add_views(self) -> None:
        session = self.module.session

        def enter() -> str:
            session.update(name="Ada", user_id="42", csrf_token="7" * 40, cart={"tea": 1, "cup": 2})
            return "Ada"

        def read() -> str:
            name: str = session["name"]
            return name

        def change() -> str:
            session["count"] = session.get("count", 0) + 1
            return "Ada"

        for view in (enter, read, change):
            self.app.add_url_rule(f"/{view.__name__}", view_func=view)

    def _visit(self) -> None:
        """Take a cookie, and see that the pages are right."""
        answer = send(self.app, Request("/enter"))
        self.cookie = (answer.header("Set-Cookie") or "").partition(";")[0]
        for path in PAGES.values():
            assert send(self.app, self.request(path)).body == b"Ada"

    def request(self, path: str) -> Request:
        """Return a request for a page, with the session's cookie."""
        return Request(path, cookie=getattr(self, "cookie", None))


def plain() -> str:
    """Show a page that does not touch the session."""
    return "Ada"


def _redis_answers() -> bool:
    try:
        socket.create_connection(_ADDRESS, timeout=1).close()
    except OSError:
        return False
    return True
