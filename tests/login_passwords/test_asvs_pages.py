"""What ASVS asks of pages for accounts, shown on the ready-made ones."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column
from tests.login_passwords.samples import FAST

from erlen import Erlen
from erlen.accounts import AccountMixin, Accounts
from erlen.db import Model, SQLAlchemy
from erlen.login import Permissions, current_user, login_required

if t.TYPE_CHECKING:
    from pathlib import Path

    from werkzeug.test import TestResponse

    from erlen.testing import FlaskClient

ANN = "ann@example.org"
FIRST, SECOND, THIRD = "tea at a quarter past", "toast at half past nine", "jam at ten to four"


class Site:
    """An application with accounts, its visitors, and the mail that it has sent."""

    def __init__(self, folder: Path) -> None:
        class Base(Model):
            __abstract__ = True
            metadata = sa.MetaData(naming_convention=Model.metadata.naming_convention)

        class User(AccountMixin, Base):
            id: Mapped[int] = mapped_column(primary_key=True)

        self.app = app = Erlen(__name__)
        app.testing = True
        app.config.update(
            FAST,
            SECRET_KEY="a key that is long enough",
            SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/accounts.db",
            SESSION_BACKEND="memory",
            MAIL_BACKEND="memory",
            MAIL_DEFAULT_SENDER="site@example.org",
            REMEMBER_COOKIE_ENDED=str(folder / "ended"),
        )
        self.db = db = SQLAlchemy(model_class=Base)
        db.init_app(app)
        self.user_class = User
        self.accounts = Accounts(app, db, User)

        @app.get("/private")
        @login_required
        def private() -> str:
            return str(current_user.email)

        with app.app_context():
            db.create_all()

    def visitor(self) -> FlaskClient:
        """Return a browser that was never here."""
        return self.app.test_client()

    def add(self, email: str = ANN, password: str = FIRST) -> None:
        """Make an account whose address is confirmed."""
        with self.app.app_context():
            user = self.user_class()
            user.set_email(email, confirmed=True)
            user.set_password(password)
            self.db.session.add(user)
            self.db.session.commit()

    def link(self) -> str:
        """Return the path of the link in the mail that was sent last."""
        with self.app.app_context():
            text = self.mails[-1].get_body(("plain",)).get_content()
        found = re.search(r"https?://[^/\s]+(/\S+)", text)
        assert found, text
        return found[1]

    @property
    def mails(self) -> list[t.Any]:
        """The mails that were sent."""
        with self.app.app_context():
            mail: t.Any = self.app.extensions["erlen.mail"].mailer
            return list(mail.outbox)


def post(client: FlaskClient, path: str, **data: str) -> TestResponse:
    """Send a form as a browser does."""
    return client.post(path, data=data, headers={"Sec-Fetch-Site": "same-origin"})


def log_in(client: FlaskClient, password: str = FIRST, email: str = ANN) -> bool:
    """Log in, and tell whether that went well."""
    answer = post(client, "/account/login", email=email, password=password)
    return bool(answer.status_code == 303)


def is_in(client: FlaskClient) -> bool:
    """Tell whether a visitor is logged in."""
    return client.get("/private").status_code == 200


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path)
    yield found
    with found.app.app_context():
        found.db.engine.dispose()


def test_change_of_password(site: Site) -> None:
    """6.2.2, 6.2.3, 7.4.3: the present password is needed; all other sessions end."""
    site.add()
    here, there = site.visitor(), site.visitor()
    assert log_in(here) and log_in(there)
    new = {"password": SECOND, "repeat": SECOND}
    for wrong in (SECOND, ""):
        assert post(here, "/account/password", current=wrong, **new).status_code == 422
    assert is_in(there)
    assert post(here, "/account/password", current=FIRST, **new).status_code == 303
    assert is_in(here)
    assert not is_in(there)
    assert not log_in(site.visitor(), FIRST)
    assert log_in(site.visitor(), SECOND)


@pytest.mark.parametrize("path", ["login", "register", "password"])
def test_fields_for_passwords(site: Site, path: str) -> None:
    """6.2.6, 6.2.7: fields hide what is typed, and password managers can fill them in."""
    client = site.visitor()
    if path == "password":
        site.add()
        assert log_in(client)
    page = client.get(f"/account/{path}").text
    fields = re.findall(r"<input[^>]*password[^>]*>", page)
    assert fields
    for field in fields:
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(current|new)-password"', field), field
        assert "value=" not in field.replace('value=""', "")
    assert "onpaste" not in page
    assert "<script" not in page


def test_common_password_is_refused(site: Site) -> None:
    """6.2.4, 6.2.11: registering refuses what is tried first, and the address itself."""
    for password in ("password1", "ann@example", "short"):
        answer = post(
            site.visitor(), "/account/register", email=ANN, password=password, repeat=password
        )
        assert answer.status_code == 422
    assert site.mails == []


def test_passwords_do_not_expire(site: Site) -> None:
    """6.2.10: the password of an account that is decades old is as good as ever."""
    site.add()
    with site.app.app_context():
        user = site.accounts.find_by_email(ANN)
        assert user is not None
        user.created_at = user.confirmed_at = datetime(2001, 1, 1, tzinfo=UTC)
        site.db.session.commit()
    assert log_in(site.visitor())


def test_guessing_is_slowed(site: Site) -> None:
    """6.3.1: guesses must wait soon, and a browser that the owner has used before need not."""
    site.add()
    known, stranger = site.visitor(), site.visitor()
    assert log_in(known)
    statuses = [
        post(stranger, "/account/login", email=ANN, password=f"guess {number}").status_code
        for number in range(12)
    ]
    assert statuses[0] == 422
    assert statuses[-1] == 429
    # The right one does not help either, while the pause lasts.
    assert not log_in(stranger)
    post(known, "/account/logout")
    assert log_in(known)


def test_one_way_in(site: Site) -> None:
    """6.3.2, 6.3.4, 6.4.2: there is no account from the start, and no way but the known ones."""
    with site.app.app_context():
        assert site.db.session.query(site.user_class).count() == 0
    open_to_all = {
        rule.endpoint
        for rule in site.app.url_map.iter_rules()
        if rule.endpoint.startswith("accounts.")
        and site.visitor().get(rule.rule.replace("<token>", "x")).status_code in (200, 410)
    }
    assert open_to_all == {
        "accounts.login",
        "accounts.register",
        "accounts.forgotten",
        "accounts.confirm",
        "accounts.reset",
        "accounts.confirm_address",
    }
    form = site.visitor().get("/account/forgotten").text
    assert set(re.findall(r'<input[^>]* name="(\w+)"', form)) == {"csrf_token", "email"}


def test_pages_say_who_may_use_them(site: Site) -> None:
    """8.2.1: where each endpoint must say who may use it, the ready-made pages do."""
    permissions = Permissions[t.Any](site.app)
    assert permissions.find_unguarded(site.app) == []


def test_nobody_learns_who_has_an_account(site: Site) -> None:
    """6.3.8: login, registration and reset answer alike for accounts that are there or not."""
    site.add()
    pages = {
        "login": {"password": "not the right one"},
        "register": {"password": THIRD, "repeat": THIRD},
        "forgotten": {},
    }
    for path, data in pages.items():
        answers = [
            post(site.visitor(), f"/account/{path}", email=email, **data)
            for email in (ANN, "ann@example.com")
        ]
        assert answers[0].status_code == answers[1].status_code
        texts = [re.sub(r'value="[^"]*"|ann@example\.\w+', "", answer.text) for answer in answers]
        assert texts[0] == texts[1], path


def test_reset(site: Site) -> None:
    """6.4.3, 6.3.7: a mailed link gives a new password, once; it ends all logins, and is told."""
    site.add()
    there = site.visitor()
    assert log_in(there)
    client = site.visitor()
    post(client, "/account/forgotten", email=ANN)
    link = site.link()
    mails = len(site.mails)
    # Opening it changes nothing.
    assert client.get(link).status_code == 200
    assert is_in(there)
    assert post(client, link, password=SECOND, repeat=SECOND).status_code == 303
    assert not is_in(there)
    assert post(client, link, password=THIRD, repeat=THIRD).status_code == 410
    assert log_in(site.visitor(), SECOND)
    assert not log_in(site.visitor(), FIRST)
    assert len(site.mails) == mails + 1


def test_links_end(site: Site) -> None:
    """6.4.1: a link is good for its time, and not for another purpose."""
    site.add()
    client = site.visitor()
    post(client, "/account/forgotten", email=ANN)
    link = site.link()
    assert client.get(link.replace("/reset/", "/confirm/")).status_code == 410
    assert client.get(link).status_code == 200
    site.app.config["ACCOUNTS_LIFETIMES"] = {"reset": timedelta(seconds=-2)}
    assert client.get(link).status_code == 410


def test_disabled_account(site: Site) -> None:
    """7.4.2: what is disabled or deleted is logged out with the next request."""
    for number, email in enumerate((ANN, "bob@example.org")):
        site.add(email)
        client = site.visitor()
        assert log_in(client, email=email)
        with site.app.app_context():
            user = site.accounts.find_by_email(email)
            assert user is not None
            if number:
                site.db.session.delete(user)
            else:
                user.active = False
            site.db.session.commit()
        assert not is_in(client)
        assert not log_in(site.visitor(), email=email)


def test_change_of_address(site: Site) -> None:
    """7.5.1, 6.3.7: another address needs the password and the new mailbox; the old one is told."""
    site.add()
    client = site.visitor()
    assert log_in(client)
    new = "ann@example.net"
    assert post(client, "/account/address", email=new, current="wrong").status_code == 422
    assert site.mails == []
    assert post(client, "/account/address", email=new, current=FIRST).status_code == 200
    assert log_in(site.visitor())
    link = site.link()
    assert post(client, link).status_code == 303
    assert log_in(site.visitor(), email=new)
    assert not log_in(site.visitor())
    assert site.mails[-1]["To"] == ANN


def test_list_of_sessions(site: Site) -> None:
    """7.5.2: users see where they are logged in, and end it once they have shown who they are."""
    site.add()
    here, there = site.visitor(), site.visitor()
    assert log_in(here) and log_in(there)
    page = here.get("/account/sessions").text
    (path,) = re.findall(r'action="(/account/sessions/[^"]+/end)"', page)
    for wrong in ({}, {"password": ""}, {"password": SECOND}):
        assert post(here, path, **wrong).status_code in (200, 422)
        assert is_in(there)
    assert post(here, path, password=FIRST).status_code == 303
    assert is_in(here)
    assert not is_in(there)
    again = site.visitor()
    assert log_in(again)
    post(here, "/account/sessions/end-others")
    assert is_in(again)
    post(here, "/account/sessions/end-others", password=FIRST)
    assert is_in(here)
    assert not is_in(again)


def test_logout(site: Site) -> None:
    """7.4.1: after a logout a copy of the cookie is worth nothing."""
    site.add()
    client = site.visitor()
    assert log_in(client)
    cookie = client.get_cookie("session")
    assert cookie is not None
    post(client, "/account/logout")
    thief = site.visitor()
    thief.set_cookie("session", cookie.value)
    assert not is_in(client)
    assert not is_in(thief)
