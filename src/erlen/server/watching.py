"""Which files are watched, and what a change of one means."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
import time
import typing as t
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from watchfiles import DefaultFilter, watch

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from watchfiles.main import FileChange

    from ..typing import Application

# For how many milliseconds changes are put together: an editor writes a file in several steps.
_TOGETHER = 300
_STEP = 50
# After how many milliseconds without one the reloader looks at its other duties.
_TICK = 100

#: Files that change what the application is, beside its code.
ENVIRONMENT_FILES = frozenset({".env", ".flaskenv"})


@dataclass
class Changes:
    """What changed: files of code, and files that only browsers see."""

    code: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    @property
    def seen_names(self) -> list[str]:
        """The names of the files that browsers see, without folders."""
        return sorted({os.path.basename(path) for path in self.seen})


class Watch:
    """Watches files.

    :param extra_files: files whose change starts the application anew, whatever they are.
    :param exclude_patterns: :mod:`fnmatch` patterns of paths that are ignored.
    """

    def __init__(self, extra_files: Iterable[str], exclude_patterns: Iterable[str]) -> None:
        self._extra = {os.path.realpath(path) for path in extra_files}
        self._excluded = tuple(exclude_patterns)
        self._filter = DefaultFilter()
        self._shown: tuple[str, ...] = ()
        self._roots: dict[str, bool] = {}
        self._watchers: list[_Watcher] = []
        self.set_places([os.getcwd()], [])

    def set_places(self, roots: Iterable[str], shown: Iterable[str]) -> None:
        """Say where the files are.

        :param roots: folders with code.
        :param shown: folders with what browsers see: templates and static files.
        """
        self._shown = tuple(os.path.join(os.path.realpath(path), "") for path in shown)
        wanted = {os.path.realpath(path): True for path in (*roots, *self._shown, os.getcwd())}
        for path in self._extra:
            wanted.setdefault(path if os.path.isdir(path) else os.path.dirname(path), False)
        for path in list(wanted):
            # The files of everybody are too many.
            if path in _TOO_LARGE:
                wanted[path] = False
        places = {
            path: is_deep
            for path, is_deep in wanted.items()
            if os.path.isdir(path) and not _is_below_another(path, wanted)
        }
        if places == self._roots:
            return
        self._roots = places
        self.close()
        for is_deep in (True, False):
            paths = [path for path, deep in places.items() if deep is is_deep]
            if paths:
                self._watchers.append(_Watcher(paths, is_deep))

    def wait(self) -> Changes:
        """Return what changed, soon, also if that is nothing."""
        changes = Changes()
        for watcher in self._watchers:
            for path in sorted({path for _, path in watcher.wait()}):
                self._sort(path, changes)
        if not self._watchers:
            time.sleep(_TICK / 1000)
        return changes

    def _sort(self, path: str, changes: Changes) -> None:
        if any(fnmatch(path, pattern) for pattern in self._excluded):
            return
        if path in self._extra or any(_is_below(path, extra) for extra in self._extra):
            changes.code.append(path)
            return
        if not self._filter(t.cast(t.Any, None), path):
            return
        name = os.path.basename(path)
        if name.endswith(".py") or name in ENVIRONMENT_FILES:
            changes.code.append(path)
        elif path.startswith(self._shown) and not os.path.isdir(path):
            changes.seen.append(path)

    def close(self) -> None:
        """Watch no more."""
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher.close()


class _Watcher:
    """Watches folders.

    :param paths: the folders.
    :param is_deep: whether to watch what is below them as well.
    """

    def __init__(self, paths: list[str], is_deep: bool) -> None:
        self._paths = paths
        self._is_deep = is_deep
        self._changes = self._watch(None)

    def _watch(self, polls: bool | None) -> Generator[set[FileChange], None, None]:
        return watch(
            *self._paths,
            watch_filter=None,
            debounce=_TOGETHER,
            step=_STEP,
            rust_timeout=_TICK,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=polls,
            recursive=self._is_deep,
            ignore_permission_denied=True,
        )

    def wait(self) -> set[FileChange]:
        """Return the changes of the next moment."""
        try:
            return next(self._changes, set())
        except (OSError, RuntimeError):
            # The system lets this user watch no more files; looking at them is slower, and works.
            self._changes = self._watch(True)
            return set()

    def close(self) -> None:
        """Watch no more."""
        self._changes.close()


_TOO_LARGE = {os.path.realpath(path) for path in ("/", os.path.expanduser("~"), "/tmp", "/usr")}


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(os.path.join(folder, ""))


def _is_below_another(path: str, places: dict[str, bool]) -> bool:
    return any(is_deep and _is_below(path, other) for other, is_deep in places.items())


def places_of(app: Application | None) -> dict[str, list[str]]:
    """Return where the code of this process is, and what browsers see of it.

    :param app: the application; ``None`` where it could not be loaded.
    """
    shown: set[str] = set()
    for part in () if app is None else (app, *app.blueprints.values()):
        if part.has_static_folder:
            shown.add(str(part.static_folder))
        shown.update(_template_folders(part.jinja_loader))
    return {"roots": sorted(_code_folders()), "shown": sorted(shown)}


def _template_folders(loader: t.Any) -> Iterator[str]:
    """Yield the folders of one of Jinja's loaders, and of those in it."""
    yield from map(str, getattr(loader, "searchpath", ()))
    for inner in getattr(loader, "loaders", ()):
        yield from _template_folders(inner)


def _code_folders() -> set[str]:
    """Return the folders of the modules that are neither Python's nor installed packages'."""
    folders = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py"):
            continue
        path = os.path.realpath(file)
        if not path.startswith(_INSTALLED):
            folders.add(_top_of(path))
    return folders


def _top_of(path: str) -> str:
    """Return the folder of a module, or that of the outermost package around it."""
    folder = os.path.dirname(path)
    while os.path.exists(os.path.join(folder, "__init__.py")):
        above = os.path.dirname(folder)
        if not os.path.exists(os.path.join(above, "__init__.py")):
            return folder
        folder = above
    return folder


def _installed() -> tuple[str, ...]:
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    places.update(site.getsitepackages())
    places.add(str(Path(__file__).parents[1]))
    return tuple(os.path.join(os.path.realpath(path), "") for path in places if path)


_INSTALLED = _installed()
