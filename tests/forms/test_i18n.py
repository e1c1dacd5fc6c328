"""Messages are in the language of the request."""

from __future__ import annotations

import sys
import threading
import typing as t
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from erlen import Erlen, Flask, render_template_string, request
from erlen.forms import FlaskForm, gettext, lazy_gettext
from erlen.forms.fields import FileField, IntegerField, StringField
from erlen.forms.file import FileSize
from erlen.forms.i18n import CATALOGS, get_locale, translations
from erlen.forms.inspection import Problem
from erlen.forms.recaptcha.validators import RECAPTCHA_ERROR_CODES
from erlen.forms.validators import DataRequired, Length

SOURCE = CATALOGS.parent


class NameForm(FlaskForm):
    name = StringField(lazy_gettext("Name"), validators=[DataRequired(), Length(min=3)])
    size = FileField(validators=[FileSize(max_size=2)])


@pytest.fixture
def app() -> Flask:
    app = Erlen("i18n_test")
    app.secret_key = "test key"
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)

    @app.post("/")
    def view() -> dict[str, t.Any]:
        form = NameForm()
        form.validate_on_submit()
        return {**form.errors, "label": str(form.name.label.text)}

    return app


def post(app: Flask, language: str | None, **data: t.Any) -> dict[str, t.Any]:
    """Return the errors of the form in a language."""
    headers = {} if language is None else {"Accept-Language": language}
    answer = app.test_client().post("/", headers=headers, data=data)
    assert answer.json is not None
    return dict(answer.json)


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("de", "Dieses Feld wird benötigt."),
        ("de-AT,en;q=0.5", "Dieses Feld wird benötigt."),
        ("fr-CH, de;q=0.9", "Ce champ est requis."),
        ("cs", "Toto pole je povinné."),
        ("zh-TW", "此欄位是必需的。"),
        ("ja", "This field is required."),
        (None, "This field is required."),
        ("x-nonsense;q=nan,,;;", "This field is required."),
    ],
)
def test_language_of_the_browser(app: Flask, language: str | None, message: str) -> None:
    """The browser chooses among the languages that the application names."""
    app.config["WTF_LOCALES"] = ["en", "de", "fr", "cs", "zh_TW"]
    assert post(app, language)["name"] == [message]


def test_numbers(app: Flask) -> None:
    """Messages that depend on a number are translated."""
    app.config["WTF_LOCALES"] = ["de"]
    (message,) = post(app, "de", name="x")["name"]
    assert "3" in message and message != "Field must be at least 3 characters long."


def test_own_messages(app: Flask) -> None:
    """The messages that are not from WTForms are translated too."""
    app.config["WTF_LOCALES"] = ["de"]
    errors = post(app, "de", name="Ada", size=(BytesIO(b"xxx"), "x.txt"))
    assert errors["size"] == ["Die Datei muss zwischen 0 und 2 Bytes groß sein."]


def test_without_setting(app: Flask) -> None:
    """With no language named, messages are English, whatever the browser wants."""
    assert post(app, "de")["name"] == ["This field is required."]


def test_switched_off(app: Flask) -> None:
    app.config.update(WTF_LOCALES=["de"], WTF_I18N_ENABLED=False)
    assert post(app, "de")["name"] == ["This field is required."]
    with app.test_request_context(headers={"Accept-Language": "de"}):
        assert gettext("This field is required.") == "This field is required."


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("de", "Dieses Feld wird benötigt."),
        ("de-AT", "Dieses Feld wird benötigt."),
        (Locale("fr"), "Ce champ est requis."),
        ("no such/../language", "This field is required."),
        ("", "This field is required."),
        (None, "Ce champ est requis."),
    ],
)
def test_selector(app: Flask, chosen: str | Locale | None, message: str) -> None:
    """The application may choose itself; a language that is none means English."""
    app.config.update(WTF_LOCALE_SELECTOR=lambda: chosen, WTF_LOCALES=["fr"])
    assert post(app, "de")["name"] == [message]


def test_selector_sees_the_request(app: Flask) -> None:
    app.config["WTF_LOCALE_SELECTOR"] = lambda: request.args.get("lang")
    answer = app.test_client().post("/?lang=de")
    assert answer.json is not None and answer.json["name"] == ["Dieses Feld wird benötigt."]


def test_catalog_of_the_application(app: Flask, tmp_path: Path) -> None:
    """The application's own texts are translated, and go before ours."""
    app.root_path = str(tmp_path)
    folder = tmp_path / "translations" / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    catalog = Catalog(locale="de")
    catalog.add("Name", "Der Name")
    catalog.add("This field is required.", "Bitte ausfüllen.")
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalog)
    app.config.update(WTF_LOCALES=["en", "de"], WTF_TRANSLATIONS="translations")
    assert post(app, "de") == {"name": ["Bitte ausfüllen."], "label": "Der Name"}
    assert post(app, "en") == {"name": ["This field is required."], "label": "Name"}


def test_lazy_text(app: Flask) -> None:
    """A label of a class is in the language of each request that shows it."""
    app.config["WTF_LOCALES"] = ["en", "de"]
    text = lazy_gettext("This field is required.")
    with app.test_request_context(headers={"Accept-Language": "de"}):
        assert str(text) == text == "Dieses Feld wird benötigt."
        assert render_template_string("{{ text }}", text=text) == str(text)
    assert str(text) == "This field is required."
    assert lazy_gettext("<%(n)d>") % {"n": 3} == "<3>"
    assert lazy_gettext("<b>").__html__() == "&lt;b&gt;"
    assert len({text, lazy_gettext("This field is required.")}) == 2 and text == text
    assert "required" in repr(text)


def test_no_request() -> None:
    """Outside of a request messages stay as they are."""
    assert translations.gettext("This field is required.") == "This field is required."
    assert translations.ngettext("%(n)d thing", "%(n)d things", 1) == "%(n)d thing"
    assert translations.ngettext("%(n)d thing", "%(n)d things", 2) == "%(n)d things"
    assert get_locale() is None


def test_flask_babel(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Flask-Babel is set up, it says which language it is."""
    module = ModuleType("flask_babel")
    vars(module)["get_locale"] = lambda: Locale("de")
    monkeypatch.setitem(sys.modules, "flask_babel", module)
    app.extensions["babel"] = object()
    assert post(app, "fr")["name"] == ["Dieses Feld wird benötigt."]


def test_no_language_leaks(app: Flask) -> None:
    """Requests at the same time have each their own language."""
    app.config["WTF_LOCALES"] = ["en", "de", "fr"]
    expected = {
        "de": "Dieses Feld wird benötigt.",
        "fr": "Ce champ est requis.",
        "en": "This field is required.",
    }
    wrong: list[object] = []

    def ask(language: str) -> None:
        for _ in range(20):
            found = post(app, language)["name"]
            if found != [expected[language]]:
                wrong.append((language, found))

    threads = [threading.Thread(target=ask, args=(language,)) for language in [*expected] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def find_messages() -> set[str]:
    """Return the messages in the source of the forms."""
    keywords = {"gettext": None, "ngettext": (1, 2), "_": None, "_refuse": (2,)}
    methods = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
    found = extract_from_dir(SOURCE, methods, keywords=keywords)
    texts = {text if isinstance(text, str) else text[0] for _, _, text, _, _ in found}
    return texts | {*RECAPTCHA_ERROR_CODES.values(), Problem.too_many(1).text}


@pytest.mark.parametrize("language", sorted(path.stem for path in CATALOGS.glob("*.po")))
def test_catalogs_are_complete(language: str) -> None:
    """Each language has each of our messages, with the same placeholders."""
    with (CATALOGS / f"{language}.po").open("rb") as file:
        catalog = read_po(file, locale=language)
    known = {
        message.id if isinstance(message.id, str) else message.id[0]: message
        for message in catalog
        if message.id
    }
    assert find_messages() - known.keys() == set()
    for message in known.values():
        assert message.string and not message.fuzzy, message.id
        assert list(message.check(catalog)) == [], message.id


class NumberForm(FlaskForm):
    class Meta:
        csrf = False

    number = IntegerField()


def test_label_made_from_the_name(app: Flask) -> None:
    """A label that is made from the name of a field is no message of ours, and stays."""
    app.config["WTF_LOCALES"] = ["de"]
    with app.test_request_context(headers={"Accept-Language": "de"}):
        assert NumberForm().number.label.text == "Number"
