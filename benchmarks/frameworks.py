"""The frameworks that take part, and how each makes its applications."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version

from benchmarks.applications.with_flask import Api, builders, router

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication

    Builders: t.TypeAlias = dict[str, Callable[[], WSGIApplication]]


@dataclass(frozen=True)
class Framework:
    """One column of the report.

    :param name: the short name, for ``--frameworks`` and for the columns.
    :param distribution: the distribution whose version the report names; ``None`` for none.
    :param builders: what makes the application of each workload that the framework can do.
    :param router: adds so many routes and returns what matches a path, or ``None``.
    :param api: the names of Flask's API, of the frameworks that have it.
    """

    name: str
    distribution: str | None
    builders: Builders
    router: Callable[[int], Callable[[str], object]] | None = None
    api: Api | None = None

    @property
    def label(self) -> str:
        """Name and version."""
        if self.distribution is None:
            return self.name
        return f"{self.name} {version(self.distribution)}"


NAMES = ("bare", "erlen", "erlen-flask", "flask", "falcon", "bottle")


def load(name: str) -> Framework:
    """Import one framework.

    ``erlen`` is the class ``Erlen``, with the defaults of today; ``erlen-flask`` is the class
    ``Flask`` of the same package, with Flask's defaults; ``flask`` is the real one.

    :raises ImportError: if it is not installed.
    """
    if name == "erlen":
        return _with_flask_api(name, Api(import_module("erlen"), "Erlen"), "erlen")
    if name == "erlen-flask":
        return _with_flask_api(name, Api(import_module("erlen")), "erlen")
    if name == "flask":
        return _with_flask_api(name, Api(_real_flask()), "flask")
    if name == "bare":
        return Framework(name, None, import_module("benchmarks.applications.bare").BUILDERS)
    module = import_module(f"benchmarks.applications.with_{name}")
    return Framework(name, name, module.BUILDERS, module.router)


def _with_flask_api(name: str, api: Api, distribution: str) -> Framework:
    return Framework(name, distribution, builders(api), partial(router, api), api)


def _real_flask() -> t.Any:
    module = import_module("flask")
    if not module.Flask.__module__.startswith("flask."):
        raise ImportError("the name 'flask' is answered by another package: nothing to compare")
    return module
