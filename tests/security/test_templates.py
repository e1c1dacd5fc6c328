"""Templates escape what visitors send, and never take it for a template."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import TemplateNotFound

from erlen import Flask, abort, flash, render_template, render_template_string, request

from .raw import send

EVIL = "</script><script>alert('1')</script>\"'&"


@pytest.fixture(autouse=True)
def templates(app: Flask, tmp_path: Path) -> Path:
    app.testing = False
    app.logger.disabled = True
    folder = tmp_path / "templates"
    folder.mkdir()
    (tmp_path / "secret.html").write_text("secret")
    app.jinja_loader.searchpath[:] = [str(folder)]  # type: ignore[union-attr]
    return folder


@pytest.mark.parametrize("name", ["a.html", "a.htm", "a.xml", "a.xhtml", "a.svg", "a.b.html"])
def test_values_are_escaped(app: Flask, templates: Path, name: str) -> None:
    """In templates for HTML, XML and SVG, values are text (CWE-79)."""
    (templates / name).write_text("{{ value }}|{{ value|safe|length }}|{{ value ~ '<b>' }}")
    app.add_url_rule("/", "index", lambda: render_template(name, value=EVIL))
    body = send(app).text
    assert "<script>" not in body
    assert "<b>" not in body
    assert "&lt;script&gt;alert(&#39;1&#39;)" in body


def test_values_in_template_strings_are_escaped(app: Flask) -> None:
    """A template from a string is one for HTML."""
    app.add_url_rule("/", "index", lambda: render_template_string("{{ value }}", value=EVIL))
    assert "<script>" not in send(app).text


def test_values_are_no_templates(app: Flask) -> None:
    """What a visitor sends is never evaluated, as long as it is passed as a value (SSTI)."""
    app.add_url_rule(
        "/", "index", lambda: render_template_string("{{ name }}", name=request.args["name"])
    )
    assert send(app, query="name={{7*7}}").text == "{{7*7}}"
    assert send(app, query="name={{config.SECRET_KEY}}").text == "{{config.SECRET_KEY}}"


def test_messages_are_escaped(app: Flask) -> None:
    """Flashed messages went through the visitor's cookie and come back as text."""

    @app.get("/")
    def index() -> str:
        flash(EVIL)
        return render_template_string("{{ get_flashed_messages() }}{{ get_flashed_messages()[0] }}")

    assert "<script>" not in send(app).text


def test_values_in_scripts(app: Flask) -> None:
    """tojson cannot end a script, nor an attribute in single quotes (CWE-79)."""
    app.add_url_rule(
        "/",
        "index",
        lambda: render_template_string(
            "<script>x = {{ value|tojson }}</script><a data-x='{{ value|tojson }}'>", value=EVIL
        ),
    )
    body = send(app).text
    assert body.count("<script>") == 1
    assert body.count("</script>") == 1
    assert body.count("'") == 2


@pytest.mark.parametrize("name", ["a b", "a/b", "a>b", "a=b", "a\tb", "onclick=x y"])
def test_names_of_attributes(app: Flask, name: str) -> None:
    """xmlattr refuses names that make other attributes (CVE-2024-22195, CVE-2024-34064)."""
    template = "<a {{ {name: 'v'}|xmlattr }}>"
    app.add_url_rule("/", "index", lambda: render_template_string(template, name=name))
    assert send(app).status == 500


@pytest.mark.parametrize(
    "name",
    ["../secret.html", "../../etc/passwd", "/etc/passwd", "..\\secret.html", "a/../../secret.html"],
)
def test_names_of_templates(app: Flask, name: str) -> None:
    """A name does not lead out of the folder, even one that a visitor chose."""
    with app.app_context(), pytest.raises(TemplateNotFound):
        render_template(name)


@pytest.mark.parametrize(
    "make",
    [
        lambda: abort(404, EVIL),
        lambda: abort(400, EVIL),
        lambda: abort(405, EVIL),
        lambda: request.form[EVIL],
        lambda: request.args[EVIL],
    ],
)
def test_error_pages_escape(app: Flask, make: object) -> None:
    """The pages for errors show descriptions as text, in debug mode too (CVE-2017-12794)."""
    app.config["TRAP_BAD_REQUEST_ERRORS"] = False
    app.add_url_rule("/", "index", make)  # type: ignore[arg-type]
    for debug in (False, True):
        app.debug = debug
        answer = send(app)
        assert 400 <= answer.status < 500
        assert "<script>" not in answer.text


def test_an_error_tells_nothing(app: Flask) -> None:
    """A 500 shows neither the exception nor a path nor a setting."""

    def fail() -> str:
        password = "hunter2"
        raise ValueError(f"cannot log in with {password}")

    app.add_url_rule("/", "index", fail)
    answer = send(app)
    assert answer.status == 500
    for secret in ("hunter2", "ValueError", "Traceback", __file__, "test key"):
        assert secret not in answer.text
    assert "Server" not in answer.headers
    assert "X-Powered-By" not in answer.headers
