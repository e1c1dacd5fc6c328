"""Answering imports of ``flask`` with Erlen's modules: the same objects under two names.

NOTE: This module imports nothing of Erlen and as little as possible of the standard library. A
``.pth`` file runs it at the start of every Python process of an enabled environment, and most of
them never ask for ``flask``. It also keeps its whole state in ``sys.meta_path`` and in itself.
"""

from __future__ import annotations

import sys
from _thread import RLock
from importlib import import_module
from importlib.machinery import ModuleSpec

# PERF: typing alone would cost every process of the environment some milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing as t
    from collections.abc import Iterable, Iterator, Sequence
    from importlib.metadata import Distribution, DistributionFinder
    from types import CodeType, ModuleType


class Served:
    """One top-level name that Erlen answers for.

    :param name: the name that programs import.
    :param target: the module of Erlen that is behind it.
    :param distribution: the distribution that brings *name* where Erlen does not.
    :param version: the version of that distribution whose behaviour Erlen follows.
    :param removed: submodules of *target* that must not be found under *name*, because they carry
        a name that *distribution* once had and removed; extensions probe for those.
    """

    def __init__(
        self,
        name: str,
        target: str,
        distribution: str,
        version: str,
        removed: frozenset[str] = frozenset(),
    ) -> None:
        self.name = name
        self.target = target
        self.distribution = distribution
        self.version = version
        self.removed = removed


#: The names that Erlen answers for, one line each.
SERVED: tuple[Served, ...] = (
    Served("flask", "erlen", "Flask", "3.1.3", removed=frozenset({"scaffold"})),
    Served("flask_login", "erlen.login", "Flask-Login", "0.6.3"),
    Served("flask_migrate", "erlen.migrate", "Flask-Migrate", "4.1.0"),
    Served("flask_sqlalchemy", "erlen.db", "Flask-SQLAlchemy", "3.1.1"),
    Served("flask_wtf", "erlen.forms", "Flask-WTF", "1.3.0"),
)

_lock = RLock()


def install(legacy: Iterable[str] = ()) -> None:
    """Answer ``import flask`` and ``import flask.<module>`` with Erlen from now on.

    Call it before anything imports ``flask``. It does not matter whether Flask is installed.
    Calling it again is harmless; names in *legacy* are added to those already served.

    :param legacy: names that Flask 3 removed and that an extension still needs, such as
        ``"_request_ctx_stack"`` or ``"json.JSONEncoder"``. Each use of one warns. Write
        ``"flask_redmail:_request_ctx_stack"`` to serve a name to the modules of one package only,
        which keeps other extensions, that probe for the name, on their new path.
    :raises RuntimeError: when the real Flask was imported before.
    :raises ValueError: when *legacy* has a name that Erlen does not know.

    .. code-block:: python

        import erlen.compat

        erlen.compat.install()
        from flask import Flask  # erlen.app.Flask
    """
    with _lock:
        _refuse_imported()
        names = tuple(legacy)
        if names:
            _request_legacy(names)
        if not is_installed():
            # The modules come first, so that they win over an installed Flask; the distributions
            # last, so that an installed Flask's own metadata wins over ours.
            sys.meta_path.insert(0, AliasFinder())
            sys.meta_path.append(AliasDistributions())
        # What is loaded already gets its second name now, in one thread: while the import system
        # enters a package under another name, imports in other threads could load a module twice.
        for served in SERVED:
            package = sys.modules.get(served.target)
            if package is not None and not _is_initializing(package):
                import_module(served.name)


def is_installed() -> bool:
    """Say whether :func:`install` was called in this process."""
    return any(type(finder) is AliasFinder for finder in sys.meta_path)


def _refuse_imported() -> None:
    for served in SERVED:
        module = sys.modules.get(served.name)
        if module is not None and module is not sys.modules.get(served.target):
            origin = getattr(module, "__file__", None) or "an unknown place"
            raise RuntimeError(
                f"{served.name!r} was already imported, from {origin}, so Erlen can no longer"
                " answer for it: its classes would exist twice. Call erlen.compat.install()"
                f" before the first import of {served.name!r} or of an extension that imports it,"
                " or start the program with 'python -m erlen.compat'."
            )


# -- Names that were removed ---------------------------------------------------------------------

_legacy_requested: list[str] = []
_bound = False
_named: set[str] = set()


def _request_legacy(names: tuple[str, ...]) -> None:
    # At the start of an enabled environment's process Erlen is not loaded, and stays so: `erlen
    # compat enable` has checked the names, and the first import of flask serves them.
    if "erlen" in sys.modules:
        find_removed = import_module("erlen.compat.removed").find_removed
        for name in names:
            find_removed(name)
        if _bound:
            import_module("erlen.compat.legacy").serve(names)
    _legacy_requested.extend(name for name in names if name not in _legacy_requested)


def legacy_names() -> tuple[str, ...]:
    """Return the removed names that are served in this process, as :func:`install` got them."""
    return tuple(_legacy_requested)


# -- Modules -------------------------------------------------------------------------------------


def find_served(fullname: str) -> Served | None:
    """Return the entry of :data:`SERVED` that a module's dotted name falls under, if any.

    :param fullname: the module's name, for example ``"flask.json.tag"``.
    """
    root = fullname.partition(".")[0]
    for served in SERVED:
        if served.name == root:
            return served
    return None


class AliasFinder:
    """The meta-path finder that translates ``flask.x`` into ``erlen.x``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec whose loader hands out Erlen's module, or ``None`` for other names.

        :param fullname: the module's dotted name.
        :param path: where the import system would look; not used.
        :param target: the module that is reloaded; not used.
        :raises ModuleNotFoundError: for a submodule that must not be found under this name.
        """
        served = find_served(fullname)
        if served is None:
            return None
        rest = fullname[len(served.name) :]
        if rest[1:] in served.removed:
            _check_legacy(fullname, rest[1:])
        from importlib.util import find_spec

        real = find_spec(served.target + rest)
        if real is None:
            return None
        return _make_spec(fullname, real)


def _check_legacy(fullname: str, short: str) -> None:
    if not any(entry.rpartition(":")[2] in (short, fullname) for entry in _legacy_requested):
        # Raised, not None: the package's __path__ would lead the next finder to the file and to
        # a second copy of the module.
        raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
    import_module("erlen.compat.legacy").warn_module(short)


def _make_spec(fullname: str, real: ModuleSpec) -> ModuleSpec:
    # PERF: importlib.abc, which has the class Loader, is not loaded for this.
    loader = AliasLoader(real)
    spec = ModuleSpec(fullname, loader, origin=real.origin)  # type: ignore[arg-type]
    spec.submodule_search_locations = real.submodule_search_locations
    spec.has_location = real.has_location
    return spec


class AliasLoader:
    """Hands out a module that exists under its real name, importing it when needed.

    :param real: the spec of the module under its real name.
    """

    def __init__(self, real: ModuleSpec) -> None:
        self.real = real
        self._own: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the real module itself.

        :param spec: the spec under the alias.
        """
        module = import_module(self.real.name)
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Undo the one attribute that the import system has just overwritten.

        :param module: the real module, already executed.
        """
        # NOTE: importlib sets __spec__ on whatever create_module returns, and nothing else where
        # the attribute exists already. A throw-away module, replaced in sys.modules here, would
        # leave __spec__ alone, but a second thread that imports the name in that moment keeps
        # the throw-away one for good.
        module.__spec__ = self._own
        _add_names(module)
        for served in SERVED:
            if served.target == self.real.name:
                _bind_loaded(served)

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the module's code, for ``python -m flask``.

        :param fullname: the name under the alias; not used.
        """
        code: CodeType | None = self._call("get_code")
        return code

    def get_source(self, fullname: str) -> str | None:
        """Return the module's source text.

        :param fullname: the name under the alias; not used.
        """
        source: str | None = self._call("get_source")
        return source

    def get_filename(self, fullname: str) -> str:
        """Return the path of the module's file.

        :param fullname: the name under the alias; not used.
        """
        path: str = self._call("get_filename")
        return path

    def is_package(self, fullname: str) -> bool:
        """Say whether the module is a package.

        :param fullname: the name under the alias; not used.
        """
        return self.real.submodule_search_locations is not None

    def _call(self, method: str) -> t.Any:
        return getattr(self.real.loader, method)(self.real.name)

    def __getattr__(self, name: str) -> t.Any:
        # get_data, get_resource_reader and the like do not take the module's name, or ignore it.
        return getattr(self.real.loader, name)


def _bind_loaded(served: Served) -> None:
    """Enter the modules that are loaded already under their second name too."""
    for name, module in list(sys.modules.items()):
        rest = name.removeprefix(f"{served.target}.")
        if rest == name or rest in served.removed or _is_initializing(module):
            continue
        if sys.modules.setdefault(f"{served.name}.{rest}", module) is module:
            _add_names(module)
    if served.name == "flask":
        _bind_flask(served)
    else:
        vars(sys.modules[served.target]).setdefault("__version__", served.version)


def _bind_flask(served: Served) -> None:
    global _bound
    with _lock:
        if _bound:
            return
        _bound = True
        package = sys.modules[served.target]
        _add_names(package)
        import_module("erlen.compat.version").serve(package, served.version)
        import_module("erlen.compat.legacy").serve(_legacy_requested)


def _add_names(module: ModuleType) -> None:
    """Give a module the names that Flask's module of that name has by accident."""
    with _lock:
        if module.__name__ not in _named:
            _named.add(module.__name__)
            import_module("erlen.compat.incidental").serve(module)


def _is_initializing(module: ModuleType) -> bool:
    spec = getattr(module, "__spec__", None)
    return spec is None or getattr(spec, "_initializing", False)


# -- Distributions -------------------------------------------------------------------------------


class AliasDistributions:
    """The finder through which ``importlib.metadata`` sees the served distributions.

    It stands last in ``sys.meta_path`` and is silent about a distribution that is installed.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return ``None``: this finder has no modules.

        :param fullname: the module's dotted name; not used.
        :param path: not used.
        :param target: not used.
        """
        return None

    def find_distributions(
        self, context: DistributionFinder.Context | None = None
    ) -> Iterator[Distribution]:
        """Yield the served distributions that *context* asks for and that are not installed.

        :param context: what is asked for. A look into given folders, as installers make it,
            finds nothing here.
        """
        if context is not None and "path" in vars(context):
            return
        wanted = getattr(context, "name", None)
        for served in SERVED:
            if wanted is not None and _normalize(wanted) != _normalize(served.distribution):
                continue
            distribution = _make_distribution(served)
            if distribution is not None:
                yield distribution


def _normalize(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _make_distribution(served: Served) -> Distribution | None:
    # importlib.metadata is slow to import; whoever asks for a distribution has it already.
    from importlib.metadata import Distribution, DistributionFinder, MetadataPathFinder

    context = DistributionFinder.Context(name=served.distribution)
    if next(iter(MetadataPathFinder.find_distributions(context)), None) is not None:
        return None

    class AliasDistribution(Distribution):
        def read_text(self, filename: str) -> str | None:
            return _metadata_files(served).get(filename)

        def locate_file(self, path: t.Any) -> t.Any:
            from pathlib import Path

            return Path(import_module(served.target).__path__[0]).parent / path

    return AliasDistribution()


def _metadata_files(served: Served) -> dict[str, str]:
    files = {
        "METADATA": (
            "Metadata-Version: 2.1\n"
            f"Name: {served.distribution}\n"
            f"Version: {served.version}\n"
            "Summary: answered by Erlen\n"
            "Requires-Dist: erlen\n"
        ),
        "top_level.txt": f"{served.name}\n",
    }
    if served.name == "flask":
        files["entry_points.txt"] = "[console_scripts]\nflask = flask.cli:main\n"
    return files
