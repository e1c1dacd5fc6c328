"""Who takes part over HTTP, on which interface, and what is compared with what."""

from __future__ import annotations

import sys
import typing as t
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version

if t.TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Contestant:
    """One column of the report.

    :param name: its short name.
    :param interface: how Granian speaks to it: ``rsgi``, ``asgi`` or ``wsgi``.
    :param module: the module of ``benchmarks.applications`` with its builders; for those that
        share Flask's API, the module that has that.
    :param is_served: whether ``erlen serve`` serves it, in place of Granian's own command.
    """

    name: str
    interface: str
    module: str
    is_served: bool = False

    @property
    def reference(self) -> str:
        """The name of the bare application on the same interface."""
        return f"bare-{self.interface}"

    @property
    def label(self) -> str:
        """Name and version."""
        return self.name if self.module.startswith("bare") else f"{self.name} {self._version}"

    @property
    def _version(self) -> str:
        return version(self.module.removeprefix("with_"))

    def build(self, workload: str) -> t.Any:
        """Return its application for a workload."""
        if self.module in {"erlen", "flask"}:
            builders = _with_flask_api(self.module)
        else:
            builders = import_module(f"benchmarks.applications.{self.module}").BUILDERS
        app = builders[workload]()
        if self.interface == "rsgi" and not hasattr(app, "__rsgi__"):
            return _Bare(app)
        return app

    def command(self, port: int) -> list[str]:
        """Return what starts it with one worker."""
        if self.is_served:
            return [
                *(sys.executable, "-m", "erlen", "--app", "benchmarks.http.served:app"),
                *("serve", f"--bind=127.0.0.1:{port}", f"--interface={self.interface}"),
                "--insecure-secret",
            ]
        return [
            *(sys.executable, "-m", "granian", f"--interface={self.interface}"),
            *(f"--port={port}", "--no-log"),
            "benchmarks.http.served:app",
        ]


class _Bare:
    """Shows Granian a function as an application of RSGI."""

    def __init__(self, function: Callable[[t.Any, t.Any], t.Any]) -> None:
        self.__rsgi__ = function


def _with_flask_api(name: str) -> dict[str, Callable[[], t.Any]]:
    from benchmarks import frameworks

    return frameworks.load(name).builders


#: With asynchronous views where the name does not say otherwise; ``sync`` ones run in threads.
CONTESTANTS = {
    item.name: item
    for item in (
        Contestant("bare-rsgi", "rsgi", "bare_rsgi"),
        Contestant("erlen", "rsgi", "with_erlen"),
        Contestant("erlen-sync", "rsgi", "erlen"),
        Contestant("serve", "rsgi", "with_erlen", is_served=True),
        Contestant("serve-sync", "rsgi", "erlen", is_served=True),
        Contestant("bare-asgi", "asgi", "bare_asgi"),
        Contestant("erlen-asgi", "asgi", "with_erlen"),
        Contestant("erlen-sync-asgi", "asgi", "erlen"),
        Contestant("starlette", "asgi", "with_starlette"),
        Contestant("blacksheep", "asgi", "with_blacksheep"),
        Contestant("bare-wsgi", "wsgi", "bare"),
        Contestant("erlen-wsgi", "wsgi", "erlen"),
        Contestant("falcon", "wsgi", "with_falcon"),
        Contestant("flask", "wsgi", "flask"),
    )
}

#: What is asked of a contestant: at least so much of the bare application on its interface.
BARS = {"erlen": 0.75, "serve": 0.75, "erlen-sync": 0.55, "serve-sync": 0.55}
#: And at least so many times Flask, on Granian as well.
FLASK_BARS = {"erlen-sync": 2.5, "serve-sync": 2.5}
