"""Run in a fresh interpreter: import one framework, make an application of 300 routes, ask it.

It reads the rules from standard input and prints a line of JSON. It imports nothing that a
framework would otherwise have to import itself, ``typing`` included.
"""

from __future__ import annotations

import sys
from io import BytesIO
from time import process_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def hello(**values: object) -> str:
    """Answer with a line of text."""
    return "Hello, World!"


class Resource:
    """Answers with a line of text, for Falcon."""

    def on_get(self, req: Any, resp: Any, **values: object) -> None:
        """Say hello."""
        resp.text = "Hello, World!"


def with_flask(application: Any, rules: list[str]) -> Any:
    """Make an application with Flask's API."""
    app = application(__name__)
    for number, rule in enumerate(rules):
        app.add_url_rule(rule, f"view{number}", hello)
    return app


def with_falcon(module: Any, rules: list[str]) -> Any:
    """Make an application with Falcon."""
    app, resource = module.App(), Resource()
    for rule in rules:
        app.add_route(rule, resource)
    return app


def with_bottle(module: Any, rules: list[str]) -> Any:
    """Make an application with Bottle."""
    app = module.Bottle()
    for rule in rules:
        app.get(rule, callback=hello)
    return app


def ask(app: Any, path: str) -> None:
    """Send one request, so that what is made at the first one is counted."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost:8000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    statuses: list[str] = []
    chunks = app(environ, lambda status, headers, exc_info=None: statuses.append(status))
    body = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    if statuses != ["200 OK"] or body != b"Hello, World!":
        raise SystemExit(f"wrong answer: {statuses} {body!r}")


def resident() -> int:
    """Return how much memory the process holds, in bytes; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        return 0


def main(name: str, path: str, rules: list[str]) -> None:
    """Measure one framework and print what was found."""
    before = resident()
    start = process_time()
    module = __import__(name.partition("-")[0])
    imported = process_time()
    if name == "falcon":
        app = with_falcon(module, rules)
    elif name == "bottle":
        app = with_bottle(module, rules)
    else:
        app = with_flask(module.Erlen if name == "erlen" else module.Flask, rules)
    ask(app, path)
    answered = process_time()
    seconds = f'"import": {imported - start}, "ready": {answered - start}'
    print(f'{{{seconds}, "memory": {resident()}, "interpreter": {before}}}')


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.stdin.read().split())
