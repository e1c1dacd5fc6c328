"""The docstrings of public names are there, and the examples in them are right."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import textwrap
import types
import typing as t
from collections.abc import Iterator

import pytest

import erlen

MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(erlen.__path__, "erlen.")
    if not info.name.endswith("__main__")
)

#: Modules whose classes nobody sees from outside of their package.
INNER = {"erlen.routing.spans"}


@pytest.mark.parametrize("name", MODULES)
def test_interactive_examples(name: str) -> None:
    """The interactive examples show what really comes out."""
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in doctest.DocTestFinder().find(importlib.import_module(name)):
        runner.run(example, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("name", MODULES)
def test_code_blocks(name: str) -> None:
    """The other examples are Python."""
    for owner, text in docstrings(importlib.import_module(name)):
        for block in code_blocks(text):
            # Some examples show a piece of a function, with `return` or `await` in it.
            source = f"async def example():\n{textwrap.indent(block, '    ')}"
            compile(source, f"the docstring of {owner}", "exec")


@pytest.mark.parametrize("name", MODULES)
def test_public_names_have_docstrings(name: str) -> None:
    """Each module, class and function says what it is, and so does each method on the outside."""
    module = importlib.import_module(name)
    missing = [owner for owner, text in docstrings(module) if not text.strip()]
    assert missing == []


def docstrings(module: types.ModuleType) -> Iterator[tuple[str, str]]:
    """Yield the names that a module defines, with their docstrings."""
    yield module.__name__, module.__doc__ or ""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield f"{module.__name__}.{name}", value.__doc__ or ""
        if inspect.isclass(value):
            yield f"{module.__name__}.{name}", value.__doc__ or ""
            if module.__name__ not in INNER:
                yield from member_docstrings(value)


def member_docstrings(cls: type[t.Any]) -> Iterator[tuple[str, str]]:
    """Yield the public methods and properties that a class adds to its bases."""
    inherited = {name for base in cls.__mro__[1:] for name in vars(base)}
    for name, value in vars(cls).items():
        if name.startswith("_") or name in inherited:
            continue
        if inspect.isfunction(value) or isinstance(value, property | classmethod):
            text = inspect.getdoc(getattr(cls, name))
            yield f"{cls.__module__}.{cls.__name__}.{name}", text or ""


def code_blocks(text: str) -> Iterator[str]:
    """Yield the blocks of Python in a docstring."""
    pattern = r"^( *)(?:\.\. code-block:: python|[^\n]*[^:\n ]::)\n\n((?:\1 +\S.*\n?|\s*\n)+)"
    for match in re.finditer(pattern, inspect.cleandoc(text) + "\n", re.MULTILINE):
        yield textwrap.dedent(match[2])
