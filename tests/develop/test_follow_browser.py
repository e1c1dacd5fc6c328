"""A browser that follows: a person edits files, and looks at the page only."""

from __future__ import annotations

import os
import shutil
import typing as t

import pytest
from tests.develop.running import Run, write

try:
    from playwright.sync_api import Page, expect, sync_playwright
except ImportError:
    if os.environ.get("CI"):
        raise
    pytest.skip("The browser tests need Playwright.", allow_module_level=True)

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.slow]

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

APP = """
from erlen import Erlen, render_template

app = Erlen(__name__)


@app.after_request
def guard(response):
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'"
    return response


@app.get("/")
async def index():
    name = "Ada"
    return render_template("index.html", name=name)
"""
TEMPLATE = """<!doctype html>
<html lang="en"><head><title>Page</title><link rel="stylesheet" href="/static/page.css"></head>
<body><h1>Hello {{ name }}</h1></body></html>
"""


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a browser without a window."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("No Chromium here; in CI the browser tests must run.")
        pytest.skip("The browser tests need Chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        page = browser.new_page()
        page.set_default_timeout(40_000)
        yield page
        browser.close()


def test_the_page_follows(page: Page, tmp_path: Path) -> None:
    """Template, style, code, an error in an async view, a syntax error: the page shows each."""
    expect.set_options(timeout=40_000)
    write(
        tmp_path,
        {"app.py": APP, "templates/index.html": TEMPLATE, "static/page.css": "h1 {color: #010101}"},
    )
    with Run(tmp_path, "--debug", "--port", "0") as run:
        run.started()
        page.goto(f"http://127.0.0.1:{run.port}/")
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_have_text("Hello Ada")

        write(tmp_path, {"templates/index.html": TEMPLATE.replace("Hello", "Welcome,")})
        expect(heading).to_have_text("Welcome, Ada")

        # A style changes without the page being loaded again.
        page.evaluate("window.isKept = true")
        write(tmp_path, {"static/page.css": "h1 {color: #020202}"})
        expect(heading).to_have_css("color", "rgb(2, 2, 2)")
        assert page.evaluate("window.isKept") is True

        write(tmp_path, {"app.py": APP.replace("Ada", "Grace")})
        expect(heading).to_have_text("Welcome, Grace")

        write(tmp_path, {"app.py": APP.replace('name = "Ada"', 'name = {}["nobody"]')})
        expect(heading).to_have_text("KeyError")
        _use_the_console(page, run)

        write(tmp_path, {"app.py": APP.replace("async def", "async")})
        expect(heading).to_have_text("The application cannot be loaded.")
        expect(page.get_by_text("SyntaxError")).to_be_visible()

        write(tmp_path, {"app.py": APP})
        expect(heading).to_have_text("Welcome, Ada")


def _use_the_console(page: Page, run: Run) -> None:
    """Open the console of the view's frame with the PIN, and run code in it."""
    pin = run.log.partition("Debugger PIN: ")[2].split()[0]
    frame = page.locator("div.frame").last
    frame.locator("pre img").first.dispatch_event("click")
    page.locator("input[name=pin]").fill(pin)
    page.locator("input[name=btn]").click()
    page.wait_for_function("EVALEX_TRUSTED")
    console = page.locator("pre.console input")
    console.fill("'erl' + 'en'")
    console.press("Enter")
    expect(page.locator("pre.console .output")).to_contain_text("'erlen'")
