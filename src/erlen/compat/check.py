"""Finding installed extensions that need names which Flask 3 removed."""

from __future__ import annotations

import ast
import typing as t
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from .removed import REMOVED, Removed

# "flask.globals", "_request_ctx_stack" -> the entry. Attributes of classes are found by their
# bare name instead, on anything: what `app` is, a syntax tree cannot tell.
_IMPORTED = {
    (module, removed.attribute): removed
    for removed in REMOVED
    if "." not in removed.attribute
    for module in removed.modules
}
_CALLED = {
    removed.attribute.rpartition(".")[2]: removed
    for removed in REMOVED
    if removed.attribute.endswith("first_request")
}


class Finding(t.NamedTuple):
    """One use of a removed name.

    :param distribution: the extension.
    :param version: its version.
    :param path: the file.
    :param line: the line in it, from 1.
    :param removed: what it uses.
    :param guarded: whether the code is prepared for the name to be missing.
    """

    distribution: str
    version: str
    path: Path
    line: int
    removed: Removed
    guarded: bool

    @property
    def package(self) -> str:
        """The package the file belongs to, as :func:`erlen.compat.install` wants it."""
        parts = self.path.with_suffix("").parts
        for folder in ("site-packages", "dist-packages"):
            if folder in parts:
                return parts[len(parts) - parts[::-1].index(folder)]
        return parts[-1]


def check_environment() -> tuple[list[str], list[Finding]]:
    """Look through the installed extensions of Flask.

    :returns: the names of those that were read, and what was found in them.
    """
    names: list[str] = []
    findings: list[Finding] = []
    for distribution in find_extensions():
        name = distribution.metadata["Name"]
        if name in names:
            continue
        names.append(name)
        findings += _check_distribution(distribution)
    return sorted(names, key=str.lower), findings


def find_extensions() -> Iterator[metadata.Distribution]:
    """Yield the installed distributions that require Flask, or are named after it."""
    for distribution in metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower()
        if name in ("flask", "erlen"):
            continue
        if name.startswith(("flask-", "flask_")) or _requires_flask(distribution):
            yield distribution


def _requires_flask(distribution: metadata.Distribution) -> bool:
    for requirement in distribution.requires or ():
        name = requirement.lower().removeprefix("flask")
        if name != requirement.lower() and not name[:1].isalnum() and name[:1] not in ("-", "_"):
            return "extra ==" not in requirement
    return False


def _check_distribution(distribution: metadata.Distribution) -> Iterator[Finding]:
    for file in distribution.files or ():
        if file.suffix != ".py" or "tests" in file.parts or file.parts[0] == "..":
            continue
        path = Path(str(distribution.locate_file(file)))
        try:
            source = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for line, removed, guarded in check_source(source):
            name, version = distribution.metadata["Name"], distribution.version
            yield Finding(name, version, path, line, removed, guarded)


def check_source(source: str) -> list[tuple[int, Removed, bool]]:
    """Find the removed names that a module's source text uses.

    :param source: the text.
    :returns: for each use its line, the name, and whether the code is prepared for its absence.
    """
    if "flask" not in source and "first_request" not in source:
        return []
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    found: list[tuple[int, Removed, bool]] = []
    _walk(tree, False, found)
    return found


def _walk(node: ast.AST, guarded: bool, found: list[tuple[int, Removed, bool]]) -> None:
    if isinstance(node, ast.Try) and _catches_absence(node):
        _walk_all(node.body, True, found)
        # The handlers and the rest are the other path, taken where the name is missing or not;
        # an old name in a handler is a second guess, not a need.
        _walk_all([*node.handlers, *node.orelse, *node.finalbody], True, found)
        return
    if isinstance(node, ast.If):
        # Versions are told apart by a condition.
        _walk(node.test, True, found)
        _walk_all([*node.body, *node.orelse], True, found)
        return
    found += [(line, removed, guarded) for line, removed in _uses(node)]
    _walk_all(ast.iter_child_nodes(node), guarded, found)


def _walk_all(
    nodes: Iterable[ast.AST], guarded: bool, found: list[tuple[int, Removed, bool]]
) -> None:
    for node in nodes:
        _walk(node, guarded, found)


def _catches_absence(node: ast.Try) -> bool:
    wanted = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException"}
    for handler in node.handlers:
        if handler.type is None:
            return True
        names = {name.id for name in ast.walk(handler.type) if isinstance(name, ast.Name)}
        if names & wanted:
            return True
    return False


def _uses(node: ast.AST) -> Iterator[tuple[int, Removed]]:
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for name in node.names:
            removed = _IMPORTED.get((node.module, name.name)) or _removed_module(node.module)
            if removed is not None:
                yield node.lineno, removed
    elif isinstance(node, ast.Import):
        for name in node.names:
            removed = _removed_module(name.name)
            if removed is not None:
                yield node.lineno, removed
    elif isinstance(node, ast.Attribute):
        removed = _IMPORTED.get((ast.unparse(node.value), node.attr)) or _CALLED.get(node.attr)
        if removed is not None:
            yield node.lineno, removed


def _removed_module(name: str) -> Removed | None:
    package, _, module = name.partition(".")
    return _IMPORTED.get(("flask", module)) if package == "flask" and module else None
