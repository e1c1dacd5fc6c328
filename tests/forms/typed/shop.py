"""A small application with forms, as a user would write it, checked by mypy and pyright."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import assert_type

from markupsafe import Markup
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from erlen import Erlen, redirect, render_template_string
from erlen.forms import (
    CSRFProtect,
    FlaskForm,
    Form,
    RecaptchaField,
    generate_csrf,
    lazy_gettext,
    redirect_to_next,
)
from erlen.forms.fields import (
    BooleanField,
    DateField,
    DateTimeLocalField,
    DecimalField,
    Field,
    FieldList,
    FloatField,
    FormField,
    HiddenField,
    IntegerField,
    PasswordField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    SubmitField,
    TextAreaField,
    TimeField,
    enum_choices,
    enum_coerce,
)
from erlen.forms.file import (
    FileAllowed,
    FileField,
    FileRequired,
    FileSize,
    MultipleFileField,
)
from erlen.forms.validators import DataRequired, Email, Length, NumberRange, ValidationError
from erlen.forms.widgets import TextInput

app = Erlen(__name__)
csrf = CSRFProtect(app)


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


class AuthorForm(Form):
    name = StringField(validators=[DataRequired()])
    born = DateField()


def no_shouting(form: FlaskForm, field: StringField) -> None:
    if field.data is not None and field.data.isupper():
        raise ValidationError("Please do not shout.")


class BookForm(FlaskForm):
    title = StringField("Title", [DataRequired(), Length(max=80), no_shouting])
    about = TextAreaField(lazy_gettext("About"), render_kw={"rows": 5})
    secret = PasswordField(widget=TextInput())
    number = HiddenField()
    pages = IntegerField(validators=[NumberRange(min=1)])
    weight = FloatField()
    price = DecimalField(places=2)
    printed = DateField()
    opens = TimeField()
    seen = DateTimeLocalField()
    lent = BooleanField(default=False)
    language = SelectField(choices=["de", "en"])
    shelf = SelectField("Shelf", coerce=int, choices=["1", "2", "3"])
    size = RadioField(choices=enum_choices(Size), coerce=enum_coerce(Size))
    genres = SelectMultipleField(choices=["novel", "poem"])
    cover = FileField(validators=[FileRequired(), FileAllowed(["png"]), FileSize(max_size=1000)])
    pictures = MultipleFileField()
    author = FormField(AuthorForm)
    authors = FieldList(FormField(AuthorForm), min_entries=1)
    tags = FieldList(StringField(), max_entries=5)
    captcha = RecaptchaField()
    save = SubmitField()

    async def validate_title(self, field: StringField) -> None:
        assert_type(field.data, str | None)


class MailForm(FlaskForm):
    class Meta:
        csrf = False

    mail = StringField(validators=[Email()])


@app.route("/books/new", methods=["GET", "POST"])
def new() -> str | Response:
    form = BookForm()
    if form.validate_on_submit():
        assert_type(form.title.data, str | None)
        assert_type(form.about.data, str | None)
        assert_type(form.secret.data, str | None)
        assert_type(form.number.data, str | None)
        assert_type(form.pages.data, int | None)
        assert_type(form.weight.data, float | None)
        assert_type(form.price.data, Decimal | None)
        assert_type(form.printed.data, dt.date | None)
        assert_type(form.opens.data, dt.time | None)
        assert_type(form.seen.data, dt.datetime | None)
        assert_type(form.lent.data, bool)
        assert_type(form.save.data, bool)
        assert_type(form.language.data, str | None)
        assert_type(form.shelf.data, int | None)
        assert_type(form.size.data, Size | None)
        assert_type(form.genres.data, list[str] | None)
        assert_type(form.cover.data, FileStorage | None)
        assert_type(form.pictures.data, list[FileStorage] | None)
        assert_type(form.author.form, AuthorForm)
        assert_type(form.author.form.name.data, str | None)
        assert_type(form.authors[0].form.born.data, dt.date | None)
        assert_type(form.tags[0].data, str | None)
        assert_type([tag.data for tag in form.tags], list[str | None])
        if form.cover.data is not None:
            form.cover.data.save("cover.png")
        return redirect_to_next("/")
    assert_type(form.hidden_tag(), Markup)
    assert_type(form.title(class_="wide"), Markup)
    assert_type(form.title.label(), Markup)
    assert_type(generate_csrf(), str)
    for field in form:
        assert_type(field, Field)
    return render_template_string("{{ form.title }}", form=form)


@app.post("/hook")
@csrf.exempt
def hook() -> Response:
    form = MailForm(data={"mail": "ada@example.org"}, prefix="a")
    message: str = (form.mail.data or "").upper()
    return redirect(message)


assert_type(hook(), Response)
