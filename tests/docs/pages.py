"""Take the examples out of a page of the documentation, and run them as a reader would.

What happens to a block of code depends on its language, and on whether it has a caption:

- with a ``:caption:``, the block is a file of that name and is written to the page's folder;
  a ``literalinclude`` with a caption and without a selection of lines is such a file too;
- ``python`` runs in the namespace of the page;
- ``pycon`` is checked as a doctest in the same namespace;
- ``console`` runs in a shell in the page's folder, and the output is compared. ``...`` stands for
  anything. A command that serves goes on in the background until the end of the page.

All other languages are only shown.
"""

from __future__ import annotations

import doctest
import logging
import os
import re
import sys
import types
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

import erlen.db

from .console import Console

if t.TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"

#: What makes a literalinclude show less than the file.
SELECTIONS = {"lines", "pyobject", "start-after", "start-at", "end-before", "end-at"}

CHECK_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

_fence = re.compile(r"(?P<fence>`{3,}|~{3,}|:{3,})\s*(?P<info>\S.*)?$")
_option = re.compile(r":(?P<name>[a-z-]+):\s*(?P<value>.*)$")


@dataclass
class Block:
    """A block of code: its language, its text, and the line of the page where the text starts."""

    language: str
    text: str
    line: int
    options: dict[str, str] = field(default_factory=dict)

    @property
    def file_name(self) -> str | None:
        """The file that the block is the whole of; ``None`` where it is not a file."""
        caption = self.options.get("caption")
        if caption is None or SELECTIONS & self.options.keys():
            return None
        return caption.strip("`")


def read_blocks(page: Path) -> list[Block]:
    """Return the blocks of code of a page, in order.

    :param page: a MyST file.
    """
    lines = iter(enumerate(page.read_text().splitlines(), 1))
    blocks = []
    for number, line in lines:
        match = _fence.match(line.strip())
        if match is None or match["info"] is None or match["fence"].startswith(":"):
            continue
        indent = line[: len(line) - len(line.lstrip())]
        body = list(_take_body(lines, match["fence"], indent))
        block = _make_block(page, match["info"], body, number + 1)
        if block is not None:
            blocks.append(block)
    return blocks


def _take_body(lines: Iterator[tuple[int, str]], fence: str, indent: str) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == fence:
            return
        yield line.removeprefix(indent)
    raise AssertionError(f"a block that starts with {fence} does not end")


def _make_block(page: Path, info: str, body: list[str], line: int) -> Block | None:
    directive = re.match(r"\{(?P<name>[\w-]+)\}\s*(?P<argument>.*)$", info)
    if directive is None:
        return Block(info.split()[0], _join(body), line)
    options = {}
    while body and (match := _option.match(body[0])):
        options[match["name"]] = match["value"]
        body.pop(0)
        line += 1
    while body and not body[0].strip():
        body.pop(0)
        line += 1
    if directive["name"] == "code-block":
        return Block(directive["argument"], _join(body), line, options)
    if directive["name"] == "literalinclude":
        source = page.parent / directive["argument"]
        return Block(options.get("language", "text"), source.read_text(), 1, options)
    return None


def _join(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


class PageRunner:
    """Runs the blocks of one or more pages in one folder.

    Use it as a context manager: leaving it stops servers, forgets the modules of the folder, and
    takes back what examples did to the environment variables and to the root logger.

    :param folder: the working directory of the examples.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.console = Console(folder)

    def __enter__(self) -> t.Self:
        self._path = sys.path[:]
        self._environ = dict(os.environ)
        self._logging = (logging.root.level, logging.root.handlers[:])
        self._modules = set(sys.modules)
        self._model = erlen.db.Model
        erlen.db.Model = make_model()  # type: ignore[misc]
        sys.path.insert(0, str(self.folder))
        return self

    def __exit__(self, *args: object) -> None:
        self.console.close()
        erlen.db.Model = self._model  # type: ignore[misc]
        sys.path[:] = self._path
        os.environ.clear()
        os.environ.update(self._environ)
        level, logging.root.handlers[:] = self._logging
        logging.root.setLevel(level)
        for name in set(sys.modules) - self._modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(self.folder):
                del sys.modules[name]

    def run(self, page: Path) -> None:
        """Run all blocks of a page; the first that does not do as the page says raises.

        :param page: a MyST file.
        """
        # A module, since an application looks for its folder through the module of its name.
        module = types.ModuleType(f"page_{page.stem.replace('-', '_')}")
        module.__file__ = str(self.folder / f"{module.__name__}.py")
        sys.modules[module.__name__] = module
        for block in read_blocks(page):
            self._run_block(page, block, module.__dict__)

    def _run_block(self, page: Path, block: Block, namespace: dict[str, t.Any]) -> None:
        if block.file_name is not None:
            self._write(block.file_name, block.text)
        elif "caption" in block.options:
            return
        elif block.language == "python":
            # Line numbers in a traceback are those of the page.
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(page), "exec", dont_inherit=True), namespace)
        elif block.language == "pycon":
            check_doctest(page, block, namespace)
        elif block.language == "console":
            self.console.run(page, block.text, block.line)

    def _write(self, name: str, text: str) -> None:
        file = self.folder / name
        assert file.resolve().is_relative_to(self.folder.resolve()), name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def make_model() -> type[erlen.db.Model]:
    """Return a base for the models of a page, which has none of those of other pages."""

    class Model(erlen.db.Model):
        __abstract__ = True
        metadata = sa.MetaData(naming_convention=erlen.db.Model.metadata.naming_convention)

    return Model


def check_doctest(page: Path, block: Block, namespace: dict[str, t.Any]) -> None:
    """Run an interactive session and compare what it shows.

    :param page: the page, for the report.
    :param block: the block that holds the session.
    :param namespace: the globals of the examples; what they define stays there.
    """
    parser = doctest.DocTestParser()
    example = parser.get_doctest(block.text, namespace, page.name, str(page), block.line - 1)
    # get_doctest() copies the namespace; names defined here belong to the next block too.
    example.globs = namespace
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=CHECK_FLAGS, verbose=False)
    runner.run(example, out=report.append, clear_globs=False)
    if report:
        raise AssertionError("".join(report))
