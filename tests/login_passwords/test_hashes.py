"""Passwords are hashed with Argon2id, and hashes of others are verified and replaced."""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t

import bcrypt
import pytest
from tests.login_passwords.samples import (
    DJANGO,
    FAST,
    FOREIGN,
    PASSWORD,
    make_app,
    make_login_app,
)

from erlen import Erlen
from erlen.exceptions import ConfigError
from erlen.login import (
    PasswordRefused,
    check_new_password,
    hash_password,
    needs_rehash,
    prepare_passwords,
    verify_and_update,
    verify_password,
)


@pytest.fixture(autouse=True)
def _fast(request: pytest.FixtureRequest) -> t.Iterator[None]:
    """Make hashes cheap, except where a test wants the defaults."""
    if "default_costs" in request.node.name:
        yield
        return
    with make_app().app_context():
        yield


def test_default_costs() -> None:
    """The costs are OWASP's first choice for Argon2id: 19 MiB, two passes, one lane."""
    stored = hash_password(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password(stored, PASSWORD)
    assert not needs_rehash(stored)


def test_salt() -> None:
    """The same password gives another hash each time."""
    assert hash_password(PASSWORD) != hash_password(PASSWORD)


def test_configured_costs() -> None:
    """The configuration sets the costs, and hashes with others are to be replaced."""
    before = hash_password(PASSWORD)
    with make_app(PASSWORD_ARGON2_MEMORY_COST=128, PASSWORD_ARGON2_PARALLELISM=2).app_context():
        stored = hash_password(PASSWORD)
        assert "$m=128,t=1,p=2$" in stored
        assert needs_rehash(before)
        assert verify_password(before, PASSWORD)
        assert not needs_rehash(stored)


@pytest.mark.parametrize(
    "guess", ["", "Crème brûlée 42", "crème brûlée 42 ", "crème", PASSWORD * 100, "\ud800", "\0"]
)
def test_wrong_password(guess: str) -> None:
    """What is not the password is refused, whatever it is."""
    assert verify_password(hash_password(PASSWORD), guess) is False


@pytest.mark.parametrize("value", [None, 5, 0, True, [], [PASSWORD], {"a": 1}, PASSWORD.encode()])
def test_value_of_json(value: t.Any) -> None:
    """What JSON may have in the place of a password is a wrong one, and no error."""
    assert verify_password(hash_password(PASSWORD), value) is False
    assert not verify_and_update(None, value)
    for function in (hash_password, check_new_password):
        with pytest.raises(PasswordRefused) as caught:
            function(value)
        assert caught.value.reason == ("empty" if value is None else "not text")


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_hash(kind: str) -> None:
    """A hash that Werkzeug, Django or bcrypt made is verified, and replaced at the login."""
    stored = {"ann": FOREIGN[kind]}
    client = make_login_app(stored).test_client()
    assert client.post("/login", data={"name": "ann", "password": "wrong"}).status_code == 401
    assert stored["ann"] == FOREIGN[kind]
    assert client.post("/login", data={"name": "ann", "password": PASSWORD}).status_code == 200
    assert stored["ann"].startswith("$argon2id$")
    upgraded = stored["ann"]
    assert client.post("/login", data={"name": "ann", "password": PASSWORD}).status_code == 200
    assert stored["ann"] == upgraded


@pytest.mark.parametrize("kind", ["id", "i", "d"])
def test_kinds_of_argon2(kind: str) -> None:
    """All kinds of Argon2 are verified; those other than Argon2id are replaced."""
    from argon2 import Type, low_level

    stored = low_level.hash_secret(
        PASSWORD.encode(), b"salt" * 4, 1, 64, 1, 32, Type[kind.upper()]
    ).decode()
    check = verify_and_update(stored, PASSWORD)
    assert check.valid
    assert (check.new_hash is None) == (kind == "id")


def test_long_password_by_bcrypt() -> None:
    """bcrypt knows only the first 72 bytes; what it made of a longer password is still verified."""
    password = "long " * 30
    stored = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    check = verify_and_update(stored, password)
    assert check
    assert check.new_hash
    # From then on all of it counts.
    assert not verify_password(check.new_hash, password + "and more")


def test_decomposed_letters() -> None:
    """The same letters are the same password, however the keyboard composes them."""
    stored = hash_password("re\u0301sume\u0301 2026")
    assert verify_password(stored, "r\u00e9sum\u00e9 2026")
    composed = bcrypt.hashpw("re\u0301sume\u0301".encode(), bcrypt.gensalt(4)).decode()
    assert verify_password(composed, "re\u0301sume\u0301")


def test_nothing_is_cut_off() -> None:
    """Each character counts, up to the last of the longest password."""
    password = "x" * 1023
    stored = hash_password(password + "a")
    assert verify_password(stored, password + "a")
    assert not verify_password(stored, password + "b")
    assert not verify_password(stored, password)


@pytest.mark.parametrize(
    ("password", "reason"), [("", "empty"), ("x" * 1025, "too long"), ("\udcff" * 9, "not text")]
)
def test_what_cannot_be_hashed(password: str, reason: str) -> None:
    """An empty or a huge password, or one that is no text, is refused before it is hashed."""
    with pytest.raises(PasswordRefused) as caught:
        hash_password(password)
    assert caught.value.reason == reason


def test_outcome_is_its_truth() -> None:
    """The outcome of a failed check is false, so that `if` does what it says."""
    assert not verify_and_update(DJANGO["argon2"], "wrong")
    assert verify_and_update(DJANGO["argon2"], "wrong").new_hash is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PASSWORD_ARGON2_MEMORY_COST", 7),
        ("PASSWORD_ARGON2_MEMORY_COST", 10**9),
        ("PASSWORD_ARGON2_TIME_COST", 0),
        ("PASSWORD_ARGON2_PARALLELISM", 0),
        ("PASSWORD_HASH_MEMORY", 1000),
        ("PASSWORD_MIN_LENGTH", 2000),
    ],
)
def test_wrong_settings(key: str, value: int) -> None:
    """Settings that cannot be right are an error at set-up, which names the key."""
    with pytest.raises(ConfigError, match=key):
        prepare_passwords(make_app(**{key: value}))


def test_doctor() -> None:
    """`erlen doctor` names settings that are weaker than OWASP's, and none of the defaults."""
    from erlen.cli.doctor import find_gaps

    def find(**config: t.Any) -> str:
        app = Erlen(__name__)
        app.config.update(config)
        prepare_passwords(app)
        return "\n".join(line for line in find_gaps(app) if line.startswith("PASSWORD_"))

    assert find() == ""
    # Another of OWASP's choices.
    assert find(PASSWORD_ARGON2_MEMORY_COST=9216, PASSWORD_ARGON2_TIME_COST=4) == ""
    assert "stolen hashes" in find(**FAST)
    weak = find(PASSWORD_MIN_LENGTH=4, PASSWORD_MAX_LENGTH=20, PASSWORD_REFUSE_COMMON=False)
    assert re.findall(r"^PASSWORD_\w+", weak, re.MULTILINE) == [
        "PASSWORD_MIN_LENGTH",
        "PASSWORD_MAX_LENGTH",
        "PASSWORD_REFUSE_COMMON",
    ]


WITHOUT_PACKAGES = """
import sys
sys.modules["argon2"] = sys.modules["bcrypt"] = None
from erlen import Erlen
from erlen.login import LoginManager, prepare_passwords, verify_password
app = Erlen("app")
LoginManager(app)
try:
    prepare_passwords(app)
except RuntimeError as error:
    print(error)
del sys.modules["argon2"]
print(verify_password("$2b$04$hjwydVgnQq2CEPcIgBlX4.0iim3Gf5Q3/AXFWclz7gWIOXmeckoCm", "x"))
"""


def test_without_packages() -> None:
    """Without argon2-cffi set-up says what to install; without bcrypt its hashes do not fit."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGES], capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert "pip install 'erlen[login]'" in first
    assert second == "False"
    assert "hash by bcrypt, and the package is not installed" in done.stderr
