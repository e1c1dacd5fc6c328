"""Switching the alias on for every Python process of an environment, and off again.

Two files make an enabled environment: a ``.pth`` file in its site-packages, which Python runs at
each start, child processes included, and a ``flask`` command where there is none.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import typing as t
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from . import alias
from .removed import find_removed

PTH_NAME = "erlen-compat.pth"

# Python runs a line of a .pth file that starts with "import". This one loads the alias module by
# its path, so that a process that never asks for flask does not import Erlen, and it does nothing
# once Erlen has been uninstalled.
# PERF: importlib.util would make a module from the path in fewer words, and its import alone takes
# longer than all this.
_PTH_LINE = (
    "import sys, os.path; from importlib.machinery import ModuleSpec, SourceFileLoader;"
    " name = {name!r}; path = {path!r}; loader = SourceFileLoader(name, path);"
    " module = type(sys)(name); module.__file__ = path; module.__package__ = name[:-6];"
    " module.__loader__ = loader; module.__spec__ = ModuleSpec(name, loader, origin=path);"
    " module.__spec__.has_location = True;"
    " os.path.exists(path) and sys.modules.setdefault(name, module) is module and"
    " (loader.exec_module(module), module.install({legacy!r}))\n"
)

_SCRIPT_MARK = "# Written by 'erlen compat enable'; 'erlen compat disable' removes it."

_SCRIPT = """\
#!{executable}
{mark}
import sys

from erlen.__main__ import main

if __name__ == "__main__":
    sys.argv[0] = sys.argv[0].removesuffix(".py")
    sys.exit(main())
"""


class Environment(t.NamedTuple):
    """Where an environment keeps what :func:`enable` writes.

    :param site_packages: the folder of installed packages.
    :param scripts: the folder of commands.
    """

    site_packages: Path
    scripts: Path

    @property
    def pth(self) -> Path:
        """The ``.pth`` file."""
        return self.site_packages / PTH_NAME

    @property
    def script(self) -> Path:
        """The ``flask`` command."""
        return self.scripts / ("flask.py" if os.name == "nt" else "flask")


def find_environment() -> Environment:
    """Return the environment of the running interpreter."""
    paths = sysconfig.get_paths()
    return Environment(Path(paths["purelib"]), Path(paths["scripts"]))


def enable(environment: Environment, legacy: Iterable[str] = ()) -> list[Path]:
    """Serve ``flask`` from Erlen in every process that starts in an environment from now on.

    :param environment: the environment to change.
    :param legacy: removed names to serve as well; see :func:`erlen.compat.install`.
    :returns: the files that were written.
    :raises OSError: when the environment cannot be written.
    :raises ValueError: when *legacy* has a name that Erlen does not know.
    """
    names = tuple(legacy)
    for name in names:
        find_removed(name)
    line = _PTH_LINE.format(path=alias.__file__, name=alias.__name__, legacy=names)
    environment.pth.write_text(line, encoding="utf-8")
    written = [environment.pth]
    if not environment.script.exists() or _is_ours(environment.script):
        script = _SCRIPT.format(executable=sys.executable, mark=_SCRIPT_MARK)
        environment.script.write_text(script, encoding="utf-8")
        environment.script.chmod(0o755)
        written.append(environment.script)
    return written


def disable(environment: Environment) -> list[Path]:
    """Undo :func:`enable`.

    :param environment: the environment to change.
    :returns: the files that were removed; none when it was not enabled.
    :raises OSError: when the environment cannot be written.
    """
    ours = [environment.pth] if environment.pth.exists() else []
    if _is_ours(environment.script):
        ours.append(environment.script)
    for path in ours:
        path.unlink()
    return ours


def is_enabled(environment: Environment) -> bool:
    """Say whether :func:`enable` was called for an environment.

    :param environment: the environment to look at.
    """
    return environment.pth.exists()


def _is_ours(script: Path) -> bool:
    try:
        return _SCRIPT_MARK in script.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def find_installed(distribution: str) -> str | None:
    """Return the version of a distribution that is really installed, or ``None``.

    :param distribution: its name.
    """
    context = metadata.DistributionFinder.Context(name=distribution)
    for found in metadata.MetadataPathFinder.find_distributions(context):
        return found.version
    return None
