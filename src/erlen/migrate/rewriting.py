"""Putting a history with two heads in one line."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from . import heads_file
from .environment import get_databases, get_state
from .output import say
from .running import alone, read_heads

if t.TYPE_CHECKING:
    from .extension import Config


def rebase(config: Config, chosen: str | None) -> None:
    """Put one of two branches behind the other.

    :param config: Alembic's configuration.
    :param chosen: the head whose branch comes last; ``None`` for the newest.
    :raises CommandError: when that cannot be done, with what to do before.
    """
    script = ScriptDirectory.from_config(config)
    heads = [script.get_revision(name) for name in script.get_heads()]
    if len(heads) < 2:
        heads_file.write(config)
        say("The history is in one line already.")
        return
    if len(heads) > 2 and chosen is None:
        names = ", ".join(sorted(head.revision for head in heads))
        raise CommandError(f"There are {len(heads)} heads ({names}): name the one to move.")
    last = script.get_revision(chosen) if chosen else max(heads, key=_get_date)
    if last.revision not in {head.revision for head in heads}:
        raise CommandError(f"{last.revision} is not a head, so it cannot be moved.")
    others = [head for head in heads if head.revision != last.revision]
    target = max(others, key=_get_date)
    branch = _find_branch(script, last, others)
    _check_databases(script, branch, target)
    first = branch[0]
    _write_parent(first, target.revision)
    say(f"{first.revision} comes after {target.revision} now; the head is {last.revision}.")
    fresh = ScriptDirectory.from_config(config)
    _forget_joined_heads(fresh, target.revision, last.revision)
    heads_file.write(config)


def _get_date(script: Script) -> str:
    match = re.search(r"Create Date:\s*(\S+ \S+)", script.longdoc)
    return match[1] if match else str(Path(script.path).stat().st_mtime)


def _find_branch(script: ScriptDirectory, head: Script, others: list[Script]) -> list[Script]:
    """Return the revisions that only one head has, the first one first."""
    shared: set[str] = set()
    for other in others:
        shared |= {item.revision for item in script.iterate_revisions(other.revision, "base")}
    branch = [
        item
        for item in script.iterate_revisions(head.revision, "base")
        if item.revision not in shared
    ]
    branch.reverse()
    if any(item.is_merge_point for item in branch):
        raise CommandError(f"The branch of {head.revision} has a merge in it; it stays as it is.")
    return branch


def _check_databases(script: ScriptDirectory, branch: list[Script], target: Script) -> None:
    """Stop where a database has the branch that moves, but not the one it is put on."""
    moved = {item.revision for item in branch}
    for database in get_databases():
        applied: set[str] = set()
        for head in read_heads(database):
            applied |= {item.revision for item in script.iterate_revisions(head, "base")}
        if applied & moved and target.revision not in applied:
            parent = branch[0].down_revision or "base"
            raise CommandError(
                f"This database has {branch[0].revision}, but not {target.revision}, which is to"
                f" come before it. Run downgrade {parent} first, and upgrade after the rebase."
            )


def _write_parent(script: Script, parent: str) -> None:
    """Change which revision a migration comes after, in its text."""
    path = Path(script.path)
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    for node in tree.body:
        target: t.Any = None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        elif isinstance(node, ast.AnnAssign):
            target = node.target
        if isinstance(target, ast.Name) and target.id == "down_revision":
            value: t.Any = t.cast(t.Any, node).value
            lines = source.splitlines(keepends=True)
            head = lines[value.lineno - 1].encode()[: value.col_offset].decode()
            tail = lines[value.end_lineno - 1].encode()[value.end_col_offset :].decode()
            lines[value.lineno - 1 : value.end_lineno] = [f"{head}{parent!r}{tail}"]
            text = "".join(lines)
            break
    else:
        raise CommandError(f"{path} has no line 'down_revision = …' to change.")
    path.write_text(re.sub(r"(?m)^(Revises:).*$", rf"\1 {parent}", text, count=1), encoding="utf-8")


def _forget_joined_heads(script: ScriptDirectory, below: str, head: str) -> None:
    """Enter a single head in databases that had both branches applied."""
    databases = get_databases()
    table = get_state().configure_args.get("version_table", "alembic_version")
    for database in databases:
        heads = read_heads(database)
        if below in heads and len(heads) > 1:
            with alone([database]), database.engine.begin() as connection:
                quoted = connection.dialect.identifier_preparer.quote(table)
                connection.exec_driver_sql(f"DELETE FROM {quoted} WHERE version_num = '{below}'")
            say(f"The database {database.name or 'default'} has both; it is at {head} now.")
