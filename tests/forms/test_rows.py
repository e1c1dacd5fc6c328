"""Rows that people add and remove."""

from __future__ import annotations

import re
import typing as t

import pytest

from erlen import Erlen
from erlen.forms import FlaskForm
from erlen.forms.base import Form
from erlen.forms.fields import FormField, IntegerField, StringField
from erlen.forms.rows import Rows
from erlen.forms.uploads import UploadField
from erlen.forms.validators import DataRequired


class PartForm(Form):
    """A part of a chapter."""

    heading = StringField("Heading", [DataRequired()])


class ChapterForm(Form):
    """A row of several fields, with rows in it."""

    title = StringField("Title", [DataRequired()])
    pages = IntegerField("Pages")
    parts = Rows(FormField(PartForm), "Parts", max_entries=3)


class BookForm(FlaskForm):
    """A book."""

    name = StringField("Name", [DataRequired()])
    authors = Rows(StringField("Author", [DataRequired()]), "Authors", min_entries=1, max_entries=3)
    chapters = Rows(FormField(ChapterForm), "Chapters", add_label="Add a chapter")


@pytest.fixture
def app() -> Erlen:
    """An application without tokens."""
    app = Erlen(__name__)
    app.config.update(SECRET_KEY="for tests", WTF_CSRF_ENABLED=False)
    return app


class Sent(t.NamedTuple):
    """What a request with a form led to."""

    valid: bool
    data: dict[str, t.Any]
    errors: dict[str, t.Any]
    html: str


def send(app: Erlen, data: dict[str, str] | None = None, **options: t.Any) -> Sent:
    """Send the form; without data, ask for the page."""
    method = "GET" if data is None else "POST"
    with app.test_request_context("/", method=method, data=data):
        form = BookForm()
        valid = form.validate_on_submit()
        return Sent(valid, form.data, form.errors, str(form.render(**options)))


def fields(html: str) -> dict[str, str]:
    """Return the fields of a form as a browser would send them."""
    inputs = re.findall(r"<input[^>]*>", html)
    return {
        re.findall(r' name="([^"]+)"', tag)[0]: re.findall(r' value="([^"]*)"', tag)[0]
        for tag in inputs
    }


def test_there_are_as_many_rows_as_demanded(app: Erlen) -> None:
    """A new form shows the least number."""
    assert list(fields(send(app).html)) == ["name", "authors-0"]


def test_a_row_is_added(app: Erlen) -> None:
    """What was typed stays, nothing is validated, and the cursor goes to the new row."""
    sent = send(app, {"name": "", "authors-0": "Ada", "_add_row": "authors"})
    assert not sent.valid
    assert sent.errors == {}
    assert sent.data["authors"] == ["Ada", None]
    assert re.search(r'<input autofocus[^>]* name="authors-1"', sent.html)


def test_a_row_is_removed(app: Erlen) -> None:
    """The others stay."""
    sent = send(
        app,
        {"name": "x", "authors-0": "A", "authors-1": "B", "authors-2": "C",
         "_remove_row": "authors-1"},
    )  # fmt: skip
    assert not sent.valid
    assert sent.errors == {}
    assert sent.data["authors"] == ["A", "C"]


def test_a_row_is_removed_where_numbers_are_missing(app: Erlen) -> None:
    """The button names the number that was sent, even where a script has left a gap."""
    sent = send(app, {"authors-1": "B", "authors-7": "C", "_remove_row": "authors-7"})
    assert sent.data["authors"] == ["B"]
    sent = send(app, {"authors-1": "B", "authors-7": "C", "_remove_row": "authors-1"})
    assert sent.data["authors"] == ["C"]


def test_the_last_row_is_emptied(app: Erlen) -> None:
    """With fewer rows than demanded, an empty one takes the place."""
    sent = send(app, {"authors-0": "A", "_remove_row": "authors-0"})
    assert sent.data["authors"] == [None]


@pytest.mark.parametrize(
    "button",
    [
        {"_remove_row": "authors-9"},
        {"_remove_row": "authors-" + "9" * 5_000},
        {"_remove_row": "authors-٣"},
        {"_remove_row": "authors"},
        {"_add_row": "authors"},
    ],
)
def test_what_cannot_be_done_changes_nothing(app: Erlen, button: dict[str, str]) -> None:
    """A row that is not there, or one too many, is no error either."""
    data = {"name": "x", "authors-0": "A", "authors-1": "B", "authors-2": "C"}
    assert send(app, {**data, **button}).data["authors"] == ["A", "B", "C"]


def test_unknown_rows_are_no_reason_to_stop(app: Erlen) -> None:
    """A button for rows that the form does not have leaves it as it is."""
    sent = send(app, {"name": "x", "authors-0": "A", "_add_row": "nothing"})
    assert sent.valid


def test_no_more_than_allowed(app: Erlen) -> None:
    """What is sent beyond is left out, and the button is gone."""
    sent = send(app, {"name": "x", **{f"authors-{n}": str(n) for n in range(1_000)}})
    assert sent.data["authors"] == ["0", "1", "2"]
    assert 'value="authors"' not in sent.html


def test_rows_of_forms(app: Erlen) -> None:
    """A row may have several fields; errors say which row they are in."""
    sent = send(
        app,
        {"name": "x", "authors-0": "A", "chapters-0-title": "One", "chapters-1-title": ""},
    )
    assert sent.errors["chapters"][1] == {"title": ["This field is required."]}
    assert 'href="#chapters-1-title">Chapters 2: Title: This field is required.' in sent.html
    assert 'role="group" aria-label="Chapters 2"' in sent.html


def test_rows_inside_of_rows(app: Erlen) -> None:
    """They are added to and removed in the same way."""
    data = {"name": "x", "authors-0": "A", "chapters-0-title": "One"}
    sent = send(app, {**data, "_add_row": "chapters-0-parts"})
    assert not sent.valid
    assert sent.errors == {}
    assert sent.data["chapters"][0]["parts"] == [{"heading": None}]
    name = "chapters-0-parts-0-heading"
    sent = send(app, {**data, name: "Part", "_remove_row": "chapters-0-parts-0"})
    assert sent.data["chapters"][0]["parts"] == []


def test_without_javascript_from_end_to_end(app: Erlen) -> None:
    """Press buttons, send what the page holds, and the book is whole."""
    typed = fields(send(app).html)
    typed |= {"name": "Emma", "authors-0": "Jane"}
    typed = fields(send(app, {**typed, "_add_row": "chapters"}).html)
    typed |= {"chapters-0-title": "One", "chapters-0-pages": "12"}
    typed = fields(send(app, {**typed, "_add_row": "authors"}).html)
    typed |= {"authors-1": "Cassandra"}
    sent = send(app, typed)
    assert sent.valid, sent.errors
    assert sent.data == {
        "name": "Emma",
        "authors": ["Jane", "Cassandra"],
        "chapters": [{"title": "One", "pages": 12, "parts": []}],
    }


@pytest.mark.parametrize("style", ["plain", "bootstrap5"])
def test_the_buttons(app: Erlen, style: str) -> None:
    """They skip the browser's checks, say what they do, and are not what the enter key presses."""
    html = send(app, {"authors-0": "A", "authors-1": "B"}, style=style).html
    buttons = re.findall(r"<button[^>]*>[^<]*", html)
    assert "hidden" in buttons[0]
    assert "name=" not in buttons[0]
    removing = [button for button in buttons if "_remove_row" in button]
    assert [re.findall(r'aria-label="([^"]*)"', button) for button in removing] == [
        ["Remove: Author 1"],
        ["Remove: Author 2"],
    ]
    assert all("formnovalidate" in button for button in buttons if "_row" in button)
    assert any(button.endswith("Add a chapter") for button in buttons)


def test_htmx(app: Erlen) -> None:
    """With ``htmx=True`` the same buttons replace their rows only."""
    html = send(app, {"authors-0": "A"}, htmx=True, action="/books").html
    [button] = [b for b in re.findall(r"<button[^>]*>", html) if 'value="authors"' in b]
    for attribute in (
        'hx-post="/books"',
        'hx-target="#authors-rows"',
        'hx-select="#authors-rows"',
        'hx-swap="outerHTML"',
        'hx-vals="{&#34;_add_row&#34;: &#34;authors&#34;}"',
    ):
        assert attribute in button
    assert "hx-encoding" not in button
    assert "hx-" not in send(app).html


def test_htmx_with_files(app: Erlen) -> None:
    """A form with files is sent as one by htmx too."""

    class AlbumForm(FlaskForm):
        pictures = Rows(UploadField(types=["image/png"]))

    with app.test_request_context():
        assert 'hx-encoding="multipart/form-data"' in AlbumForm().render(htmx=True)


def test_an_object_is_shown(app: Erlen) -> None:
    """Rows take what the form starts from."""
    with app.test_request_context():
        form = BookForm(data={"authors": ["A", "B"]})
        assert form.authors.data == ["A", "B"]
        assert not form.rows_changed
