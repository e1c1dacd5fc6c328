"""Forms take their data from the request, and answer anything in it without an error."""

from __future__ import annotations

import asyncio
import json
import typing as t
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage, MultiDict

from erlen import Erlen, Flask, g
from erlen.forms import FlaskForm, Form
from erlen.forms.fields import (
    BooleanField,
    DateField,
    DateTimeLocalField,
    DecimalField,
    FieldList,
    FileField,
    FloatField,
    FormField,
    HiddenField,
    IntegerField,
    MonthField,
    MultipleFileField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TimeField,
    WeekField,
)
from erlen.forms.validators import (
    URL,
    UUID,
    AnyOf,
    DataRequired,
    Email,
    InputRequired,
    IPAddress,
    Length,
    MacAddress,
    NumberRange,
    Optional,
    Regexp,
    StopValidation,
    ValidationError,
)


def make_app(cls: type[Flask] = Erlen) -> Flask:
    """Return an application without protection from forged requests, which is tested elsewhere."""
    app = cls("form_test")
    app.secret_key = "test key"
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    return app


F = t.TypeVar("F", bound=Form)


def submit(form_class: type[F], app: Flask | None = None, **options: t.Any) -> F:
    """Return a form that a request has submitted, validated."""
    app = app or make_app()
    kept: list[F] = []

    def view() -> str:
        form = form_class()
        form.validate()
        "".join(str(field()) for field in form)
        kept.append(form)
        return ""

    app.add_url_rule("/", view_func=view, methods=["POST"])
    answer = app.test_client().post("/", **options)
    assert answer.status_code == 200
    return kept[0]


class NoteForm(FlaskForm):
    text = StringField(validators=[DataRequired()])
    count = IntegerField(validators=[Optional()])
    done = BooleanField()
    tags = SelectMultipleField(choices=["a", "b"], validate_choice=False)
    image = FileField()


class TestData:
    """Data come from the form, the files or the JSON of the request."""

    def test_form(self) -> None:
        form = submit(NoteForm, data={"text": "tea", "count": "3", "done": "y", "tags": ["a", "b"]})
        assert form.errors == {}
        assert (form.text.data, form.count.data, form.done.data) == ("tea", 3, True)
        assert form.tags.data == ["a", "b"]

    def test_files(self) -> None:
        form = submit(NoteForm, data={"text": "tea", "image": (BytesIO(b"x"), "tea.png")})
        assert form.image.data is not None and form.image.data.filename == "tea.png"
        assert form.text.data == "tea"

    def test_json(self) -> None:
        data = {"text": "tea", "count": 3, "done": False, "tags": ["a", "b"]}
        form = submit(NoteForm, json=data)
        assert form.errors == {}
        assert (form.text.data, form.count.data, form.done.data) == ("tea", 3, False)
        assert form.tags.data == ["a", "b"]

    def test_not_submitted(self) -> None:
        """A GET submits nothing, and a form without a request neither."""
        app = make_app()
        with app.test_request_context("/?text=tea"):
            form = NoteForm()
            assert not form.is_submitted() and not form.validate_on_submit()
            assert form.text.data is None and form.errors == {}
        with app.app_context():
            assert not NoteForm(formdata=None).is_submitted()

    def test_given(self) -> None:
        """Data that are given go before those of the request; None is none."""
        app = make_app()
        with app.test_request_context(method="POST", data={"text": "tea"}):
            assert NoteForm(MultiDict({"text": "cup"})).text.data == "cup"
            assert NoteForm(None).text.data is None
            assert NoteForm(obj=None, text="pot").text.data == "tea"

    def test_prefix(self) -> None:
        app = make_app()
        with app.test_request_context(method="POST", data={"a-text": "tea", "b-text": "cup"}):
            assert NoteForm(prefix="a").text.data == "tea"
            assert NoteForm(prefix="b").text.data == "cup"

    def test_obj(self) -> None:
        """A form is filled from an object, and fills it."""

        class Note:
            text = "tea"
            count: int | None = 3
            done = True
            tags = ("a",)
            image = None

        note = Note()
        with make_app().test_request_context():
            form = NoteForm(obj=note)
            assert form.text.data == "tea" and form.count.data == 3
            form.count.data = None
            form.populate_obj(note)
            assert note.count is None


class AuthorForm(Form):
    name = StringField(validators=[Length(max=10)])
    born = IntegerField(validators=[Optional()])


class BookForm(FlaskForm):
    authors = FieldList(FormField(AuthorForm))
    words = FieldList(StringField())
    main = FormField(AuthorForm)


class TestJson:
    """JSON is flattened into the names of fields, all values being text."""

    def test_nested(self) -> None:
        data = {
            "authors": [{"name": "Ada", "born": 1815}, {"name": "Bob"}],
            "words": ["tea", "cup"],
            "main": {"name": "Eve"},
        }
        form = submit(BookForm, json=data)
        assert form.errors == {}
        assert form.authors.data == [{"name": "Ada", "born": 1815}, {"name": "Bob", "born": None}]
        assert form.words.data == ["tea", "cup"]
        assert form.main.form.name.data == "Eve"

    @pytest.mark.parametrize(
        "body", ["[]", '"x"', "5", "null", "true", "[[1, 2]]", '[["text", "tea"]]', "1e999", "NaN"]
    )
    def test_not_an_object(self, body: str) -> None:
        """A document that is no object has no values."""
        form = submit(NoteForm, data=body, content_type="application/json")
        assert form.text.errors == ["This field is required."]

    @pytest.mark.parametrize("cls", [Erlen, Flask])
    @pytest.mark.parametrize("body", ["", "{", "\x00", '{"a": 1} x', "[" * 100_000])
    def test_not_json(self, cls: type[Flask], body: str) -> None:
        """What is no JSON is a bad request."""
        app = make_app(cls)
        app.add_url_rule("/", view_func=lambda: str(NoteForm().errors), methods=["POST"])
        answer = app.test_client().post("/", data=body, content_type="application/json")
        assert answer.status_code == 400

    def test_lone_surrogate(self) -> None:
        """Text that no page can hold is replaced, so that the form can be shown again."""
        form = submit(NoteForm, data=r'{"text": "\ud800!"}', content_type="application/json")
        assert form.text.data == "?!"

    def test_deep(self) -> None:
        """Values that are deeper than any form are left out."""
        data: t.Any = "x"
        for _ in range(40):
            data = {"main": data}
        assert submit(BookForm, json=data).main.form.name.data is None

    def test_with_the_defaults_of_flask(self) -> None:
        """Values stay as they are in JSON, as with Flask-WTF."""
        form = submit(NoteForm, make_app(Flask), json={"text": "tea", "count": 3, "done": True})
        assert form.count.raw_data == [3] and form.done.data is True
        for body in ("5", '"x"', "true"):
            form = submit(NoteForm, make_app(Flask), data=body, content_type="application/json")
            assert form.text.data is None


class TestMisplacedFiles:
    """A file under the name of a field for text is not given to that field."""

    class Everything(FlaskForm):
        text = StringField(validators=[Length(max=5)])
        when = DateField(validators=[Optional()])
        choice = SelectField(choices=["a"])
        word = FieldList(StringField(validators=[Length(max=5)]))
        author = FormField(AuthorForm)
        authors = FieldList(FormField(AuthorForm))
        image = FileField()
        images = MultipleFileField()

    NAMES = ("text", "when", "choice", "word-0", "author-name", "authors-3-name", "csrf_token")

    @pytest.mark.parametrize("cls", [Erlen, Flask])
    def test_text_fields(self, cls: type[Flask]) -> None:
        app = make_app(cls)
        app.config["WTF_CSRF_ENABLED"] = True
        data = {name: (BytesIO(b"x" * 10), "x.txt") for name in self.NAMES}
        form = submit(self.Everything, app, data=data)
        assert form.text.data is None and form.author.form.name.data is None

    def test_file_fields(self) -> None:
        """Fields for files have them."""
        images = [(BytesIO(b"x"), f"{number}.png") for number in range(2)]
        data = {"image": (BytesIO(b"x"), "x.png"), "images": images, "text": "tea"}
        form = submit(self.Everything, data=data)
        assert isinstance(form.image.data, FileStorage) and form.text.data == "tea"
        assert form.images.data is not None and len(form.images.data) == 2

    def test_text_beside_a_file(self) -> None:
        """The text of a request with both is the field's."""
        body = (
            b'--x\r\nContent-Disposition: form-data; name="text"; filename="a"\r\n\r\nfile\r\n'
            b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\ntea\r\n--x--\r\n'
        )
        form = submit(self.Everything, data=body, content_type="multipart/form-data; boundary=x")
        assert form.text.data == "tea"


@pytest.mark.parametrize("number", ["²", "\u0663", "-1", "1" * 5000, "", "x"])
def test_entries_without_a_number(number: str) -> None:
    """Entries of a list whose number is none are left out."""
    form = submit(BookForm, data={f"words-{number}": "x", "words-7": "tea"})
    assert form.words.data == ["tea"]


class EveryKind(FlaskForm):
    """A field of each kind, with the validators that read it."""

    text = StringField(
        validators=[
            *(Length(min=1, max=9), Regexp(r"^\w+$"), Email(), URL(), UUID(), IPAddress()),
            *(MacAddress(), AnyOf(["a"]), InputRequired()),
        ]
    )
    hidden = HiddenField(validators=[DataRequired()])
    integer = IntegerField(validators=[NumberRange(0, 9)])
    decimal = DecimalField(validators=[NumberRange(0, 9)])
    floating = FloatField(validators=[NumberRange(0, 9)])
    date = DateField()
    time = TimeField()
    month = MonthField()
    week = WeekField()
    seen = DateTimeLocalField()
    flag = BooleanField()
    choice = SelectField(choices=["a", "b"])
    number = RadioField(choices=["1", "2"], coerce=int)
    several = SelectMultipleField(choices=["1", "2"], coerce=int)
    words = FieldList(StringField(validators=[Length(max=3)]), max_entries=3)
    author = FormField(AuthorForm)


NAMES = [
    *(name for name, _ in vars(EveryKind).items() if not name.startswith("_")),
    *("words-0", "words-1", "author-name", "author-born", "words-²", "csrf_token"),
]
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "sNaN",
            "NaN",
            "-NaN",
            "Infinity",
            "1e999999999",
            "9" * 5000,
            "0x1",
            "\u0661",
            "\x00",
            "1_0",
        ]
    ),
    st.sampled_from(
        ["9999-99-99", "0000-00-00", "2020-W99", "2020-02-30T25:61", "24:00", "\ud800"]
    ),
)


@pytest.fixture(scope="module")
def every_kind() -> Flask:
    app = make_app()

    @app.post("/")
    def view() -> str:
        form = EveryKind()
        form.validate_on_submit()
        json.dumps(form.errors)
        return "".join(str(field()) for field in form)

    return app


@settings(max_examples=150, deadline=None)
@given(data=st.dictionaries(st.sampled_from(NAMES), st.lists(TEXTS, max_size=3)))
def test_any_text(every_kind: Flask, data: dict[str, list[str]]) -> None:
    """No text in a form makes an error of the server; the form can be shown again."""
    clean = {
        name: [value.encode("utf-8", "replace").decode() for value in values]
        for name, values in data.items()
    }
    assert every_kind.test_client().post("/", data=clean).status_code == 200


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(data=st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_json(every_kind: Flask, data: dict[str, t.Any]) -> None:
    """No JSON makes an error of the server."""
    assert every_kind.test_client().post("/", json=data).status_code == 200


class TestHiddenTag:
    class Hidden(FlaskForm):
        key = HiddenField()
        text = StringField()

    def test_fields(self) -> None:
        app = make_app()
        app.config["WTF_CSRF_ENABLED"] = True
        with app.test_request_context():
            form = self.Hidden()
            assert g.csrf_token in form.hidden_tag() and 'name="key"' in form.hidden_tag()
            assert 'name="text"' not in form.hidden_tag()
            assert form.hidden_tag("key") == str(form.key)
            assert form.hidden_tag("text", "nothing", form.text, None) == ""


async def refuse_taken(form: FlaskForm, field: StringField) -> None:
    await asyncio.sleep(0)
    if field.data == "taken":
        raise ValidationError("This is taken.")


class RefuseRude:
    """A validator that is an object."""

    async def __call__(self, form: FlaskForm, field: StringField) -> None:
        await asyncio.sleep(0)
        if field.data == "rude":
            raise StopValidation("Please be polite.")


class Inner(FlaskForm):
    name = StringField(validators=[refuse_taken])


class TestAsynchronous:
    """Validators may be coroutines."""

    class Outer(FlaskForm):
        name = StringField(validators=[Length(max=6), refuse_taken, RefuseRude()])
        other = StringField(validators=[Optional(), Length(max=6), refuse_taken])
        inner = FormField(Inner)
        words = FieldList(StringField(validators=[refuse_taken]))
        rows = FieldList(FormField(Inner))
        calls: t.ClassVar[list[str]] = []

        async def validate_other(self, field: StringField) -> None:
            await asyncio.sleep(0)
            self.calls.append(field.data or "")
            if field.data == "odd":
                raise ValidationError("This is odd.")

    @pytest.fixture(params=["def", "async def"])
    def app(self, request: pytest.FixtureRequest) -> Flask:
        """An application whose view is a function, or a coroutine."""
        app = make_app()
        self.Outer.calls.clear()

        def validate() -> dict[str, t.Any]:
            form = self.Outer()
            return {"valid": form.validate_on_submit(), "errors": form.errors}

        async def validate_later() -> dict[str, t.Any]:
            await asyncio.sleep(0)
            return validate()

        view = validate if request.param == "def" else validate_later
        app.add_url_rule("/", view_func=view, methods=["POST"])
        return app

    @pytest.mark.parametrize(
        ("data", "errors"),
        [
            ({"name": "free"}, {}),
            ({"name": "taken"}, {"name": ["This is taken."]}),
            ({"name": "rude"}, {"name": ["Please be polite."]}),
            ({"name": "x", "other": "odd"}, {"other": ["This is odd."]}),
            ({"inner-name": "taken"}, {"inner": {"name": ["This is taken."]}}),
            ({"words-0": "x", "words-1": "taken"}, {"words": [[], ["This is taken."]]}),
            ({"rows-0-name": "taken"}, {"rows": [{"name": ["This is taken."]}]}),
        ],
    )
    @pytest.mark.parametrize("gateway", ["wsgi", "asgi", "rsgi"])
    def test_errors(
        self, app: Flask, gateway: str, data: dict[str, str], errors: dict[str, t.Any]
    ) -> None:
        answer = app.test_client(gateway=gateway).post("/", data=data)
        assert answer.json == {"valid": not errors, "errors": errors}

    def test_only_where_nothing_is_wrong_yet(self, app: Flask) -> None:
        """A field that is wrong already, or empty and optional, is not looked at."""
        for value in ("", "much too long"):
            answer = app.test_client().post("/", data={"name": "x", "other": value})
            assert answer.json is not None and answer.json["valid"] == (not value)
        assert self.Outer.calls == []

    def test_exceptions_get_out(self) -> None:
        """What is no complaint about the field is raised."""

        async def fail(form: object, field: object) -> None:
            raise LookupError("no connection")

        class Failing(FlaskForm):
            name = StringField(validators=[fail])

        app = make_app()
        app.add_url_rule("/", view_func=lambda: str(Failing().validate()), methods=["POST"])
        with pytest.raises(LookupError, match="no connection"):
            app.test_client().post("/")

    def test_extra_validators(self) -> None:
        """Coroutines given to validate() run too."""
        app = make_app()

        class Plain(FlaskForm):
            name = StringField()

        def view() -> dict[str, t.Any]:
            form = Plain()
            form.validate_on_submit({"name": [refuse_taken]})
            return form.errors

        app.add_url_rule("/", view_func=view, methods=["POST"])
        answer = app.test_client().post("/", data={"name": "taken"})
        assert answer.json == {"name": ["This is taken."]}

    def test_called_by_hand(self) -> None:
        """Outside of a validation a method is the coroutine that it was written as."""
        with make_app().test_request_context():
            form = self.Outer()
            asyncio.run(form.validate_other(form.other))
            assert self.Outer.calls[-1] == ""


def test_nul_is_refused() -> None:
    """Text with a NUL, which databases do not take, is an error of the field."""
    form = submit(NoteForm, data={"text": "a\x00b"})
    assert form.text.errors == ["Null characters are not allowed."]
