"""The pages, used by people."""

from __future__ import annotations

import asyncio
import re
import typing as t
from functools import partial

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from tests.accounts.site import OTHER, OWN, PASSWORD, Site, log_in, make_site, send, who

from erlen import Erlen, Flask
from erlen.accounts import Accounts, Pages
from erlen.accounts.forms import RegisterForm
from erlen.forms.fields import StringField
from erlen.login import fresh_login_required
from erlen.serversessions.database import session_table

if t.TYPE_CHECKING:
    from pathlib import Path

TELEPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1"

NEW = {"email": "Grace@Example.org", "password": PASSWORD, "repeat": PASSWORD}


@pytest.mark.parametrize("gateway", ["wsgi", "asgi", "rsgi"], indirect=True)
def test_register_confirm_log_out_and_in(site: Site, gateway: str) -> None:
    """Who registers gets a mail, confirms with the password, and may log in from then on."""
    browser = site.browser()
    assert send(browser, "/account/register", **NEW).status_code == 200
    assert site.outbox[-1]["To"] == "Grace@example.org"
    link = site.link()
    assert send(browser, "/account/login", **NEW).status_code == 422
    assert browser.get(link).status_code == 200
    assert send(browser, link, password="wrong").status_code == 422
    assert who(browser) == "stranger"
    assert send(browser, link, password=PASSWORD).status_code == 303
    assert who(browser) == "Grace@example.org"
    assert send(browser, "/account/logout").status_code == 303
    assert who(browser) == "stranger"
    again = site.browser()
    send(again, "/account/login", email="grace@EXAMPLE.org", password=PASSWORD)
    assert who(again) == "Grace@example.org"


@pytest.mark.parametrize("gateway", ["asgi", "rsgi"], indirect=True)
def test_the_pages_of_an_asynchronous_application(tmp_path: Path, gateway: str) -> None:
    """With coroutines before each request the pages run on the event loop, and work there."""
    site = make_site(f"sqlite:///{tmp_path / 'site.db'}", SESSION_BACKEND="database")
    with site.app.app_context():
        session_table(site.user.metadata)
        site.db.create_all()
    site.add("ada@example.org")

    @site.app.before_request
    async def pause() -> None:
        await asyncio.sleep(0)

    browser = site.browser()
    assert log_in(browser, "wrong").status_code == 422
    log_in(browser)
    assert who(browser) == "ada@example.org"
    form = {"password": OTHER, "repeat": OTHER}
    assert send(browser, "/account/password", current=PASSWORD, **form).status_code == 303
    assert browser.get("/account/sessions").text.count("This device") == 1
    send(browser, "/account/logout")
    assert who(browser) == "stranger"
    site.close()


def test_a_forgotten_password_is_replaced_and_ends_all_logins(site: Site) -> None:
    """After a reset nothing of before is good: no session, no remembered login, no password."""
    old = site.browser()
    log_in(old, remember="y")
    browser = site.browser()
    send(browser, "/account/forgotten", email="ADA@example.org")
    assert site.outbox[-1]["To"] == "ada@example.org"
    link = site.link()
    assert send(browser, link, password=OTHER, repeat=OTHER).location == "/account/login"
    assert site.outbox[-1]["Subject"] == "Your password for Site was changed"
    assert who(old) == "stranger"
    old.delete_cookie("session")
    assert who(old) == "stranger"
    assert log_in(site.browser()).status_code == 422
    log_in(browser, OTHER)
    assert who(browser) == "ada@example.org"


def test_changing_the_password_ends_other_logins(site: Site) -> None:
    """Who changes the password stays; other sessions and remembered logins end."""
    other = site.browser()
    log_in(other, remember="y")
    browser = site.browser()
    log_in(browser)
    form = {"password": OTHER, "repeat": OTHER}
    assert send(browser, "/account/password", current="wrong", **form).status_code == 422
    assert who(other) == "ada@example.org"
    assert send(browser, "/account/password", current=PASSWORD, **form).status_code == 303
    assert who(browser) == "ada@example.org"
    assert who(other) == "stranger"
    other.delete_cookie("session")
    assert who(other) == "stranger"


def test_the_address_is_changed_when_the_new_one_is_shown_to_be_ones_own(site: Site) -> None:
    """The new address gets a link, the old one is told, and nothing changes in between."""
    browser = site.browser()
    log_in(browser)
    new = {"email": "lovelace@example.org"}
    assert send(browser, "/account/address", current="wrong", **new).status_code == 422
    send(browser, "/account/address", current=PASSWORD, **new)
    assert site.outbox[-1]["To"] == "lovelace@example.org"
    link = site.link()
    assert "Use this address" in browser.get(link).text
    assert who(browser) == "ada@example.org"
    assert send(browser, link).status_code == 303
    assert who(browser) == "lovelace@example.org"
    assert site.outbox[-1]["To"] == "ada@example.org"
    assert "lovelace@example.org" in site.outbox[-1].get_content()
    assert send(browser, link).status_code == 410


def test_sessions_are_listed_and_ended(tmp_path: Path) -> None:
    """With sessions on the server: a list, one ended with what it remembers, all others ended.

    Where ended logins cannot be written down, what is remembered elsewhere ends as well.
    """
    site = make_site(f"sqlite:///{tmp_path / 'site.db'}", SESSION_BACKEND="memory")
    site.add("ada@example.org")
    one, two, three = site.browser(), site.browser(), site.browser()
    two.environ_base["HTTP_USER_AGENT"] = TELEPHONE
    # All within the second in which they are ended, on a quick machine.
    for browser in (one, two, three):
        log_in(browser, remember="y")
    page = one.get("/account/sessions").text
    assert (page.count("<time"), page.count("This device")) == (6, 1)
    [record] = re.findall(r'action="([^"]+)">(?:(?!</form>).)*iPhone', page, re.DOTALL)[-1:]
    assert send(one, record, password=PASSWORD).status_code == 303
    assert (who(one), who(two), who(three)) == ("ada@example.org", "stranger", "ada@example.org")
    two.delete_cookie("session")
    one.delete_cookie("session")
    # What was remembered is so no more, except where the session was ended from.
    assert (who(one), who(two)) == ("ada@example.org", "stranger")
    log_in(two, remember="y")
    assert send(one, "/account/sessions/end-others", password=PASSWORD).status_code == 303
    assert (who(one), who(two), who(three)) == ("ada@example.org", "stranger", "stranger")
    assert one.get("/account/sessions").text.count("<time") == 2
    assert send(one, "/account/sessions/no-such/end").status_code == 303
    site.close()


def test_who_confirms_a_login_stays_remembered(site: Site) -> None:
    """The login page knows who confirms a login, and that it is remembered; strangers see none."""

    @site.app.get("/secret")
    @fresh_login_required
    def secret() -> str:
        return "secret"

    browser = site.browser()
    page = browser.get("/account/login").text
    assert "ada@example.org" not in page and " checked" not in page
    log_in(browser, remember="y")
    browser.delete_cookie("session")
    login = browser.get("/secret").location
    page = browser.get(login).text
    assert 'value="ada@example.org"' in page
    assert re.search(r'<input checked [^>]*name="remember"', page)
    form = {"email": "ada@example.org", "password": PASSWORD, "remember": "y"}
    assert browser.post(login, data=form, headers=OWN).location == "/secret"
    assert browser.get("/secret").text == "secret"
    browser.delete_cookie("session")
    assert who(browser) == "ada@example.org"


def test_with_sessions_in_cookies_all_others_are_ended(site: Site) -> None:
    """Where nothing is kept on the server there is no list, and all others can be ended."""
    one, two = site.browser(), site.browser()
    log_in(one)
    log_in(two, remember="y")
    assert "keeps no list of devices" in one.get("/account/sessions").text
    send(one, "/account/sessions/end-others", password=PASSWORD)
    assert (who(one), who(two)) == ("ada@example.org", "stranger")


def test_a_disabled_account_is_out_at_once(site: Site) -> None:
    """Who is disabled is logged out, cannot log in, and gets no mail."""
    browser = site.browser()
    log_in(browser)
    site.change("ada@example.org", active=False)
    assert who(browser) == "stranger"
    assert log_in(site.browser()).status_code == 422
    send(site.browser(), "/account/forgotten", email="ada@example.org")
    assert site.outbox == []


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "x", "/\t/evil"]
)
def test_nobody_is_sent_to_another_site(site: Site, target: str) -> None:
    """The address to go on to after logging in is one of this site."""
    browser = site.browser()
    form = {"email": "ada@example.org", "password": PASSWORD}
    answer = browser.post("/account/login", query_string={"next": target}, data=form, headers=OWN)
    assert answer.location == "/"
    answer = browser.post("/account/login?next=/account/", data=form, headers=OWN)
    assert answer.location == "/account/"


def test_forms_of_other_sites_are_refused(site: Site) -> None:
    """Neither logging in nor out, nor ending sessions, can be done by another site's page."""
    browser = site.browser()
    log_in(browser)
    foreign = {"Sec-Fetch-Site": "cross-site"}
    for path in ("/account/logout", "/account/sessions/end-others", "/account/sessions/x/end"):
        assert browser.post(path, headers=foreign).status_code == 400
    assert who(browser) == "ada@example.org"
    stranger = site.browser()
    form = {"email": "ada@example.org", "password": PASSWORD}
    assert stranger.post("/account/login", data=form, headers=foreign).status_code == 422
    assert who(stranger) == "stranger"


def test_with_logins_disabled_the_account_s_pages_have_nobody(site: Site) -> None:
    """With LOGIN_DISABLED, pages that are about somebody say that nobody is logged in."""
    site.app.config["LOGIN_DISABLED"] = True
    for page in ("password", "address", "sessions"):
        assert site.browser().get(f"/account/{page}").status_code == 401, page


def test_logging_out_is_no_link(site: Site) -> None:
    """A GET logs nobody out, and confirms no address."""
    browser = site.browser()
    log_in(browser)
    assert browser.get("/account/logout").status_code == 405
    assert who(browser) == "ada@example.org"


def test_pages_stay_out_of_caches_and_tokens_out_of_referrers(site: Site) -> None:
    """No page is kept by a cache, and none tells its address to other sites."""
    for path in ("/account/login", "/account/reset/x", "/account/confirm/x"):
        headers = site.browser().get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "same-origin"


def test_the_session_is_another_after_logging_in(tmp_path: Path) -> None:
    """A session that somebody knew before the login is worth nothing after it."""
    site = make_site(f"sqlite:///{tmp_path / 'site.db'}", SESSION_BACKEND="memory")
    site.add("ada@example.org")
    browser = site.browser()
    browser.get("/account/login")
    log_in(browser)
    before = browser.get_cookie("session")
    assert before is not None
    log_in(browser)
    thief = site.browser()
    thief.set_cookie("session", before.value)
    assert (who(thief), who(browser)) == ("stranger", "ada@example.org")
    site.close()


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"email": "x", "password": PASSWORD, "repeat": PASSWORD}, "no e-mail address"),
        ({"email": "\u0430da@example.org", "password": PASSWORD, "repeat": PASSWORD}, "no e-mail"),
        ({"email": "a@b.example", "password": "short", "repeat": "short"}, "8 characters"),
        ({"email": "a@b.example", "password": "password1", "repeat": "password1"}, "Many people"),
        ({"email": "a@b.example", "password": PASSWORD, "repeat": OTHER}, "not the same"),
        ({"email": "a" * 300 + "@b.example", "password": PASSWORD, "repeat": PASSWORD}, "longer"),
        ({"email": "a@b.example", "password": "x" * 1025, "repeat": "x" * 1025}, "longer"),
        ({}, "needed"),
    ],
)
def test_what_is_wrong_is_explained(site: Site, form: dict[str, str], complaint: str) -> None:
    """A bad address or password is refused with a reason, and nothing is sent."""
    answer = send(site.browser(), "/account/register", **form)
    assert answer.status_code == 422
    assert complaint in answer.text
    assert site.outbox == []


STRANGE = ["\0", "\udcff", "²", "\u202e", "%00", "x" * 70_000, "\r\nBcc: a@b.c"]


@pytest.mark.parametrize("page", ["login", "register", "forgotten", "reset/x", "confirm/x"])
def test_no_input_makes_a_page_fail(site: Site, page: str) -> None:
    """Whatever is typed, the answer is no failure of the server, and no mail goes out."""
    for value in STRANGE:
        send_strange(site, page, value)
    assert all(mail["Bcc"] is None for mail in site.outbox)


def send_strange(site: Site, page: str, value: str) -> None:
    """Fill a form with bytes that need be no text."""
    form = dict.fromkeys(("email", "password", "repeat"), value)
    data = "&".join(
        f"{name}={''.join(f'%{byte:02x}' for byte in text.encode('utf-8', 'surrogateescape'))}"
        for name, text in form.items()
    )
    headers = {**OWN, "Content-Type": "application/x-www-form-urlencoded"}
    answer = site.browser().post(f"/account/{page}", data=data, headers=headers)
    assert answer.status_code < 500


def test_forms_views_and_templates_are_replaced(tmp_path: Path) -> None:
    """A subclass of the pages has its own form, view and hook; the application its template."""

    class NamedForm(RegisterForm):
        nick = StringField("Nickname")

    class OurPages(Pages[t.Any]):
        register_form = NamedForm
        filled: t.ClassVar[list[str]] = []

        def fill(self, user: t.Any, form: t.Any) -> None:
            self.filled.append(form.data["nick"])

        def index(self) -> str:
            return "our own page"

    templates = tmp_path / "templates" / "accounts"
    templates.mkdir(parents=True)
    (templates / "forgotten.html").write_text("ours: {{ form.email }}")
    make_app = partial(Erlen, template_folder=str(templates.parent))
    site = make_site(f"sqlite:///{tmp_path / 'site.db'}", make_app, pages=OurPages)
    browser = site.browser()
    assert browser.get("/account/forgotten").text.startswith("ours: <input")
    assert "Nickname" in browser.get("/account/register").text
    send(browser, "/account/register", nick="Amazing", **NEW)
    assert OurPages.filled == ["Amazing"]
    send(browser, site.link(), password=PASSWORD)
    assert browser.get("/account/").text == "our own page"
    site.close()


def test_pages_may_be_left_out(site: Site) -> None:
    """What an application does not want is not there, and no page links to it."""
    app = Flask("other")
    app.config.update(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI="sqlite://")
    site.db.init_app(app)
    Accounts(app, site.db, site.user, without={"register"}, url_prefix="/me")
    page = app.test_client().get("/me/login")
    assert page.status_code == 200
    assert "Make an account" not in page.text
    assert app.test_client().get("/me/register").status_code == 404


@pytest.mark.parametrize(
    "without",
    [
        {"login"},
        {"logout"},
        {"register", "confirm"},
        {"forgotten"},
        {"register", "forgotten", "reset"},
        {"index"},
        {"password"},
        {"address"},
        {"address", "confirm_address"},
        {"sessions", "end_session", "end_others"},
        {"login", "logout", "index"},
    ],
    ids=lambda names: "-".join(sorted(names)),
)
def test_no_page_fails_where_others_are_left_out(site: Site, without: set[str]) -> None:
    """Whatever is left out, the pages that are there work, and lead to pages that are there."""
    app = Erlen("other")
    app.config.update({**site.app.config, "SESSION_BACKEND": "memory"})
    site.db.init_app(app)
    accounts: Accounts[t.Any] = Accounts(app, site.db, site.user, without=without)
    other = Site(app, site.db, site.user, accounts)
    app.add_url_rule("/", "home", lambda: "home")

    @app.post("/in")
    def enter() -> str:
        accounts.log_in(accounts.find_by_id("1"))
        return ""

    def visit(path: str, **form: str) -> str:
        name = path.split("/")[2]
        answer = send(browser, path, **form) if form else browser.get(path)
        assert answer.status_code in (200, 303, 404, 405, 410, 422), path
        if answer.location:
            assert browser.get(answer.location).status_code == 200, path
        for address in re.findall(r'(?:href|action)="(/[^"]+)"', answer.text):
            assert browser.get(address).status_code in (200, 405), (name, address)
        return str(answer.text)

    browser, second = other.browser(), other.browser()
    for client in (browser, second):
        client.post("/in", headers=OWN)
    for rule in list(app.url_map.iter_rules()):
        if rule.endpoint.startswith("accounts.") and "static" not in rule.endpoint:
            visit(rule.rule.replace("<token>", "x").replace("<record_id>", "x"))
    for path, form in (
        ("register", NEW),
        ("address", {"email": "new@example.org", "current": PASSWORD}),
        ("forgotten", {"email": "ada@example.org"}),
    ):
        sent = len(other.outbox)
        visit(f"/account/{path}", **form)
        if len(other.outbox) > sent:
            visit(other.link())
            visit(other.link(), password=OTHER, repeat=OTHER)
            browser.post("/in", headers=OWN)
    visit("/account/password", current=OTHER, password=PASSWORD, repeat=PASSWORD)
    visit("/account/password", current=PASSWORD, password=OTHER, repeat=OTHER)
    visit("/account/sessions/end-others", password=OTHER)
    other.close()


def test_a_page_that_others_need_is_not_left_out_alone(site: Site) -> None:
    """When the application is made, the error names the page that would lead nowhere."""
    for name, other in (
        ("confirm", "register"),
        ("reset", "forgotten"),
        ("confirm_address", "address"),
        ("sessions", "end_session"),
        ("end_others", "sessions"),
    ):
        app = Flask("x")
        app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://")
        without = {name, "register"} - {other}
        with pytest.raises(ValueError, match=f"The page '{other}' needs '{name}'"):
            Accounts(app, site.db, site.user, without=without)


def test_mistakes_of_the_set_up_are_explained(site: Site) -> None:
    """What cannot be right raises when the application is made."""
    with pytest.raises(TypeError, match="Accounts needs the database"):
        Accounts(site.app)
    with pytest.raises(TypeError, match="AccountMixin"):
        Accounts(None, site.db, t.cast("t.Any", object))
    with pytest.raises(ValueError, match="no such page"):
        Accounts(Flask("x"), site.db, site.user, without={"lgoin"})
    with pytest.raises(ValueError, match="'database', 'memory'"):
        Accounts(None, site.db, site.user, attempts=t.cast("t.Any", "disk"))


def test_an_application_with_flasks_defaults(tmp_path: Path) -> None:
    """The pages work in a drop-in application, with tokens in the forms."""
    site = make_site(f"sqlite:///{tmp_path / 'site.db'}", Flask)
    site.add("ada@example.org")
    browser = site.browser()
    assert browser.post("/account/login", data={"email": "ada@example.org"}).status_code == 422
    page = browser.get("/account/login").text
    token = page.partition('name="csrf_token" type="hidden" value="')[2].partition('"')[0]
    log_in(browser, csrf_token=token)
    assert who(browser) == "ada@example.org"
    site.close()


def test_a_better_hash_of_the_same_password_ends_no_session(site: Site) -> None:
    """A hash of an older kind is replaced at login, and sessions go on."""
    from werkzeug.security import generate_password_hash

    old = generate_password_hash(PASSWORD, method="pbkdf2:sha256:1000")
    site.change("ada@example.org", password_hash=old)
    one, two = site.browser(), site.browser()
    log_in(one)
    log_in(two)
    with site.app.app_context():
        user = site.accounts.find_by_email("ada@example.org")
        assert user is not None and user.password_hash.startswith("$argon2id$")
    assert (who(one), who(two)) == ("ada@example.org",) * 2


def test_the_pages_speak_the_visitors_language(site: Site, tmp_path: Path) -> None:
    """Texts of pages, forms and mails are translated by the application's catalogs."""
    texts = {
        "Log in": "Anmelden",
        "E-mail address": "E-Mail-Adresse",
        "A new password for %(name)s": "Neues Passwort für %(name)s",
    }
    catalog = Catalog(locale="de")
    for message, translation in texts.items():
        catalog.add(message, translation)
    folder = tmp_path / "translations" / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalog)
    site.app.config.update(
        WTF_LOCALES=["en", "de"], WTF_TRANSLATIONS=str(tmp_path / "translations")
    )
    german = {**OWN, "Accept-Language": "de"}
    page = site.browser().get("/account/login", headers=german).text
    assert "<h1>Anmelden</h1>" in page and "E-Mail-Adresse</label>" in page
    form = {"email": "ada@example.org"}
    site.browser().post("/account/forgotten", data=form, headers=german)
    assert site.outbox[-1]["Subject"] == "Neues Passwort für Site"
    assert "<h1>Log in</h1>" in site.browser().get("/account/login").text
