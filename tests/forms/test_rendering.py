"""Forms as HTML: what a screen reader, a keyboard and a browser need is there."""

from __future__ import annotations

import re
import typing as t
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound

from erlen import Erlen, render_template_string
from erlen.forms import FlaskForm
from erlen.forms.fields import (
    BooleanField,
    EmailField,
    FieldList,
    FileField,
    FormField,
    HiddenField,
    PasswordField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    SubmitField,
)
from erlen.forms.rendering import FormMacros
from erlen.forms.validators import DataRequired, ValidationError
from erlen.forms.widgets import CheckboxInput, ListWidget


class PlaceForm(FlaskForm):
    """A form inside of another."""

    city = StringField("City", [DataRequired()])


class JoinForm(FlaskForm):
    """A form with a field of each kind."""

    name = StringField("Name", [DataRequired()], description="As <you> are called")
    email = EmailField("Email")
    password = PasswordField("Password")
    new_password = PasswordField("New password")
    country = SelectField("Country", choices=["Norway", "Peru"])
    kind = RadioField("Kind", choices=["reader", "lender"])
    topics = SelectMultipleField(
        "Topics",
        choices=["art", "war"],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    terms = BooleanField("I agree", description="They are short.")
    photo = FileField("Photo")
    source = HiddenField(default="page")
    home = FormField(PlaceForm, "Home")
    tags = FieldList(StringField("Tag"), "Tags", min_entries=2)

    def validate_email(self, field: EmailField) -> None:
        """Refuse one address."""
        if field.data == "taken@example.com":
            raise ValidationError("This is <taken>.")


class ShortForm(FlaskForm):
    """A form with buttons of its own."""

    title = StringField(render_kw={"class": "wide", "autocomplete": "off"})
    save = SubmitField("Save it")
    drop = SubmitField("Drop it")


STYLES = ["plain", "bootstrap5"]


@pytest.fixture
def app() -> Erlen:
    """An application without tokens."""
    app = Erlen(__name__)
    app.config.update(SECRET_KEY="for tests", WTF_CSRF_ENABLED=False)
    return app


def render(
    app: Erlen,
    form_class: type[FlaskForm] = JoinForm,
    data: dict[str, str] | None = None,
    **options: t.Any,
) -> str:
    """Return the HTML of a form, of one that was sent where there are data."""
    method = "GET" if data is None else "POST"
    with app.test_request_context("/", method=method, data=data):
        form = form_class()
        form.validate_on_submit()
        return str(form.render(**options))


class Page(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        assert len(attrs) == len(dict(attrs)), (tag, attrs)
        if tag != "input":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that elements close in order."""
        assert self.open.pop() == tag

    def find(self, **wanted: str) -> dict[str, str | None]:
        """Return the attributes of the one element that has these."""
        [found] = [
            attributes for _, attributes in self.elements if wanted.items() <= attributes.items()
        ]
        return found

    @property
    def ids(self) -> list[str]:
        """All ids."""
        return [value for _, attrs in self.elements if (value := attrs.get("id")) is not None]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("data", [None, {"name": ""}])
def test_the_page_is_well_formed(app: Erlen, style: str, data: dict[str, str] | None) -> None:
    """Elements close in order, ids are unique, and what labels and descriptions name is there."""
    page = Page(render(app, data=data, style=style))
    assert len(page.ids) == len(set(page.ids))
    for tag, attributes in page.elements:
        for name in ("for", "aria-describedby"):
            for wanted in (attributes.get(name) or "").split():
                assert wanted in page.ids, (tag, attributes)
        if tag == "a":
            assert (attributes["href"] or "").removeprefix("#") in page.ids


@pytest.mark.parametrize("style", STYLES)
def test_every_control_has_a_label(app: Erlen, style: str) -> None:
    """Each one that is shown is named by a label."""
    page = Page(render(app, style=style))
    labelled = {attributes["for"] for tag, attributes in page.elements if tag == "label"}
    for tag, attributes in page.elements:
        if tag in {"input", "select", "textarea"} and attributes.get("type") != "hidden":
            assert attributes["id"] in labelled, attributes


@pytest.mark.parametrize("style", STYLES)
def test_a_field_without_errors(app: Erlen, style: str) -> None:
    """It is described by its description, and not called wrong."""
    page = Page(render(app, style=style))
    name = page.find(name="name")
    assert name["aria-describedby"] == "name-hint"
    assert "required" in name
    assert "aria-invalid" not in name
    assert "aria-describedby" not in page.find(name="email")


@pytest.mark.parametrize("style", STYLES)
def test_a_field_with_errors(app: Erlen, style: str) -> None:
    """It is called wrong and described by what is wrong; the list at the top leads to it."""
    html = render(app, data={"email": "taken@example.com", "kind": "reader"}, style=style)
    page = Page(html)
    assert page.find(name="name")["aria-describedby"] == "name-hint name-error"
    assert page.find(name="name")["aria-invalid"] == "true"
    assert page.find(name="email")["aria-describedby"] == "email-error"
    assert page.find(role="alert")
    links = re.findall(r'href="#([\w-]+)">([^<]*)', html)
    assert links == [
        ("name", "Name: This field is required."),
        ("email", "Email: This is &lt;taken&gt;."),
        ("country", "Country: Not a valid choice."),
        ("home-city", "Home: City: This field is required."),
    ]


def test_the_summary_leads_to_the_first_choice(app: Erlen) -> None:
    """A group of radio buttons cannot be focused; its first button can."""
    page = Page(render(app, data={"name": "Ada"}))
    assert page.find(href="#kind-0")
    assert page.find(id="kind")["aria-describedby"] == "kind-error"


def test_errors_of_the_whole_form(app: Erlen) -> None:
    """They are in the list at the top, without a link."""
    with app.test_request_context("/", method="POST", data={}):
        form = ShortForm()
        form.validate()
        form.form_errors.append("The shelf is closed.")
        assert "<li>The shelf is closed.</li>" in form.render()
        assert "<li>The shelf is closed.</li>" not in form.render(summary=False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name", None),
        ("email", "email"),
        ("password", "current-password"),
        ("new_password", "new-password"),
        ("country", "country-name"),
    ],
)
def test_autocomplete(app: Erlen, name: str, expected: str | None) -> None:
    """What browsers can fill in follows from the name of the field."""
    assert Page(render(app)).find(name=name).get("autocomplete") == expected


def test_what_the_field_says_goes_first(app: Erlen) -> None:
    """Attributes of ``render_kw`` stand, and classes add up."""
    title = Page(render(app, ShortForm, style="bootstrap5")).find(name="title")
    assert title["class"] == "form-control wide"
    assert title["autocomplete"] == "off"


def test_the_form_element(app: Erlen) -> None:
    """Files change how the form is sent; other options are attributes."""
    page = Page(
        render(app, action="/join?a=1&b=2", class_="sheet", hx_boost="true", novalidate=True)
    )
    assert page.elements[0] == (
        "form",
        {
            "method": "post",
            "action": "/join?a=1&b=2",
            "enctype": "multipart/form-data",
            "class": "sheet",
            "hx-boost": "true",
            "novalidate": None,
        },
    )
    assert "enctype" not in Page(render(app, ShortForm)).elements[0][1]
    assert Page(render(app, ShortForm, method="get")).elements[0][1]["method"] == "get"


def test_the_token_is_there_once(app: Erlen) -> None:
    """Hidden fields come with the form, and nowhere else."""
    app.config["WTF_CSRF_ENABLED"] = True
    html = render(app, ShortForm)
    assert html.count('name="csrf_token"') == 1


def test_buttons(app: Erlen) -> None:
    """Those of the form are at its end; a form without gets one."""
    html = render(app, ShortForm)
    assert html.index("Save it") < html.index("Drop it") < html.index("</form>")
    assert "<button" not in html
    assert '<button type="submit">Join</button>' in render(app, submit="Join")


def test_some_fields_only(app: Erlen) -> None:
    """``only`` names the fields to show, in order."""
    names = re.findall(r' name="(\w+)"', render(app, only=["email", "name"]))
    assert names == ["source", "email", "name"]


def test_parts_of_a_form(app: Erlen) -> None:
    """A row, a control and the errors can be put where the page wants them."""
    with app.test_request_context("/", method="POST", data={"kind": "reader"}):
        form = JoinForm()
        form.validate()
        assert "<label" in form.render_row("name", class_="big", style="bootstrap5")
        control = form.render_field("name", class_="big")
        assert control.startswith('<input aria-describedby="name-hint name-error"')
        assert 'class="big"' in control
        assert "This field is required." in form.render_errors(form.name)
        assert form.render_errors("email") == ""
        assert "There is a problem" in form.render_errors()


def test_macros(app: Erlen) -> None:
    """Templates import the same parts as macros."""
    FormMacros(app)
    template = (
        '{% from "erlen/forms/macros.html" import row, field, errors, summary %}'
        "{{ summary(form) }}|{{ row(form.name, class_='big') }}|{{ field(form.email) }}|"
        "{{ errors(form.name, style='bootstrap5') }}"
    )
    with app.test_request_context("/", method="POST", data={"kind": "reader"}):
        form = JoinForm()
        form.validate()
        summary, row, field, errors = render_template_string(template, form=form).split("|")
    assert "There is a problem" in summary
    assert "<label" in row
    assert 'class="big"' in row
    assert field == '<input autocomplete="email" id="email" name="email" type="email" value="">'
    assert "invalid-feedback" in errors


def test_a_template_of_the_application_goes_first(tmp_path: Path) -> None:
    """One file in its folder replaces one of ours; the others stay."""
    folder = tmp_path / "templates" / "erlen" / "forms" / "plain"
    folder.mkdir(parents=True)
    (folder / "errors.html").write_text('<em id="{{ field.error_id }}">{{ field.errors[0] }}</em>')
    app = Erlen(__name__, root_path=str(tmp_path))
    app.config.update(SECRET_KEY="for tests", WTF_CSRF_ENABLED=False)
    html = render(app, data={"kind": "reader"})
    assert '<em id="name-error">This field is required.</em>' in html
    assert "<label" in html


def test_a_style_of_your_own(tmp_path: Path) -> None:
    """A style is a folder of templates, chosen for all forms by a setting."""
    folder = tmp_path / "templates" / "erlen" / "forms" / "bare"
    folder.mkdir(parents=True)
    (folder / "form.html").write_text(
        "{% for field in form.fields %}{{ field.control() }}{% endfor %}"
    )
    app = Erlen(__name__, root_path=str(tmp_path))
    app.config.update(SECRET_KEY="for tests", FORMS_STYLE="bare")
    assert render(app, ShortForm) == (
        '<input autocomplete="off" class="wide" id="title" name="title" type="text" value="">'
    )


def test_a_style_that_is_none(app: Erlen) -> None:
    """The error says which there are, and how to make one."""
    with pytest.raises(TemplateNotFound, match="'plain' and 'bootstrap5'"):
        render(app, style="fancy")


def test_the_setting(app: Erlen) -> None:
    """``FORMS_STYLE`` is the style of all forms that name none."""
    app.config["FORMS_STYLE"] = "bootstrap5"
    assert "form-control" in render(app)
    assert "form-control" not in render(app, style="plain")
