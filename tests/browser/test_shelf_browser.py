"""The lending library of the examples, used by a person in a browser."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import typing as t
from email import message_from_bytes, policy
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


#: Adds accounts to a library; the arguments are JSON.
ADD_PEOPLE = """
import json, sys
from shelf import create_app
from shelf.accounts import make_account
with create_app().app_context():
    for person in json.loads(sys.argv[1]):
        make_account(*person)
"""

PASSWORD = "a password for browsers"

TELEPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)

PEOPLE = [
    ("ada@shelf.example", "Ada", PASSWORD, ("reader",)),
    ("walter@shelf.example", "Walter", PASSWORD, ("reader",)),
    ("mary@shelf.example", "Mary <Shelley>", PASSWORD, ("reader",)),
    ("grace@shelf.example", "Grace", PASSWORD, ("librarian", "reader")),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the library, its mails among other things."""
    return tmp_path_factory.mktemp("library")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The address of a library with all its books and some people, served by ``erlen serve``."""
    command = [sys.executable, "-m", "erlen", "--app", str(SHELF)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(SHELF.parent),
        "SHELF_DATABASE": str(folder / "shelf.sqlite3"),
        "SHELF_COVERS": str(folder / "covers"),
        "SHELF_SECRET_KEY": secrets.token_hex(32),
        "SHELF_ACTIVITY_SECONDS": "2",
        "SHELF_MAIL_BACKEND": "file",
        "SHELF_MAIL_FOLDER": str(folder / "mail"),
        "SHELF_REMEMBER_COOKIE_ENDED": str(folder / "ended-logins"),
    }
    for step in ("init-db", "seed"):
        subprocess.run([*command, step], env=environment, check=True, timeout=60)
    add_people = [sys.executable, "-c", ADD_PEOPLE, json.dumps(PEOPLE)]
    subprocess.run(add_people, env=environment, check=True, timeout=60)
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "serve", "--bind", "127.0.0.1:0"],
            env=environment,
            stdout=output,
            stderr=output,
        )
        try:
            yield wait_for_address(server, log)
        finally:
            server.terminate()
            server.wait(timeout=30)


def wait_for_address(server: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address that a server says it serves at."""
    deadline = time.monotonic() + START_TIME
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r" at (http://\S+:\d+) ", log.read_text())
        if found is not None:
            return found[1]
        time.sleep(0.1)
    pytest.fail(f"The library does not start:\n{log.read_text()}")


def read_mail(folder: Path, to: str) -> str:
    """Return the text of the only mail to an address, as soon as it is there, and remove it."""
    deadline = time.monotonic() + START_TIME
    while time.monotonic() < deadline:
        for path in sorted((folder / "mail").glob("*.eml")):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            if mail["To"] == to:
                path.unlink()
                body = mail.get_body()
                assert body is not None
                return str(body.get_content())
        time.sleep(0.1)
    pytest.fail(f"There is no mail to {to}.")


def find_link(text: str) -> str:
    """Return the only link in a mail."""
    [link] = re.findall(r"http://\S+", text)
    return str(link)


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


def enter(page: Page, name: str, password: str = PASSWORD, *, remember: bool = False) -> None:
    """Log in to the library."""
    page.goto("/account/login")
    page.get_by_label("E-mail address").fill(f"{name}@shelf.example")
    page.get_by_label("Password").fill(password)
    if remember:
        page.get_by_label("Stay logged in on this device").check()
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


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
    enter(page, "ada")
    page.goto("/?q=middlemarch")
    page.get_by_role("link", name="Middlemarch").click()
    page.get_by_role("button", name="Borrow").click()
    expect(page.get_by_text("You have this book until")).to_be_visible()
    page.get_by_role("link", name="My loans").click()
    page.get_by_role("button", name="Return Middlemarch").click()
    expect(page.get_by_role("status")).to_have_text("Thank you for returning “Middlemarch”.")
    expect(page.get_by_text("You have no books at the moment.")).to_be_visible()
    expect(page.get_by_role("row", name="Middlemarch George Eliot")).to_be_visible()


def test_who_borrows_without_a_login_logs_in_and_goes_on(page: Page) -> None:
    page.goto("/?q=ivanhoe")
    page.get_by_role("link", name="Ivanhoe").click()
    page.get_by_role("button", name="Borrow").click()
    page.get_by_label("E-mail address").fill("walter@shelf.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1, name="Ivanhoe")).to_be_visible()
    page.get_by_role("button", name="Borrow").click()
    expect(page.get_by_role("button", name="Return")).to_be_visible()


def test_a_book_is_added(page: Page, complaints: list[str]) -> None:
    enter(page, "grace")
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
    enter(page, "grace")
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
    enter(page, "grace")
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
    enter(page, "grace")
    page.goto("/activity")
    lines = page.get_by_role("log", name="Activity").get_by_role("listitem")
    with browser.new_context(base_url=address) as context:
        other = context.new_page()
        enter(other, "mary")
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


PATHS = [
    "/", "/books/1", "/activity", "/readers", "/loans", "/books/new", "/books/1/edit",
    "/account/", "/account/sessions", "/account/password", "/account/address",
    "/account/login", "/account/register", "/account/forgotten", "/account/reset/x",
]  # fmt: skip


CONTROLS = "input:not([type=hidden], [hidden]), select, button:not([hidden]), a"


def test_every_control_has_a_name_and_pages_fit_a_telephone(
    page: Page, complaints: list[str]
) -> None:
    enter(page, "grace")
    page.set_viewport_size({"width": 320, "height": 640})
    for path in PATHS:
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        controls = page.locator(
            "input:not([type=hidden], [hidden]), select, button:not([hidden]), a"
        )
        for control in controls.all():
            expect(control).to_have_accessible_name(re.compile(r"\S"))
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
    # That of the link that is not good.
    assert [complaint for complaint in complaints if "410" not in complaint] == []
    complaints.clear()


def test_the_whole_way_of_a_reader(
    page: Page, browser: Browser, address: str, folder: Path, tmp_path: Path
) -> None:
    """Register, confirm, be remembered, borrow, return, look at the sessions, change password."""
    shots = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    shots.mkdir(parents=True, exist_ok=True)

    def shoot(name: str, of: Page = page) -> None:
        for kind, width in (("wide", 1280), ("narrow", 360)):
            of.set_viewport_size({"width": width, "height": 800})
            of.screenshot(path=shots / f"{name}-{kind}.png", full_page=True)

    page.goto("/account/register")
    page.get_by_label("Your name").fill("Charlotte")
    page.get_by_label("E-mail address").fill("charlotte@shelf.example")
    page.get_by_label("Password", exact=True).fill("wuthering")
    page.get_by_label("Password again").fill("wuthering")
    shoot("register")
    page.get_by_role("button", name="Make an account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mail")
    shoot("sent")
    page.goto(find_link(read_mail(folder, "charlotte@shelf.example")))
    shoot("confirm")
    page.get_by_label("Password").fill("wuthering")
    page.get_by_role("button", name="Confirm and log in").click()
    expect(page.get_by_role("status").first).to_have_text("Your address is confirmed. Welcome.")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Log in")).to_be_visible()

    enter(page, "charlotte", "wuthering", remember=True)
    shoot("catalogue")
    # The browser was closed: its session cookie is gone, what it remembers is not.
    page.context.clear_cookies(name="session")
    page.goto("/?q=wuthering")
    expect(page.get_by_role("link", name="Charlotte", exact=True)).to_be_visible()
    page.get_by_role("link", name="Wuthering Heights").click()
    page.get_by_role("button", name="Borrow").click()
    expect(page.get_by_text("You have this book until")).to_be_visible()
    shoot("book")
    page.get_by_role("link", name="My loans").click()
    shoot("loans")
    page.get_by_role("button", name="Return Wuthering Heights").click()
    expect(page.get_by_text("You have no books at the moment.")).to_be_visible()

    with browser.new_context(base_url=address, user_agent=TELEPHONE) as context:
        other = context.new_page()
        enter(other, "charlotte", "wuthering", remember=True)
        page.goto("/account/sessions")
        shoot("sessions")
        # Besides: the one whose cookie was lost.
        expect(
            page.get_by_role("main").get_by_role("listitem").filter(has=page.locator("time"))
        ).to_have_count(3)
        page.get_by_role("button", name=re.compile("^Log out: .*iPhone")).click()
        shoot("end-session")
        page.get_by_label("Password").fill("wuthering")
        page.get_by_role("button", name="Log out this device").click()
        expect(page.get_by_role("status")).to_have_text("That device is logged out.")
        other.goto("/loans")
        expect(other.get_by_role("heading", level=1)).to_have_text("Log in")

        enter(other, "charlotte", "wuthering")
        page.goto("/account/")
        shoot("account")
        page.get_by_role("link", name="Change the password").click()
        page.get_by_label("Present password").fill("wuthering")
        page.get_by_label("New password").fill("password")
        page.get_by_label("Password again").fill("heights")
        shoot("password")
        page.get_by_label("New password").fill("brontë sisters")
        page.get_by_label("Password again").fill("brontë sisters")
        page.get_by_role("button", name="Change the password").click()
        expect(page.get_by_role("status")).to_contain_text("Your password is changed.")
        assert "was changed just now" in read_mail(folder, "charlotte@shelf.example")
        other.goto("/loans")
        expect(other.get_by_role("heading", level=1)).to_have_text("Log in")

    page.get_by_role("banner").get_by_role("button", name="Log out").click()
    page.get_by_role("link", name="Log in").click()
    page.get_by_role("link", name="Forgotten your password?").click()
    page.get_by_label("E-mail address").fill("charlotte@shelf.example")
    page.get_by_role("button", name="Send the mail").click()
    page.goto(find_link(read_mail(folder, "charlotte@shelf.example")))
    page.get_by_label("New password").fill("jane eyre herself")
    page.get_by_label("Password again").fill("jane eyre herself")
    page.get_by_role("button", name="Change the password").click()
    enter(page, "charlotte", "jane eyre herself")


def test_a_wrong_password_is_explained(page: Page, complaints: list[str], tmp_path: Path) -> None:
    page.goto("/account/login")
    page.get_by_label("E-mail address").fill("nobody@shelf.example")
    page.get_by_label("Password").fill("guess")
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("is not right")
    expect(page.get_by_label("E-mail address")).to_have_value("nobody@shelf.example")
    expect(page.get_by_label("Password")).to_have_value("")
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    page.screenshot(path=folder / "login-wrong.png", full_page=True)
    assert all("422" in complaint for complaint in complaints)
    complaints.clear()
