"""The lending library of the examples, used by a person in a browser."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import typing as t
import urllib.request
from pathlib import Path

import pytest

try:
    from playwright.sync_api import Browser, Page, expect, sync_playwright
except ImportError:
    if os.environ.get("CI"):
        raise
    pytest.skip("The browser tests need Playwright.", allow_module_level=True)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.browser

SHELF = Path(__file__).parents[2] / "examples" / "shelf" / "shelf"

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: Seconds within which the server must answer, on a machine that is busy.
START_TIME = 30


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("No Chromium here; in CI the browser tests must run.")
        pytest.skip("The browser tests need Chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a library with all its books, served by a process of its own."""
    folder = tmp_path_factory.mktemp("library")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "erlen", "--app", str(SHELF)]
    environment = {
        **os.environ,
        "SHELF_DATABASE": str(folder / "shelf.sqlite3"),
        "SHELF_COVERS": str(folder / "covers"),
        "SHELF_SECRET_KEY": "for tests",
        "SHELF_ACTIVITY_SECONDS": "2",
    }
    for step in ("init-db", "seed"):
        subprocess.run([*command, step], env=environment, check=True, timeout=60)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "run", "--port", str(port)], env=environment, stdout=log, stderr=log
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/api/")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=10)


def wait_for(address: str) -> None:
    """Return as soon as there is an answer at ``address``."""
    deadline = time.monotonic() + START_TIME
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about on its console."""
    return []


@pytest.fixture
def page(browser: Browser, address: str, complaints: list[str]) -> Iterator[Page]:
    """A page of a new person's browser, which fails its test by any error on the console."""
    context = browser.new_context(base_url=address)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def enter(page: Page, name: str) -> None:
    """Give a name to the library."""
    page.goto("/reader")
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="That is me").click()
    expect(page.get_by_role("status").first).to_have_text(f"Welcome, {name}.")


def test_a_book_is_found_by_searching(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Title or author").fill("karenina")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("main").get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_role("heading", name="Анна Каренина")).to_be_visible()


def test_the_search_form_narrows_by_language_and_years(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Language").select_option(label="French")
    page.get_by_label("From year").fill("1862")
    page.get_by_label("To year").fill("1862")
    page.get_by_label("Sort by").select_option(label="Author")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", level=2)).to_have_text(["Salammbô", "Les Misérables"])
    expect(page.get_by_label("Language")).to_have_value("fr")
    expect(page.get_by_label("From year")).to_have_value("1862")


def test_pages_can_be_turned(page: Page) -> None:
    page.goto("/")
    first = page.get_by_role("heading", level=2).first.text_content()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text(re.compile("page 2 of"))).to_be_visible()
    expect(page.get_by_role("heading", level=2).first).not_to_have_text(first or "")
    page.get_by_role("link", name="Previous").click()
    expect(page.get_by_role("heading", level=2).first).to_have_text(first or "")


def test_a_book_is_borrowed_and_returned(page: Page) -> None:
    enter(page, "Ada")
    page.goto("/?q=middlemarch")
    page.get_by_role("link", name="Middlemarch").click()
    page.get_by_role("button", name="Borrow").click()
    expect(page.get_by_text("You have this book until")).to_be_visible()
    page.get_by_role("link", name="My loans").click()
    page.get_by_role("button", name="Return Middlemarch").click()
    expect(page.get_by_role("status")).to_have_text("Thank you for returning “Middlemarch”.")
    expect(page.get_by_text("You have no books at the moment.")).to_be_visible()
    expect(page.get_by_role("row", name="Middlemarch George Eliot")).to_be_visible()


def test_who_borrows_without_a_name_gives_one_and_goes_on(page: Page) -> None:
    page.goto("/?q=ivanhoe")
    page.get_by_role("link", name="Ivanhoe").click()
    page.get_by_role("button", name="Borrow").click()
    page.get_by_label("Your name").fill("Walter")
    page.get_by_role("button", name="That is me").click()
    expect(page.get_by_role("heading", level=1, name="Ivanhoe")).to_be_visible()
    page.get_by_role("button", name="Borrow").click()
    expect(page.get_by_role("button", name="Return")).to_be_visible()


def test_a_book_is_added(page: Page, complaints: list[str]) -> None:
    enter(page, "Grace")
    page.get_by_role("link", name="Add a book").click()
    page.get_by_label("Title", exact=True).fill("Fantômas")
    page.get_by_label("First published").fill("soon")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("First published")).to_have_value("soon")
    expect(page.get_by_label("Title", exact=True)).to_have_value("Fantômas")
    expect(page.get_by_label("First published")).to_have_accessible_description(
        re.compile("Give a whole number from 1 to")
    )
    assert [complaint for complaint in complaints if "400" not in complaint] == []
    complaints.clear()  # Chromium reports the status of a page as an error
    page.get_by_role("textbox", name="Author 1").fill("Marcel Allain")
    page.get_by_label("First published").fill("1911")
    page.get_by_label("Language").select_option(label="French")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Fantômas")


def test_a_book_with_a_cover_and_several_authors(page: Page, tmp_path: Path) -> None:
    enter(page, "Jules")
    page.get_by_role("link", name="Add a book").click()
    page.get_by_label("Title", exact=True).fill("L'Épave du Cynthia")
    page.get_by_role("textbox", name="Author 1").fill("Jules Verne")
    page.get_by_role("button", name="Add an author").click()
    expect(page.get_by_label("Title", exact=True)).to_have_value("L'Épave du Cynthia")
    expect(page.get_by_role("textbox", name="Author 2")).to_be_focused()
    page.get_by_role("textbox", name="Author 2").fill("Somebody Else")
    page.get_by_role("button", name="Add an author").click()
    page.get_by_role("textbox", name="Author 3").fill("André Laurie")
    page.get_by_role("button", name="Remove: Author 2").click()
    expect(page.get_by_role("textbox", name="Author 2")).to_have_value("André Laurie")
    expect(page.get_by_role("textbox", name="Author 3")).to_have_count(0)
    page.get_by_label("First published").fill("1885")
    page.get_by_label("Language").select_option(label="French")
    picture = tmp_path / "cover.png"
    page.screenshot(path=picture, clip={"x": 0, "y": 0, "width": 200, "height": 300})
    page.get_by_label("Cover").set_input_files(picture)
    # The enter key saves; it does not press the first button that is seen.
    page.get_by_label("First published").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("L'Épave du Cynthia")
    expect(page.get_by_role("link", name="Jules Verne")).to_be_visible()
    expect(page.get_by_role("link", name="André Laurie")).to_be_visible()
    cover = page.locator("img.cover")
    expect(cover).to_be_visible()
    assert cover.evaluate("image => image.naturalWidth") == 200


def test_what_is_wrong_is_listed_and_linked(page: Page, complaints: list[str]) -> None:
    enter(page, "Grace")
    page.goto("/books/new")
    page.get_by_label("Cover").set_input_files(
        {"name": "cover.png", "mimeType": "image/png", "buffer": b"<script>alert(1)</script>"}
    )
    page.get_by_role("button", name="Save").click()
    summary = page.get_by_role("alert")
    expect(summary.get_by_role("link")).to_have_count(5)
    summary.get_by_role("link", name="Cover").click()
    expect(page.get_by_label("Cover")).to_be_focused()
    expect(page.get_by_label("Cover")).to_have_accessible_description(
        re.compile("The content of the file is not what its name says")
    )
    assert [complaint for complaint in complaints if "400" not in complaint] == []
    complaints.clear()


def test_an_unknown_address_shows_the_way_back(page: Page, complaints: list[str]) -> None:
    response = page.goto("/books/999999")
    assert response is not None
    assert response.status == 404
    page.get_by_role("link", name="Back to the catalogue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Catalogue")
    assert all("404" in complaint for complaint in complaints)
    complaints.clear()


def test_the_activity_shows_as_it_happens(page: Page, browser: Browser, address: str) -> None:
    page.goto("/activity")
    lines = page.get_by_role("log", name="Activity").get_by_role("listitem")
    with browser.new_context(base_url=address) as context:
        other = context.new_page()
        enter(other, "Mary <Shelley>")
        other.goto("/?q=frankenstein")
        other.get_by_role("link", name="Frankenstein").first.click()
        other.get_by_role("button", name="Borrow").click()
        expect(lines.first).to_contain_text("Mary <Shelley> borrowed Frankenstein")
        # The stream ends, and the browser comes again by itself, for what is new.
        with page.expect_request("**/activity/events*"):
            pass
        other.get_by_role("button", name="Return").click()
        expect(lines.first).to_contain_text("Mary <Shelley> returned Frankenstein")
        expect(lines.filter(has_text="Mary <Shelley>")).to_have_count(2)


def test_everything_is_reached_by_keyboard(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Title or author")).to_be_focused()
    page.keyboard.type("dracula")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=dracula*")
    page.get_by_role("link", name="Dracula").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Dracula")


@pytest.mark.parametrize(
    "path", ["/", "/reader", "/activity", "/books/new", "/books/1/edit", "/books/1"]
)
def test_every_control_has_a_name(page: Page, path: str) -> None:
    page.goto(path)
    controls = page.locator("input:not([type=hidden]), select, button:not([hidden]), a")
    for control in controls.all():
        expect(control).to_have_accessible_name(re.compile(r"\S"))


@pytest.mark.parametrize("path", ["/", "/reader", "/activity", "/books/new", "/books/1"])
def test_pages_fit_a_telephone(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
