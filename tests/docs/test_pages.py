"""Run every example of the documentation."""

from __future__ import annotations

import typing as t

import pytest

from .pages import DOCS, PageRunner, read_blocks

if t.TYPE_CHECKING:
    from pathlib import Path

PAGES = sorted(
    page
    for page in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    if "_build" not in page.parts and page.parent.name != "tutorial"
)

TUTORIAL = DOCS / "tutorial"
POTLUCK = DOCS / "examples" / "potluck"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page shows does what the page says."""
    monkeypatch.chdir(tmp_path)
    with PageRunner(tmp_path) as runner:
        runner.run(page)


def test_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Following the tutorial page by page gives the application that is kept as files."""
    monkeypatch.chdir(tmp_path)
    with PageRunner(tmp_path) as runner:
        for page in sorted(TUTORIAL.glob("[0-9]*.md")):
            runner.run(page)

    wanted = {file.relative_to(POTLUCK): file for file in _source_files(POTLUCK)}
    for name, file in wanted.items():
        assert (tmp_path / name).is_file(), f"the tutorial does not show {name}"
        assert (tmp_path / name).read_text() == file.read_text(), name


def _source_files(folder: Path) -> list[Path]:
    left_out = {"__pycache__", "instance", ".pytest_cache"}
    return [
        file
        for file in folder.rglob("*")
        if file.is_file() and not left_out & set(file.relative_to(folder).parts)
    ]


def test_blocks_are_found() -> None:
    """The tests above see the examples at all."""
    blocks = [block for page in PAGES for block in read_blocks(page)]
    languages = [block.language for block in blocks]
    assert languages.count("python") > 40
    assert languages.count("pycon") > 30
    assert languages.count("console") > 10
