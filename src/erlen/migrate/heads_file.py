"""A file that names the heads, so that two migrations on one revision are a conflict to git.

Two branches that each add a migration add different files, and merge without a word. Both write
their revision into this one file, and there the merge stops.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from alembic.script import ScriptDirectory

if t.TYPE_CHECKING:
    from .extension import Config

NAME = "HEADS"


def _get_path(config: Config) -> Path:
    return Path(str(config.attributes["directory"]), NAME)


def write(config: Config) -> None:
    """Write the heads into the file.

    A folder with an ``env.py`` of its own, made before there was such a file, has it only when
    somebody put it there.

    :param config: Alembic's configuration.
    """
    path = _get_path(config)
    if path.exists() or not (path.parent / "env.py").exists():
        heads = ScriptDirectory.from_config(config).get_heads()
        if path.parent.is_dir():
            path.write_text("".join(f"{head}\n" for head in sorted(heads)))


def read(config: Config) -> list[str] | None:
    """Return the revisions that the file names, both sides of a conflict included.

    :param config: Alembic's configuration.
    :returns: ``None`` where there is no file.
    """
    path = _get_path(config)
    if not path.exists():
        return None
    return sorted({line for line in path.read_text().split("\n") if re.fullmatch(r"\w+", line)})


def has_conflict(config: Config) -> bool:
    """Return whether git left its marks of a conflict in the file.

    :param config: Alembic's configuration.
    """
    path = _get_path(config)
    return path.exists() and "<<<<<<<" in path.read_text()
