"""What the pages must not tell, and what must work only once."""

from __future__ import annotations

import re
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from itsdangerous import TimestampSigner
from tests import services
from tests.accounts.site import OTHER, PASSWORD, Site, log_in, make_site, send, who

from erlen.login import passwords, passwords_work

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STRANGER = "nobody@example.org"
ADA = "ada@example.org"


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was computed with passwords."""
    done: list[str] = []
    original = passwords_work.compute

    def compute(function: t.Any, *args: t.Any) -> t.Any:
        done.append(function.__name__)
        return original(function, *args)

    monkeypatch.setattr(passwords, "compute", compute)
    return done


def ask(site: Site, path: str, email: str, **form: str) -> tuple[int, bytes, list[str]]:
    """Return the answer to a new browser, without what is random in it."""
    answer = send(site.browser(), path, email=email, **form)
    body = re.sub(rb'name="csrf_token"[^>]*>', b"", answer.data).replace(email.encode(), b"...")
    names = sorted(name for name, _ in answer.headers if name != "Content-Length")
    return answer.status_code, body, names


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/account/login", {"password": "wrong password"}),
        ("/account/register", {"password": OTHER, "repeat": OTHER}),
        ("/account/forgotten", {}),
    ],
)
def test_answers_do_not_tell_who_has_an_account(
    site: Site, work: list[str], path: str, form: dict[str, str]
) -> None:
    """For known and unknown addresses: the same status, headers, page, and work with passwords."""
    known = ask(site, path, ADA, **form)
    done = list(work)
    work.clear()
    assert ask(site, path, STRANGER, **form) == known
    assert work == done
    if path != "/account/forgotten":
        assert len(done) == 1


def test_the_right_password_of_an_unconfirmed_account_tells_nothing(site: Site) -> None:
    """Registering another's address and logging in does not show whether it was taken."""
    for email in (ADA, STRANGER):
        send(site.browser(), "/account/register", email=email, password=OTHER, repeat=OTHER)
    assert ask(site, "/account/login", ADA, password=OTHER) == ask(
        site, "/account/login", STRANGER, password=OTHER
    )


def test_only_the_mail_says_that_there_is_an_account(site: Site) -> None:
    """Whoever registers a known address writes to its owner, and changes nothing."""
    send(site.browser(), "/account/register", email=ADA, password=OTHER, repeat=OTHER)
    assert site.outbox[-1]["Subject"] == "You have an account for Site already"
    assert log_in(site.browser(), OTHER).status_code == 422
    assert log_in(site.browser()).status_code == 303


def test_nobody_waits_in_an_account_for_its_owner(site: Site) -> None:
    """Who registers another's address does not get in when the owner registers and confirms."""
    send(site.browser(), "/account/register", email=STRANGER, password=OTHER, repeat=OTHER)
    first = site.link()
    owner = site.browser()
    send(owner, "/account/register", email=STRANGER, password=PASSWORD, repeat=PASSWORD)
    assert owner.get(first).status_code == 410
    assert send(owner, site.link(), password=PASSWORD).status_code == 303
    thief = site.browser()
    assert send(thief, "/account/login", email=STRANGER, password=OTHER).status_code == 422


def test_a_link_is_good_once(site: Site) -> None:
    """A link that was used is gone, and so is one from before a change."""
    browser = site.browser()
    send(browser, "/account/forgotten", email=ADA)
    first = site.link()
    send(browser, "/account/forgotten", email=ADA)
    second = site.link()
    assert send(browser, second, password=OTHER, repeat=OTHER).status_code == 303
    for link in (first, second):
        assert browser.get(link).status_code == 410
        assert send(browser, link, password=PASSWORD, repeat=PASSWORD).status_code == 410
    assert log_in(browser, OTHER).status_code == 303


@pytest.mark.parametrize("change", ["email", "password", "logins"])
def test_a_link_ends_with_what_it_is_bound_to(site: Site, change: str) -> None:
    """Another address, another password, or the end of all logins: an older link is gone."""
    browser = site.browser()
    send(browser, "/account/forgotten", email=ADA)
    link = site.link()
    with site.app.app_context():
        user = site.accounts.find_by_email(ADA)
        assert user is not None
        if change == "email":
            user.set_email("other@example.org", confirmed=True)
        elif change == "password":
            user.set_password(OTHER)
        else:
            user.end_logins()
        site.db.session.commit()
    assert browser.get(link).status_code == 410


def test_a_link_is_good_for_an_hour(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that is too old is gone, as the setting says."""
    browser = site.browser()
    send(browser, "/account/forgotten", email=ADA)
    link = site.link()
    now = int(time.time())
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: now + 3300)
    assert browser.get(link).status_code == 200
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: now + 3900)
    assert browser.get(link).status_code == 410
    site.app.config["ACCOUNTS_LIFETIMES"] = {"reset": timedelta(hours=2)}
    assert browser.get(link).status_code == 200


def test_a_link_that_was_changed_is_no_link(site: Site) -> None:
    """No character of a token can be another, nor does one serve another purpose."""
    browser = site.browser()
    send(browser, "/account/forgotten", email=ADA)
    link = site.link()
    token = link.rpartition("/")[2]
    for place in range(0, len(token) - 1, 3):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert browser.get(f"/account/reset/{changed}").status_code == 410
    for page in ("confirm", "address"):
        assert browser.get(f"/account/{page}/{token}").status_code == 410
    assert browser.get("/account/reset/" + "A" * 5000).status_code == 410
    site.app.config.update(SECRET_KEY="another", SECRET_KEY_FALLBACKS=["a key for tests"])
    assert browser.get(link).status_code == 200
    site.app.config.update(SECRET_KEY_FALLBACKS=[])
    assert browser.get(link).status_code == 410


def test_links_lead_to_the_site_whatever_the_request_says(site: Site) -> None:
    """The host of a link is not that of the request, unless it is known to be the site's."""
    browser = site.browser()
    answer = browser.post(
        "/account/forgotten",
        data={"email": ADA},
        headers={"Sec-Fetch-Site": "same-origin", "Host": "evil.example"},
    )
    assert answer.status_code == 503
    assert site.outbox == []
    site.app.config["ACCOUNTS_URL"] = "https://shop.example.org"
    browser.post(
        "/account/forgotten",
        data={"email": ADA},
        headers={"Sec-Fetch-Site": "same-origin", "Host": "evil.example"},
    )
    assert "https://shop.example.org/account/reset/" in site.outbox[-1].get_content()
    assert "evil" not in site.outbox[-1].get_content()


def test_the_database_holds_no_token_and_no_password(site: Site) -> None:
    """Neither what opens an account nor whose attempts are counted can be read from the tables."""
    send(site.browser(), "/account/forgotten", email=ADA)
    log_in(site.browser(), "wrong")
    token = site.link().rpartition("/")[2]
    with site.app.app_context():
        rows = [
            str(tuple(row))
            for table in site.user.metadata.sorted_tables
            for row in site.db.session.execute(table.select())
        ]
    assert rows
    assert not any(PASSWORD in row or token in row for row in rows)
    assert not any(ADA in row for row in rows if "$argon2" not in row)


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A site on each kind of database."""
    is_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'site.db'}" if is_file else services.postgresql_url("accounts")
    site = make_site(url)
    site.add(ADA)
    yield site
    site.close()


def test_of_two_who_use_a_link_one_wins(shared_site: Site) -> None:
    """However many use a link at the same moment: one password is set, the others are refused."""
    site = shared_site
    send(site.browser(), "/account/forgotten", email=ADA)
    link = site.link()
    gate = threading.Barrier(6)

    def use(number: int) -> int:
        browser, password = site.browser(), f"{OTHER} {number}"
        gate.wait(30)
        return int(send(browser, link, password=password, repeat=password).status_code)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(use, range(6)))
    assert sorted(answers) == [303] + [410] * 5
    assert log_in(site.browser(), f"{OTHER} {answers.index(303)}").status_code == 303


def test_of_two_who_confirm_one_does(shared_site: Site) -> None:
    """A link to confirm an address works once, at the same moment too."""
    site = shared_site
    form = {"email": STRANGER, "password": PASSWORD, "repeat": PASSWORD}
    send(site.browser(), "/account/register", **form)
    link = site.link()
    gate = threading.Barrier(4)

    def use(_: int) -> int:
        browser = site.browser()
        gate.wait(30)
        return int(send(browser, link, password=PASSWORD).status_code)

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(use, range(4)))
    assert answers[0] == 303
    assert set(answers[1:]) <= {410, 422}


def test_of_two_who_register_an_address_one_account_is_made(shared_site: Site) -> None:
    """Several who register one address at the same moment are all told the same."""
    site = shared_site
    gate = threading.Barrier(4)

    def register(number: int) -> int:
        browser, password = site.browser(), f"{OTHER} {number}"
        form = {"email": STRANGER, "password": password, "repeat": password}
        gate.wait(30)
        return int(send(browser, "/account/register", **form).status_code)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(register, range(4))) == {200}
    assert who(site.browser()) == "stranger"
