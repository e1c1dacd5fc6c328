"""The tables of the reference are those of the code."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
import typing as t
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import blinker
import click
import pytest

import erlen
from erlen import signals
from erlen.cli import cli
from erlen.defaults import ERLEN_DEFAULTS, FLASK_DEFAULTS
from erlen.migrate.cli import db as migrate_group
from erlen.routing import DEFAULT_CONVERTERS
from erlen.testing.pytest_plugin import FIXTURES

from .pages import DOCS

REFERENCE = DOCS / "reference"

#: Modules for Erlen's own use. Everything else is to be found in the reference.
INTERNAL = {
    "erlen.body",
    "erlen.datastructures",
    "erlen.debughelpers",
    "erlen.defaults",
    "erlen.files",
    "erlen.formdata",
    "erlen.gateway",
    "erlen.headers",
    "erlen.lazy",
    "erlen.local",
    "erlen.multipart",
    "erlen.names",
    "erlen.plan",
    "erlen.registry",
    "erlen.sansio",
    "erlen.scaffold",
    "erlen.server",
    "erlen.setup",
    "erlen.streams",
    "erlen.websocket_steps",
}


def read_table(page: str) -> Iterator[list[str]]:
    """Yield the rows of all tables of a page, each a list of cells, without those of the head."""
    for line in (REFERENCE / page).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("| `"):
            yield cells


def test_configuration_keys() -> None:
    """Each key that has a default is in the table, and no other."""
    keys = [row[0].strip("`") for row in read_table("configuration-keys.md")]
    assert sorted(keys) == sorted(ERLEN_DEFAULTS)


@pytest.mark.parametrize(("column", "defaults"), [(1, FLASK_DEFAULTS), (2, ERLEN_DEFAULTS)])
def test_configuration_defaults(column: int, defaults: dict[str, t.Any]) -> None:
    """The table says with which value each class starts."""
    for row in read_table("configuration-keys.md"):
        key = row[0].strip("`")
        if row[column] == "not set":
            assert key not in defaults
        elif row[column] != "four headers":
            value = eval(row[column].strip("`"), {"timedelta": timedelta})
            assert defaults[key] == value, key


def test_response_headers() -> None:
    """The page on security lists the headers that Erlen adds."""
    page = (DOCS / "explanation" / "security.md").read_text()
    headers = ERLEN_DEFAULTS["DEFAULT_RESPONSE_HEADERS"]
    assert len(headers) == 4
    for name, value in headers.items():
        assert f"| `{name}` | `{value}` |" in page


def test_security_lists_every_difference() -> None:
    """The page on security names each key in which the two tables differ."""
    page = (DOCS / "explanation" / "security.md").read_text()
    for key, value in ERLEN_DEFAULTS.items():
        differs = key not in FLASK_DEFAULTS or FLASK_DEFAULTS[key] != value
        assert (f"| `{key}` |" in page) == differs, key


def list_commands() -> list[tuple[str, click.Command]]:
    """Return the command line itself and all its commands, with their full names."""
    cli._load_plugin_commands()
    # An application has this group when it has migrations.
    migrations = [("erlen db", migrate_group), *walk_commands(migrate_group, "erlen db")]
    return [("erlen", cli), *walk_commands(cli, "erlen"), *migrations]


def walk_commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield all commands below a group, with their full names."""
    for command_name, command in group.commands.items():
        full_name = f"{name} {command_name}"
        yield full_name, command
        if isinstance(command, click.Group):
            yield from walk_commands(command, full_name)


def test_commands() -> None:
    """Each command of the command line, and each of its options, is in the reference."""
    page = (REFERENCE / "commands.md").read_text()
    for name, command in list_commands():
        assert f"`{name}`" in page, name
        for option in command.params:
            for spelling in [*option.opts, *option.secondary_opts]:
                if spelling.startswith("-"):
                    assert f"`{spelling}" in page, f"{name} {spelling}"


def test_no_other_options() -> None:
    """The reference names no option that is not there."""
    page = (REFERENCE / "commands.md").read_text()
    params = [option for _, command in list_commands() for option in command.params]
    known = {name for option in params for name in [*option.opts, *option.secondary_opts]}
    known |= {"--help"}
    assert set(re.findall(r"`(--?[a-zA-Z][\w-]*)[` ]", page)) <= known


def test_signals() -> None:
    """Each signal is in the table."""
    names = {
        name for name, value in vars(signals).items() if isinstance(value, blinker.NamedSignal)
    }
    assert {row[0].strip("`") for row in read_table("signals.md")} == names


def test_fixtures() -> None:
    """The page on testing names each fixture of the plugin."""
    page = (DOCS / "how-to" / "testing.md").read_text()
    for name in FIXTURES:
        assert f"`{name}`" in page, name


def read_reference() -> str:
    """Return the text of all pages of the reference."""
    return "".join(page.read_text() for page in sorted(REFERENCE.glob("*.md")))


def test_public_names() -> None:
    """What `erlen` exports is in the reference, as a name in code or within a whole module."""
    text = read_reference()
    missing = []
    for name in vars(erlen):
        if name.startswith("_") or name == "annotations" or is_module(getattr(erlen, name)):
            continue
        if not re.search(rf"\b{name}\b", text):
            missing.append(name)
    assert missing == []


def is_module(value: object) -> bool:
    """Tell whether a value is a module."""
    return isinstance(value, type(erlen))


def test_modules() -> None:
    """Each public module is in the reference."""
    text = read_reference()
    for info in pkgutil.iter_modules(erlen.__path__, "erlen."):
        if info.name.startswith("erlen._") or info.name in INTERNAL:
            continue
        assert re.search(rf"\b{re.escape(info.name)}\b", text), info.name


def test_code_map() -> None:
    """The page on architecture names each module."""
    page = (DOCS / "architecture.md").read_text()
    for info in pkgutil.iter_modules(erlen.__path__):
        if not info.name.startswith("_"):
            shown = f"`{info.name}/`" if info.ispkg else f"`{info.name}`"
            assert shown in page, info.name


def test_layers() -> None:
    """The code map goes through the layers in the order that import-linter checks."""
    settings = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    level = {
        module: -number
        for number, layer in enumerate(layers)
        for module in layer.replace(" ", "").split(":")
    }
    page = (DOCS / "architecture.md").read_text()
    table = page[page.index("| layer |") :].partition("\n\n")[0]
    rows = [
        [level[module] for module in re.findall(r"`(\w+)/?`", row.split(" | ")[1])]
        for row in table.splitlines()[2:]
    ]
    shown = [number for row in rows for number in sorted(row)]
    assert shown == sorted(shown)
    assert set(shown) == set(level.values())


def test_core_is_complete() -> None:
    """The contract against threads and loops names each module of the core."""
    settings = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())
    contract = settings["tool"]["importlinter"]["contracts"][1]
    outside = {"cli", "compat", "gateway", "sansio", "server", "testing"}
    outside |= {"accounts", "db", "forms", "login", "migrate", "serversessions"}
    outside |= {"accounts", "login", "serversessions"}
    core = [
        info.name
        for info in pkgutil.iter_modules(erlen.__path__)
        if not info.name.startswith("_") and info.name not in outside
    ]
    assert sorted(contract["source_modules"]) == sorted(f"erlen.{name}" for name in core)


def test_documented_members_exist() -> None:
    """The names that the reference picks out of a module are there."""
    for page in REFERENCE.glob("*.md"):
        picked = re.findall(r"automodule:: (\S+)\n   :members: (.+)", page.read_text())
        for module, names in picked:
            for name in names.split(", "):
                assert hasattr(importlib.import_module(module), name), f"{page.name}: {name}"


def test_converters() -> None:
    """The table has each converter, with its class."""
    page = (REFERENCE / "routing.md").read_text()
    for name, converter in DEFAULT_CONVERTERS.items():
        assert re.search(rf"^\|.*`{name}`.*\| `{converter.__name__}` \|", page, re.MULTILINE), name


def test_every_page_is_reached() -> None:
    """Each page is in the table of contents of its folder."""
    for page in DOCS.rglob("*.md"):
        if page.stem == "index" or "_build" in page.parts:
            continue
        index = Path(page.parent, "index.md").read_text()
        assert re.search(rf"^{re.escape(page.stem)}$", index, re.MULTILINE), page.name
