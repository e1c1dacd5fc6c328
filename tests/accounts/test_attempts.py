"""Guessing is slow, and nobody can be locked out by others."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.accounts.site import PASSWORD, Site, log_in, send, who

from erlen.accounts import attempts as attempts_module
from erlen.accounts.attempts import Limit, MemoryAttempts, begin, fail, give_back, take

ADA = "ada@example.org"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[float], None]:
    """A clock that stands still; call it to let seconds pass."""
    now = [1_900_000_000.0]

    class Clock:
        @staticmethod
        def time() -> float:
            return now[0]

    monkeypatch.setattr(attempts_module, "time", Clock)

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def guess(site: Site, times: int, address: str = "10.0.0.1", email: str = ADA) -> list[int]:
    """Return the answers to guesses."""
    browser = site.browser(address)
    return [log_in(browser, "wrong", email=email).status_code for _ in range(times)]


def test_guesses_are_slowed_down(site: Site, clock: t.Callable[[float], None]) -> None:
    """After five wrong passwords comes a pause, twice as long each time, that the answer tells."""
    assert guess(site, 6) == [422] * 5 + [429]
    answer = log_in(site.browser("10.0.0.1"), "wrong")
    assert answer.headers["Retry-After"] == "2"
    clock(1.5)
    assert guess(site, 2) == [422, 429]
    clock(1.5)
    assert guess(site, 1) == [429]
    clock(1)
    assert guess(site, 2) == [422, 429]


def test_unknown_addresses_are_counted_alike(site: Site, clock: t.Callable[[float], None]) -> None:
    """The limits do not tell who has an account."""
    assert guess(site, 7, "10.0.0.1", ADA) == guess(site, 7, "10.0.0.2", "nobody@example.org")


def test_strangers_cannot_lock_the_owner_out(site: Site, clock: t.Callable[[float], None]) -> None:
    """A browser that the owner has used gets in while strangers guess from everywhere."""
    known = site.browser("10.1.0.1")
    log_in(known)
    send(known, "/account/logout")
    for number in range(8):
        guess(site, 5, f"10.2.0.{number}")
    assert log_in(site.browser("10.3.0.1")).status_code == 429
    assert log_in(known).status_code == 303
    assert who(known) == ADA


def test_the_owner_of_a_new_device_gets_in_by_mail(
    site: Site, clock: t.Callable[[float], None]
) -> None:
    """Choosing a new password makes a browser known, so nobody has to wait for strangers."""
    for number in range(8):
        guess(site, 5, f"10.2.0.{number}")
    browser = site.browser("10.3.0.1")
    assert log_in(browser).status_code == 429
    send(browser, "/account/forgotten", email=ADA)
    send(browser, site.link(), password="another password", repeat="another password")
    assert log_in(browser, "another password").status_code == 303


def test_a_known_browser_cannot_guess_without_end(
    site: Site, clock: t.Callable[[float], None]
) -> None:
    """A stolen cookie of a known browser gives ten more guesses, for its account alone."""
    known = site.browser("10.1.0.1")
    log_in(known)
    answers = [log_in(known, "wrong").status_code for _ in range(17)]
    assert answers == [422] * 15 + [429] * 2
    cookie = known.get_cookie("known_device")
    assert cookie is not None and cookie.http_only
    forged = site.browser("10.1.0.2")
    forged.set_cookie("known_device", cookie.value[:-2] + "xx")
    assert [log_in(forged, "wrong").status_code for _ in range(6)] == [422] * 5 + [429]


def test_ones_own_login_does_not_make_room_for_guesses(
    site: Site, clock: t.Callable[[float], None]
) -> None:
    """Logging in to an account of one's own between guesses does not reset the client's count."""
    site.add("mallory@example.org")
    site.app.config["ACCOUNTS_LIMITS"] = {"login-address": (6, 10)}
    answers = []
    for number in range(10):
        answers += guess(site, 1, "10.0.0.1", f"victim{number}@example.org")
        log_in(site.browser("10.0.0.1"), email="mallory@example.org")
    assert answers.count(429) >= 3


def test_many_at_once_are_counted_each(site: Site) -> None:
    """Guesses that come at the same moment do not slip through, and right ones are let in."""
    gate = threading.Barrier(12)

    def enter(password: str) -> int:
        browser = site.browser("10.0.0.1")
        gate.wait(30)
        return int(log_in(browser, password).status_code)

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(enter, [PASSWORD] * 12)) == {303}
        # As many as may be under way, and no more after that.
        assert set(pool.map(enter, ["wrong"] * 12)) <= {422, 429}
    assert guess(site, 1) == [429]


def test_time_heals(site: Site, clock: t.Callable[[float], None]) -> None:
    """After a while without attempts, all of them are free again."""
    guess(site, 6)
    clock(6 * 300)
    assert guess(site, 6) == [422] * 5 + [429]


def test_mail_to_one_address_is_limited(site: Site, clock: t.Callable[[float], None]) -> None:
    """Nobody's mailbox is filled: the page answers the same, and no mail goes out."""
    answers = []
    for number in range(10):
        browser = site.browser(f"10.0.0.{number}")
        answers.append(send(browser, "/account/forgotten", email=ADA).status_code)
    assert set(answers) == {200}
    assert len(site.outbox) == 3
    clock(1200)
    send(site.browser("10.0.1.1"), "/account/forgotten", email=ADA)
    assert len(site.outbox) == 4


def test_strangers_cannot_keep_an_address_from_its_owner(
    site: Site, clock: t.Callable[[float], None]
) -> None:
    """Who registers the address of another over and over neither gets in nor keeps them out."""
    victim = "grace@example.org"

    def pester(network: int) -> None:
        for number in range(6):
            stranger = site.browser(f"10.0.{network}.{number}")
            words = f"words of stranger {number}"
            send(stranger, "/account/register", email=victim, password=words, repeat=words)
            send(stranger, "/account/forgotten", email=victim)

    pester(1)
    owner = site.browser("10.1.0.1")
    send(owner, "/account/register", email=victim, password=PASSWORD, repeat=PASSWORD)
    pester(2)
    mails = [mail.get_content() for mail in site.outbox if mail["To"] == victim]
    assert len(mails) < 10
    links = [mail.partition("http://localhost")[2].split()[0] for mail in mails]
    [link, *more] = [link for link in links if link.startswith("/account/reset/")]
    assert send(owner, link, password=PASSWORD, repeat=PASSWORD).status_code == 303
    pester(3)
    send(owner, "/account/login", email=victim, password=PASSWORD)
    assert who(owner) == victim
    # What was left over has ended with it.
    assert {owner.get(link).status_code for link in more} == {410}


def test_one_client_cannot_send_mail_to_many(site: Site, clock: t.Callable[[float], None]) -> None:
    """A client that asks for mail to one address after the other is stopped."""
    browser = site.browser("10.0.0.1")
    answers = [
        send(browser, "/account/forgotten", email=f"x{n}@example.org").status_code
        for n in range(22)
    ]
    assert answers == [200] * 20 + [429] * 2


def test_networks_of_ipv6_are_one_client(site: Site, clock: t.Callable[[float], None]) -> None:
    """Who has a whole network of addresses is counted once."""
    answers = [guess(site, 1, f"2001:db8::{number:x}")[0] for number in range(1, 8)]
    assert answers == [422] * 5 + [429] * 2
    assert guess(site, 1, "2001:db8:0:1::1") == [422]


def test_what_is_counted_in_memory_is_bounded(clock: t.Callable[[float], None]) -> None:
    """However many names there are, no more than a number of them is kept."""
    store, limit = MemoryAttempts(100), Limit(5, 60)
    for number in range(1000):
        begin(store, f"name {number}", limit)
        fail(store, f"name {number}", limit)
    assert len(store) == 100
    give_back(store, "name 999", limit, all_of_it=True)
    assert len(store) == 99
    assert [take(store, "mail", Limit(2, 60)) > 0 for _ in range(4)] == [False, False, True, True]


def test_what_is_forgotten_leaves_the_database(
    site: Site, clock: t.Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts that mean nothing any more are removed by and by."""
    for number in range(5):
        guess(site, 2, f"10.0.0.{number}")
    monkeypatch.setattr(attempts_module, "PRUNE_EVERY", 1)
    clock(100_000)
    guess(site, 1, "10.0.1.1")
    table = site.user.metadata.tables["erlen_attempts"]
    with site.app.app_context():
        assert len(site.db.session.execute(table.select()).all()) == 3
