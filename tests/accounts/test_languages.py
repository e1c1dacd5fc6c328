"""The pages and mails in the languages that they come in."""

from __future__ import annotations

import html
import re
import typing as t

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from tests.accounts.site import OTHER, OWN, PASSWORD, Site, log_in, make_site

from erlen import abort
from erlen.accounts.languages import CATALOGS
from erlen.accounts.pages import LOGIN_REFUSED
from erlen.login import LOGIN_MESSAGE, REFRESH_MESSAGE, login_required
from erlen.login.passwords import PasswordRefused, check_new_password

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = CATALOGS.parent
LANGUAGES = ("de", "es", "fr")

ADA = "ada@example.org"
TELEPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1"


def read_catalog(language: str) -> t.Any:
    with (CATALOGS / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def find_messages() -> set[str]:
    """Return the messages in the source of the pages, and those of logins that they show."""
    names = ("gettext", "_", "_texts", "_email", "_password")
    kinds = [("**.py", "python")]
    kinds += [(f"**.{ending}", "jinja2.ext:babel_extract") for ending in ("html", "txt")]
    found = extract_from_dir(SOURCE, kinds, keywords=dict.fromkeys(names))
    texts = {t.cast("str", text) for _, _, text, _, _ in found}
    return texts | {LOGIN_REFUSED, LOGIN_MESSAGE, REFRESH_MESSAGE, *refuse_passwords()}


def refuse_passwords() -> Iterator[str]:
    """Yield why passwords are refused, apart from their length."""
    for password in ("", "\udcff", "password1", "Ada Lovelace"):
        with pytest.raises(PasswordRefused) as refusal:
            check_new_password(password, context=["Ada Lovelace"])
        yield str(refusal.value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogs_are_complete(language: str) -> None:
    """Each language has each of the messages, with the same placeholders, and no others."""
    catalog = read_catalog(language)
    known = {message.id: message for message in catalog if message.id}
    expected = find_messages()
    assert expected - known.keys() == set()
    lengths = {text for text in known if text.startswith("Use at ")}
    assert known.keys() - expected - lengths == set()
    for message in known.values():
        assert message.string and not message.fuzzy, message.id
        assert list(message.check(catalog)) == [], message.id


class Visitor:
    """Somebody whose browser wants a language, and who looks for English in what it shows."""

    def __init__(self, site: Site, language: str) -> None:
        self.site = site
        self.language = language
        self.browser = site.browser()
        self.english = {
            part
            for message in read_catalog(language)
            for part in re.split(r"%\(\w+\)s", str(message.id))
            if len(part) > 10 and part not in str(message.string)
        }

    def visit(self, path: str, **form: str) -> str:
        """Return the text of a page, or of the answer to a form."""
        browser = self.browser
        headers = {**OWN, "Accept-Language": f"{self.language}-XX,{self.language};q=0.9,en;q=0.5"}
        method = browser.post if form else browser.get
        answer = method(path, headers=headers, data=form or None, follow_redirects=True)
        assert answer.status_code < 500
        text = html.unescape(answer.text)
        if "<html" in text and "<main>" in text:
            assert f'<html lang="{self.language}' in text
        self.check(text)
        return text

    def check(self, text: str) -> None:
        """Look for English."""
        # Lines of mails are broken anywhere.
        text = " ".join(text.split())
        assert [part for part in self.english if part in text] == []

    def read(self) -> tuple[str, str]:
        """Return the subject and the link of the last mail."""
        mail = self.site.outbox[-1]
        self.check(f"{mail['Subject']}\n{mail.get_content()}")
        found = re.search(r"http://localhost(/\S+)", mail.get_content())
        return mail["Subject"], found[1] if found else ""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Site]:
    """A site in several languages."""
    site = make_site(
        f"sqlite:///{tmp_path / 'site.db'}",
        SESSION_BACKEND="memory",
        WTF_LOCALES=["en", *LANGUAGES],
    )
    site.add(ADA)

    @site.app.get("/mine")
    @login_required
    def mine() -> str:
        abort(404)

    yield site
    site.close()


TITLES = {
    "de": {
        "confirm": "Bestätigen Sie Ihre Adresse für Site",
        "known": "Sie haben schon ein Konto für Site",
        "reset": "Ein neues Passwort für Site",
        "changed": "Ihr Passwort für Site wurde geändert",
        "address": "Bestätigen Sie Ihre neue Adresse für Site",
        "taken": "Diese Adresse hat schon ein Konto für Site",
        "moved": "Ihre Adresse für Site wurde geändert",
    },
    "es": {
        "confirm": "Confirme su dirección para Site",
        "known": "Ya tiene una cuenta para Site",
        "reset": "Una contraseña nueva para Site",
        "changed": "Su contraseña para Site se ha cambiado",
        "address": "Confirme su nueva dirección para Site",
        "taken": "Esta dirección ya tiene una cuenta para Site",
        "moved": "Su dirección para Site se ha cambiado",
    },
    "fr": {
        "confirm": "Confirmez votre adresse pour Site",
        "known": "Vous avez déjà un compte pour Site",
        "reset": "Un nouveau mot de passe pour Site",
        "changed": "Votre mot de passe pour Site a été modifié",
        "address": "Confirmez votre nouvelle adresse pour Site",
        "taken": "Cette adresse a déjà un compte pour Site",
        "moved": "Votre adresse pour Site a été modifiée",
    },
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_way_in_a_language(house: Site, language: str) -> None:
    """Registering, both kinds of confirmation, and a reset: no page and no mail has English."""
    visitor, titles = Visitor(house, language), TITLES[language]
    form = {"email": "grace@example.org", "password": PASSWORD, "repeat": PASSWORD}
    visitor.visit("/account/register")
    visitor.visit("/account/register", **form)
    subject, link = visitor.read()
    assert subject == titles["confirm"]
    visitor.visit("/account/login", **form)
    visitor.visit(link)
    visitor.visit(link, password="wrong")
    assert "Hello grace@example.org" in visitor.visit(link, password=PASSWORD)
    # The message is kept for the next page.
    visitor.visit("/account/")
    visitor.visit("/account/register", **form)
    assert visitor.read()[0] == titles["known"]

    visitor.visit("/account/address")
    move = {"email": "hopper@example.org", "current": PASSWORD}
    visitor.visit("/account/address", email="x", current=PASSWORD)
    visitor.visit("/account/address", email=ADA, current=PASSWORD)
    assert visitor.read()[0] == titles["taken"]
    visitor.visit("/account/address", **move)
    subject, link = visitor.read()
    assert subject == titles["address"]
    visitor.visit(link)
    visitor.visit(link, go="on")
    assert visitor.read()[0] == titles["moved"]

    visitor.visit("/account/forgotten")
    visitor.visit("/account/forgotten", email="hopper@example.org")
    subject, link = visitor.read()
    assert subject == titles["reset"]
    visitor.visit(link)
    visitor.visit(link, password=OTHER, repeat=OTHER)
    assert visitor.read()[0] == titles["changed"]
    visitor.visit(link)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_account_in_a_language(house: Site, language: str) -> None:
    """Being sent to log in, the account's own pages and the list of devices have no English."""
    visitor, other = Visitor(house, language), house.browser()
    other.environ_base["HTTP_USER_AGENT"] = TELEPHONE
    visitor.visit("/mine")
    visitor.visit("/account/login", email=ADA, password="wrong")
    visitor.visit("/account/login", email=ADA, password=PASSWORD)
    log_in(other)
    page = visitor.visit("/account/sessions")
    assert "Safari on iPhone" not in page
    assert {"de": "Safari unter iPhone", "es": "Safari en iPhone", "fr": "Safari sur iPhone"}[
        language
    ] in page
    [path] = re.findall(r'action="(/account/sessions/[^"]+/end)"', page)
    visitor.visit(path, go="on")
    visitor.visit(path, password="wrong")
    visitor.visit(path, password=PASSWORD)
    visitor.visit(path, password=PASSWORD)
    visitor.visit("/account/sessions/end-others", go="on")
    visitor.visit("/account/sessions/end-others", password=PASSWORD)
    form = {"password": OTHER, "repeat": OTHER}
    visitor.visit("/account/password")
    visitor.visit("/account/password", current="wrong", **form)
    visitor.visit("/account/password", current=PASSWORD, **form)
    visitor.visit("/account/")
    visitor.visit("/account/logout", go="on")
    visitor.visit("/account/login")


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        (
            {"password": "short", "repeat": "short"},
            {"de": "mindestens 8 Zeichen", "es": "al menos 8 caracteres", "fr": "au moins 8 carac"},
        ),
        (
            {"password": "password1", "repeat": "password1"},
            {"de": "Viele Menschen", "es": "Muchas personas", "fr": "Beaucoup de gens"},
        ),
        (
            {"password": PASSWORD, "repeat": OTHER},
            {"de": "stimmen nicht überein", "es": "no coinciden", "fr": "pas identiques"},
        ),
        (
            {"password": "grace@example", "repeat": "grace@example"},
            {"de": "der Name dieser Website", "es": "de este sitio", "fr": "le nom de ce site"},
        ),
        (
            {"password": PASSWORD * 3, "repeat": PASSWORD * 3},
            {"de": "höchstens 20 Zeichen", "es": "máximo 20 caracteres", "fr": "plus 20 caractère"},
        ),
        ({"password": ""}, {"de": "Dies wird", "es": "Esto es", "fr": "Ceci est"}),
        (
            {"email": "x", "password": PASSWORD, "repeat": PASSWORD},
            {"de": "kann nicht verwendet", "es": "no se puede usar", "fr": "pas être utilisée"},
        ),
    ],
)
def test_what_is_wrong_is_explained_in_a_language(
    house: Site, form: dict[str, str], texts: dict[str, str]
) -> None:
    """What is wrong with a form is said in the visitor's language."""
    house.app.config["PASSWORD_MAX_LENGTH"] = 20
    for language, text in texts.items():
        page = Visitor(house, language).visit(
            "/account/register", **{"email": "grace@example.org", **form}
        )
        assert text in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_pauses_in_a_language(house: Site, language: str) -> None:
    """Who must wait is told so in their language."""
    house.app.config["ACCOUNTS_LIMITS"] = {"login-pair": (0, 300)}
    visitor = Visitor(house, language)
    page = ""
    for _ in range(3):
        page = visitor.visit("/account/login", email=ADA, password="wrong")
    assert {"de": "Zu viele Versuche", "es": "Demasiados intentos", "fr": "Trop de"}[
        language
    ] in page


def test_other_languages_are_english(house: Site) -> None:
    """A language that there is no catalog for gets English, and pages say that they are."""
    house.app.config["WTF_LOCALES"] = ["ja"]
    page = house.browser().get("/account/login").text
    assert '<html lang="en">' in page
    assert "<h1>Log in</h1>" in page


def test_without_languages_pages_are_english(house: Site) -> None:
    """Where the application names no languages, or switches them off, nothing is translated."""
    german = {"Accept-Language": "de"}
    for config in ({"WTF_LOCALES": None}, {"WTF_LOCALES": ["de"], "WTF_I18N_ENABLED": False}):
        house.app.config.update(config)
        page = house.browser().get("/account/login", headers=german).text
        assert '<html lang="en">' in page
        assert "<h1>Log in</h1>" in page


def test_the_application_chooses_the_language(house: Site) -> None:
    """A function of the application's goes before the browser, for mails as for pages."""
    house.app.config["WTF_LOCALE_SELECTOR"] = lambda: "fr_CA"
    visitor = Visitor(house, "fr")
    assert '<html lang="fr-CA">' in visitor.visit("/account/login")
    visitor.visit("/account/forgotten", email=ADA)
    assert visitor.read()[0] == "Un nouveau mot de passe pour Site"
    assert "pendant une heure" in " ".join(house.outbox[-1].get_content().split())
