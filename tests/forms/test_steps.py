"""Forms in several steps."""

from __future__ import annotations

import re
import typing as t

import pytest

from erlen import Erlen, redirect, request, session
from erlen.forms import FlaskForm
from erlen.forms.fields import FileField, PasswordField, StringField
from erlen.forms.rows import Rows
from erlen.forms.steps import Steps
from erlen.forms.validators import DataRequired, ValidationError
from erlen.testing import FlaskClient

TAKEN: set[str] = set()


class NameForm(FlaskForm):
    """The first step."""

    name = StringField("Name", [DataRequired()])
    nicknames = Rows(StringField("Nickname"), "Nicknames")

    def validate_name(self, field: StringField) -> None:
        """Refuse a name that is taken."""
        if field.data in TAKEN:
            raise ValidationError("This is taken.")


class PlaceForm(FlaskForm):
    """The second step."""

    city = StringField("City", [DataRequired()])


class SecretForm(FlaskForm):
    """The last step."""

    password = PasswordField("Password", [DataRequired()])
    remark = StringField("Remark")


def make_app(store: t.Literal["session", "field"], csrf: bool = True) -> Erlen:
    """Return an application with a form of three steps."""
    app = Erlen(__name__)
    app.config.update(SECRET_KEY="for tests", WTF_CSRF_ENABLED=csrf)
    steps = Steps(
        "join",
        {"name": NameForm, "place": PlaceForm, "secret": SecretForm},
        labels={"secret": "Your secret"},
        store=store,
    )

    @app.route("/join", methods=["GET", "POST"])
    def join() -> t.Any:
        progress = steps.open()
        if progress.finished:
            progress.clear()
            return progress.data
        if progress.moved and store == "session":
            return redirect(request.url)
        return str(progress.render())

    return app


class Visitor:
    """Somebody with a browser without JavaScript."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.html = client.get("/join").text

    def send(self, **typed: str) -> t.Any:
        """Fill the form in, press a button, and return what comes."""
        data = {}
        for tag in re.findall(r"<input[^>]*>", self.html):
            [name] = re.findall(r' name="([^"]+)"', tag)
            data[name] = re.findall(r' value="([^"]*)"', tag)[0]
        response = self.client.post("/join", data={**data, **typed}, follow_redirects=True)
        assert response.status_code == 200
        self.html = response.text
        return response

    @property
    def step(self) -> str:
        """The name of the step that is shown."""
        return str(re.findall(r'aria-current="step"[^>]*>([^<]*)', self.html)[0])

    def value(self, name: str) -> str:
        """Return what is in a field."""
        [tag] = [tag for tag in re.findall(r"<input[^>]*>", self.html) if f' name="{name}"' in tag]
        return t.cast(str, re.findall(r' value="([^"]*)"', tag)[0])


@pytest.fixture(params=["session", "field"])
def store(request: pytest.FixtureRequest) -> t.Any:
    """Where what was sent is kept."""
    return request.param


@pytest.fixture
def visitor(store: t.Any) -> Visitor:
    """A visitor of the first step."""
    TAKEN.clear()
    return Visitor(make_app(store).test_client())


def test_from_the_first_step_to_the_last(visitor: Visitor) -> None:
    """Each step comes when the one before is right; the data come together at the end."""
    assert visitor.step == "Name"
    visitor.send(name="Ada")
    assert visitor.step == "Place"
    visitor.send(city="London")
    assert visitor.step == "Your secret"
    assert visitor.send(password="p", remark="").json == {
        "name": {"name": "Ada", "nicknames": []},
        "place": {"city": "London"},
        "secret": {"password": "p", "remark": ""},
    }


def test_a_step_is_validated(visitor: Visitor) -> None:
    """What is wrong keeps the visitor on the step, with what was typed."""
    visitor.send(name="Ada")
    visitor.send(city=" ")
    assert visitor.step == "Place"
    assert "This field is required." in visitor.html
    assert visitor.value("city") == " "


def test_going_back(visitor: Visitor) -> None:
    """What was typed is kept, on both steps, and is not validated on the way back."""
    visitor.send(name="Ada")
    visitor.send(city="Lon", _step_back="1")
    assert visitor.step == "Name"
    assert visitor.value("name") == "Ada"
    assert "required." not in visitor.html
    visitor.send(name="Grace")
    assert visitor.value("city") == "Lon"
    visitor.send(city="London")
    answer = visitor.send(password="p").json
    assert answer["name"]["name"] == "Grace"


def test_the_first_step_has_no_way_back(visitor: Visitor) -> None:
    """There is no button; who sends its name anyway stays."""
    assert "_step_back" not in visitor.html
    visitor.send(name="Ada", _step_back="1")
    assert visitor.step == "Name"


def test_passwords_are_not_kept(visitor: Visitor) -> None:
    """They are not in the page or the session when the visitor goes back from the last step."""
    visitor.send(name="Ada")
    visitor.send(city="London")
    visitor.send(password="secret-42", remark="hello", _step_back="1")
    with visitor.client.session_transaction() as kept:
        assert "secret-42" not in str(dict(kept))
    visitor.send()
    assert visitor.value("password") == ""
    assert visitor.value("remark") == "hello"


def test_all_steps_are_validated_at_the_end(visitor: Visitor) -> None:
    """A name that somebody took meanwhile leads back to its step, which can be sent again."""
    visitor.send(name="Ada")
    visitor.send(city="London")
    TAKEN.add("Ada")
    visitor.send(password="p")
    assert visitor.step == "Name"
    assert "This is taken." in visitor.html
    visitor.send(name="Grace")
    visitor.send()
    assert visitor.send(password="p").json["name"]["name"] == "Grace"


def test_rows_in_a_step(visitor: Visitor) -> None:
    """Adding a row stays on the step; the rows are kept."""
    visitor.send(name="Ada", _add_row="nicknames")
    assert visitor.step == "Name"
    visitor.send(**{"nicknames-0": "Countess"})
    visitor.send(city="London")
    assert visitor.send(password="p").json["name"]["nicknames"] == ["Countess"]


def test_no_step_can_be_left_out(store: t.Any) -> None:
    """Who sends the last step first is shown the first."""
    client = make_app(store, csrf=False).test_client()
    response = client.post("/join", data={"_step": "secret", "password": "p"})
    assert 'name="name"' in response.text
    response = client.post("/join", data={"_step": "nothing", "name": "x"})
    assert 'name="name"' in response.text


def test_a_token_is_needed_on_each_step(visitor: Visitor) -> None:
    """The steps are ordinary forms."""
    visitor.send(name="Ada", csrf_token="wrong")
    assert visitor.step == "Name"
    assert "CSRF token" in visitor.html


def test_the_session_is_cleared(store: t.Any) -> None:
    """Nothing is left in it when all is done."""
    client = make_app(store, csrf=False).test_client()
    visitor = Visitor(client)
    for typed in ({"name": "A"}, {"city": "B"}, {"password": "p"}):
        visitor.send(**typed)
    with client.session_transaction() as kept:
        assert not [key for key in kept if key.startswith("_steps")]
    assert Visitor(client).step == "Name"


def test_a_state_that_was_changed(store: t.Any) -> None:
    """A hidden field that is not ours, or of another form, starts from the beginning."""
    app = make_app("field", csrf=False)
    other = Steps("other", {"name": NameForm, "place": PlaceForm}, store="field")
    with app.test_request_context():
        state = other.open().hidden
    [foreign] = re.findall(r'name="_steps_state" value="([^"]*)"', state)
    for text in (foreign, "x.y.z", "é", ""):
        data = {"_step": "place", "city": "B", "_steps_state": text}
        assert 'name="name"' in app.test_client().post("/join", data=data).text


def test_a_state_that_is_too_old() -> None:
    """A page that was left open for longer than ``max_age`` starts again."""
    app = make_app("field", csrf=False)
    old = Steps("join", {"name": NameForm, "place": PlaceForm}, store="field", max_age=-1)
    app.add_url_rule("/old", "old", lambda: str(old.open().render()), methods=["POST"])
    client = app.test_client()
    html = client.post("/old", data={"_step": "name", "name": "A"}).text
    [state] = re.findall(r'name="_steps_state" value="([^"]*)"', html)
    data = {"_step": "place", "city": "B", "_steps_state": state}
    assert 'name="name"' in client.post("/old", data=data).text


def test_more_than_can_be_kept() -> None:
    """A cookie holds little; the form says so instead of losing what was typed."""
    visitor = Visitor(make_app("session").test_client())
    visitor.send(name="A")
    visitor.send(city="b" * 3_000)
    assert visitor.step == "Place"
    assert "This is more than can be kept. Please shorten it." in visitor.html
    visitor.send(city="B")
    assert visitor.step == "Your secret"


def test_a_session_of_another_version() -> None:
    """What an older deployment left in the session does no harm."""
    client = make_app("session").test_client()
    states: list[t.Any] = ["text", {"gone": [["a", "b"]], "@": "gone"}, {"place": []}]
    for left in states:
        # {"gone": [["a", "b"]], "@": "gone"}, {"place": []}):
        with client.session_transaction() as kept:
            kept["_steps_join"] = left
        assert Visitor(client).step == "Name"


def test_only_fields_of_the_form_are_kept() -> None:
    """Whatever else is sent does not fill the session."""
    visitor = Visitor(make_app("session").test_client())
    visitor.send(name="A", junk="j" * 5_000)
    assert visitor.step == "Place"
    with visitor.client.session_transaction() as kept:
        assert "junk" not in str(dict(kept))


@pytest.mark.parametrize("field", [PasswordField, FileField])
def test_what_cannot_be_kept_must_come_last(field: t.Any) -> None:
    """The mistake shows when the application starts."""

    class EarlyForm(FlaskForm):
        thing = field()

    with pytest.raises(ValueError, match=r"'thing' of the step 'a' .* Put it into the last step."):
        Steps("x", {"a": EarlyForm, "b": PlaceForm})
    Steps("x", {"a": PlaceForm, "b": EarlyForm})


def test_mistakes_in_the_set_up() -> None:
    """There must be steps, and a store that is known."""
    with pytest.raises(ValueError, match="has no steps"):
        Steps("x", {})
    with pytest.raises(ValueError, match="in 'session' or 'field', not in 'cookie'"):
        Steps("x", {"a": PlaceForm}, store=t.cast(t.Any, "cookie"))


def test_data_come_at_the_end() -> None:
    """Asking before is a mistake."""
    app = make_app("session", csrf=False)
    steps = Steps("x", {"a": PlaceForm})
    with app.test_request_context(), pytest.raises(RuntimeError, match="Look at 'finished'"):
        _ = steps.open().data


def test_a_secret_key_is_needed() -> None:
    """The error says so."""
    app = Erlen(__name__)
    app.config["WTF_CSRF_ENABLED"] = False
    steps = Steps("x", {"a": PlaceForm}, store="field")
    with app.test_request_context(), pytest.raises(RuntimeError, match="Set 'SECRET_KEY'"):
        _ = steps.open().hidden


@pytest.mark.parametrize("style", ["plain", "bootstrap5"])
def test_how_it_looks(style: str) -> None:
    """The list of steps says where the visitor is; buttons say what they do."""
    app = make_app("session", csrf=False)
    steps = Steps("join", {"name": NameForm, "place": PlaceForm})
    with app.test_request_context("/", method="POST", data={"_step": "name", "name": "A"}):
        progress = steps.open()
        html = progress.render(style=style, back="To the name", finish="Join")
        assert progress.moved
        assert (progress.number, progress.label) == (2, "Place")
        assert session["_steps_join"]["name"] == [["name", "A"]]
    assert html.count('aria-current="step"') == 1
    assert "formnovalidate>To the name</button>" in html
    assert ">Join</button>" in html
