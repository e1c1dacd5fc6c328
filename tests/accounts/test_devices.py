"""The devices that somebody is logged in on, and what ends where one of them is logged out."""

from __future__ import annotations

import re
import typing as t
from datetime import timedelta

import pytest
from tests.accounts.site import PASSWORD, Site, log_in, make_site, send, who

from erlen import Erlen, Flask
from erlen.serversessions.database import session_table

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from erlen.testing import FlaskClient

ADA = "ada@example.org"
END_OTHERS = "/account/sessions/end-others"


@pytest.fixture(params=["memory", "filesystem", "database", "auto"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A site whose sessions are kept on the server, and where ended logins are written down."""
    site = make_house(tmp_path, SESSION_BACKEND=request.param)
    yield site
    site.close()


def make_house(folder: Path, kind: type[Flask] = Erlen, **config: t.Any) -> Site:
    site = make_site(
        f"sqlite:///{folder / 'site.db'}",
        kind,
        **{"REMEMBER_COOKIE_ENDED": str(folder / "ended"), **config},
        SESSION_FILE_DIR=str(folder / "sessions"),
    )
    with site.app.app_context():
        session_table(site.user.metadata)
        site.db.create_all()
    site.add(ADA)
    return site


def enter(site: Site, *names: str) -> list[FlaskClient]:
    """Return browsers of Ada's with these names, all remembered."""
    browsers = []
    for name in names:
        browser = site.browser()
        browser.environ_base["HTTP_USER_AGENT"] = name
        log_in(browser, remember="y")
        browsers.append(browser)
    return browsers


def find_action(browser: FlaskClient, name: str) -> str:
    """Return where the button beside a device sends its form to."""
    page = browser.get("/account/sessions").text
    [action] = re.findall(rf'action="([^"]+)">(?:(?!</form>).)*: {name}"', page, re.DOTALL)[-1:]
    return t.cast("str", action)


def come_back(browser: FlaskClient) -> str:
    """Close the browser and open it, and return whom the site takes it for."""
    browser.delete_cookie("session")
    return who(browser)


def test_ending_one_session_ends_what_that_device_remembers_alone(house: Site) -> None:
    """The device that was logged out does not come back; all others do."""
    here, there, elsewhere = enter(house, "Firefox/1", "Edg/1", "OPR/1")
    before = here.get_cookie("remember_token")
    assert send(here, find_action(here, "Edge"), password=PASSWORD).status_code == 303
    assert who(there) == "stranger"
    assert [come_back(browser) for browser in (here, there, elsewhere)] == [ADA, "stranger", ADA]
    assert here.get_cookie("remember_token") == before


def test_a_copy_of_the_cookie_is_worth_nothing_either(house: Site) -> None:
    """Whoever has a copy of what the device remembers is not let in with it."""
    here, there = enter(house, "Firefox/1", "Edg/1")
    cookie = there.get_cookie("remember_token")
    assert cookie is not None
    send(here, find_action(here, "Edge"), password=PASSWORD)
    thief = house.browser()
    thief.set_cookie("remember_token", cookie.value)
    assert who(thief) == "stranger"


def test_a_session_that_began_by_what_was_remembered_knows_it(house: Site) -> None:
    """A device that has come back is logged out for good, too."""
    here, there = enter(house, "Firefox/1", "Edg/1")
    # The session that is left behind would be in the list as well.
    with house.app.test_request_context():
        interface, left = house.app.session_interface, find_action(here, "Edge").split("/")[-2]
        assert interface.revoke(house.app, "1", left)
    assert come_back(there) == ADA
    send(here, find_action(here, "Edge"), password=PASSWORD)
    assert come_back(there) == "stranger"
    assert come_back(here) == ADA


def test_an_older_session_of_the_same_browser_is_ended(house: Site) -> None:
    """Who tidies up what this browser left behind stays remembered by it, with another cookie."""
    (here,) = enter(house, "Firefox/1")
    cookie = here.get_cookie("remember_token")
    assert cookie is not None
    assert come_back(here) == ADA
    send(here, find_action(here, "Firefox"), password=PASSWORD)
    assert who(here) == ADA
    assert here.get("/account/sessions").text.count("<time") == 2
    assert come_back(here) == ADA
    thief = house.browser()
    thief.set_cookie("remember_token", cookie.value)
    assert who(thief) == "stranger"


def test_ending_the_session_at_hand_logs_out(house: Site) -> None:
    """The page has no button for it; whoever sends the form all the same is logged out for good."""
    here, there = enter(house, "Firefox/1", "Edg/1")
    action = find_action(there, "Firefox")
    assert send(here, action, password=PASSWORD).status_code == 303
    assert who(here) == "stranger"
    assert [come_back(browser) for browser in (here, there)] == ["stranger", ADA]


def test_ending_all_others_keeps_what_is_remembered_here(house: Site) -> None:
    """All other devices are out for good; this one is remembered as before, or as little."""
    here, there, elsewhere = enter(house, "Firefox/1", "Edg/1", "OPR/1")
    assert send(here, END_OTHERS, password=PASSWORD).status_code == 303
    assert who(here) == ADA
    assert [come_back(browser) for browser in (here, there, elsewhere)] == [
        ADA,
        "stranger",
        "stranger",
    ]
    short = house.browser()
    log_in(short)
    send(short, END_OTHERS, password=PASSWORD)
    assert who(short) == ADA
    assert [come_back(browser) for browser in (short, here)] == ["stranger", "stranger"]


def test_an_ended_login_stays_so_when_its_end_had_moved(tmp_path: Path) -> None:
    """What was ended is written down for as long as the last cookie of that device is good."""
    site = make_house(tmp_path, SESSION_BACKEND="memory")
    noted: dict[str, float] = {}

    class Ended(dict[str, float]):
        def add(self, token: str, expires: float) -> None:
            noted[token] = expires

        def __contains__(self, token: object) -> bool:
            return token in noted

    t.cast("t.Any", site.app).login_manager.ended_logins = Ended()
    site.app.config.update(
        REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True, REMEMBER_COOKIE_DURATION=timedelta(days=1)
    )
    here, there = enter(site, "Firefox/1", "Edg/1")
    # A longer time, which the next request gives the cookie.
    site.app.config["REMEMBER_COOKIE_DURATION"] = timedelta(days=9)
    assert who(there) == ADA
    cookie = there.get_cookie("remember_token")
    assert cookie is not None and cookie.expires is not None
    send(here, find_action(here, "Edge"), password=PASSWORD)
    assert [expires for expires in noted.values() if expires >= cookie.expires.timestamp() - 1]
    assert come_back(there) == "stranger"
    site.close()


def test_where_ended_logins_cannot_be_written_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The device stays out in any case: then all devices but this one are remembered no more."""
    (tmp_path / "ended").write_text("a file, where a folder is needed")
    site = make_house(tmp_path, SESSION_BACKEND="memory")
    here, there, elsewhere = enter(site, "Firefox/1", "Edg/1", "OPR/1")
    send(here, find_action(here, "Edge"), password=PASSWORD)
    assert who(elsewhere) == ADA
    assert [come_back(browser) for browser in (here, there, elsewhere)] == [
        ADA,
        "stranger",
        "stranger",
    ]
    assert "REMEMBER_COOKIE_ENDED" in caplog.text
    site.close()


def test_a_damaged_session_can_be_ended(tmp_path: Path) -> None:
    """What cannot be read is ended like any other session."""
    site = make_house(tmp_path, SESSION_BACKEND="memory")
    here, _ = enter(site, "Firefox/1", "Edg/1")
    action = find_action(here, "Edge")
    store = t.cast("t.Any", site.app.session_interface).store
    key = action.split("/")[-2]
    stored = store.load(key)
    assert store.save(stored._replace(payload="{", version=stored.version + 1), stored.version)
    assert send(here, action, password=PASSWORD).status_code == 303
    assert store.load(key) is None
    site.close()


def test_nobody_ends_the_session_of_somebody_else(house: Site) -> None:
    """The handle of a session is of no use to another user, nor is it to their own password."""
    house.add("eve@example.org")
    (there,) = enter(house, "Edg/1")
    (here,) = enter(house, "Firefox/1")
    action = find_action(here, "Edge")
    eve = house.browser()
    log_in(eve, email="eve@example.org")
    assert send(eve, action, password=PASSWORD).status_code == 303
    assert who(there) == ADA
    assert come_back(there) == ADA


def test_the_password_is_asked_for_before_sessions_are_ended(house: Site) -> None:
    """A session that was left open ends no other one: neither a fresh one, nor a remembered one."""
    here, there = enter(house, "Firefox/1", "Edg/1")
    assert come_back(here) == ADA
    for path in (find_action(here, "Edge"), END_OTHERS):
        page = send(here, path)
        assert page.status_code == 200
        assert 'type="password"' in page.text
        assert "This is needed." not in page.text
        assert send(here, path, password="").status_code == 422
        wrong = send(here, path, password="wrong")
        assert wrong.status_code == 422
        assert "The password is not right." in wrong.text
        assert who(there) == ADA
    assert send(here, END_OTHERS, password=PASSWORD).status_code == 303
    assert who(there) == "stranger"


def test_the_page_says_which_device_it_is(house: Site) -> None:
    """Before the password is typed, the device that is to be logged out is named."""
    here, _ = enter(house, "Firefox/1", "Edg/1 (Windows)")
    assert "<strong>Edge on Windows</strong>" in send(here, find_action(here, "Edge.*")).text


def test_guesses_at_the_password_are_counted(house: Site) -> None:
    """Guessing there is slowed as it is elsewhere."""
    (here,) = enter(house, "Firefox/1")
    house.app.config["ACCOUNTS_LIMITS"] = {
        "login-device": (2, 300),
        "login-pair": (2, 300),
    }
    answers = [send(here, END_OTHERS, password="wrong").status_code for _ in range(6)]
    assert answers[0] == 422
    assert answers[-1] == 429


def test_where_a_fresh_login_is_enough(house: Site) -> None:
    """By a setting, a login of this session is enough; one that was only remembered is not."""
    house.app.config["ACCOUNTS_END_SESSIONS_WITH_PASSWORD"] = False
    here, there, elsewhere = enter(house, "Firefox/1", "Edg/1", "OPR/1")
    assert send(here, find_action(here, "Edge")).status_code == 303
    assert who(there) == "stranger"
    assert come_back(here) == ADA
    assert send(here, END_OTHERS).status_code == 200
    assert who(elsewhere) == ADA
    assert send(here, END_OTHERS, password=PASSWORD).status_code == 303
    assert who(elsewhere) == "stranger"
    # The password has made it fresh.
    (back,) = enter(house, "OPR/1")
    assert send(here, find_action(here, "Opera")).status_code == 303
    assert who(back) == "stranger"


def test_users_without_a_password(house: Site) -> None:
    """Who has none, and logs in another way, needs a fresh login."""
    here, there = enter(house, "Firefox/1", "Edg/1")
    house.change(ADA, password_hash=None)
    assert come_back(here) == ADA
    answer = send(here, END_OTHERS)
    assert answer.status_code == 303
    assert answer.location == "/account/login?next=%2Faccount%2Fsessions"
    assert who(there) == ADA
    assert send(there, END_OTHERS).location == "/account/sessions"
    assert who(here) == "stranger"


def test_with_flasks_defaults_it_is_as_with_flask_login(tmp_path: Path) -> None:
    """Where no ended logins are written down, and sessions are in cookies, nothing is noted."""
    site = make_house(tmp_path, Flask, REMEMBER_COOKIE_ENDED=None)
    site.app.config["WTF_CSRF_ENABLED"] = False
    (browser,) = enter(site, "Firefox/1")
    with browser.session_transaction() as session:
        assert session["_user_id"]
        assert "_remembered" not in session
    site.close()
