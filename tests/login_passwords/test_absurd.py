"""What is stored may be damaged or made up: that is a failed login, and quick."""

from __future__ import annotations

import base64
import time
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.login_passwords.samples import FOREIGN, PASSWORD, make_app, make_login_app

from erlen.login import hash_password, needs_rehash, verify_and_update, verify_password

DIGEST = base64.b64encode(bytes(32)).decode().rstrip("=")
SALT = base64.b64encode(bytes(16)).decode().rstrip("=")

ABSURD = {
    "nothing": "",
    "unusable": "!",
    "plain text": PASSWORD,
    "not text": "$argon2id$v=19$m=64,t=1,p=1$\u0661\u0662$\u0663",
    "lone surrogate": "\ud800",
    "NUL": "$argon2id$\0",
    "new line": f"$argon2id$v=19$m=64,t=1,p=1${SALT}${DIGEST}\n",
    "huge text": "$argon2id$" + "x" * 10_000_000,
    "terabytes": f"$argon2id$v=19$m=4294967295,t=1,p=1${SALT}${DIGEST}",
    "more than there is room for": f"$argon2id$v=19$m=1000000,t=1,p=1${SALT}${DIGEST}",
    "passes without end": f"$argon2id$v=19$m=8,t=4294967295,p=1${SALT}${DIGEST}",
    "thousands of threads": f"$argon2id$v=19$m=200000,t=1,p=20000${SALT}${DIGEST}",
    "no memory": f"$argon2id$v=19$m=0,t=1,p=1${SALT}${DIGEST}",
    "negative memory": f"$argon2id$v=19$m=-64,t=1,p=1${SALT}${DIGEST}",
    "no lanes": f"$argon2id$v=19$m=64,t=1,p=0${SALT}${DIGEST}",
    "unknown version": f"$argon2id$v=99$m=64,t=1,p=1${SALT}${DIGEST}",
    "unknown kind": f"$argon2x$v=19$m=64,t=1,p=1${SALT}${DIGEST}",
    "no digest": f"$argon2id$v=19$m=64,t=1,p=1${SALT}$",
    "short digest": f"$argon2id$v=19$m=64,t=1,p=1${SALT}$AAAA",
    "no salt": f"$argon2id$v=19$m=64,t=1,p=1$${DIGEST}",
    "broken base64": f"$argon2id$v=19$m=64,t=1,p=1${SALT}$A{DIGEST}",
    "bcrypt for years": "$2b$31$" + "a" * 53,
    "bcrypt with a broken salt": "$2b$04$" + "a" * 53,
    "bcrypt below its least": "$2b$00$" + "a" * 53,
    "bcrypt that is cut": "$2b$04$" + "a" * 52,
    "bcrypt of no version": "$2z$04$" + "a" * 53,
    "pbkdf2 for years": "pbkdf2:sha256:1000000000$salt$" + "ab" * 32,
    "pbkdf2 with no rounds": "pbkdf2:sha256:0$salt$" + "ab" * 32,
    "pbkdf2 with fewer": "pbkdf2:sha256:-5$salt$" + "ab" * 32,
    "pbkdf2 without digest": "pbkdf2:sha256:1$salt$",
    "pbkdf2 with a short digest": "pbkdf2:sha256:1$salt$ab",
    "pbkdf2 with an odd digest": "pbkdf2:sha256:1$salt$" + "a" * 63,
    "pbkdf2 with another hash": "pbkdf2:shake_256:1$salt$" + "ab" * 32,
    "pbkdf2 with no hash": "pbkdf2:nothing:1$salt$" + "ab" * 32,
    "Django's pbkdf2 for years": "pbkdf2_sha256$999999999$salt$" + DIGEST + "=",
    "Django's pbkdf2, broken": "pbkdf2_sha256$1$salt$A" + DIGEST,
    "scrypt with all memory": "scrypt:1073741824:8:1$salt$" + "ab" * 64,
    "scrypt with no power of two": "scrypt:1000:8:1$salt$" + "ab" * 64,
    "scrypt of one": "scrypt:1:8:1$salt$" + "ab" * 64,
    "scrypt for years": "scrypt:2:1:999999$salt$" + "ab" * 64,
    "scrypt without digest": "scrypt:16:8:1$salt$",
    "scrypt with a short digest": "scrypt:16:8:1$salt$ab",
    "Django's scrypt for years": "scrypt$1073741824$salt$8$1$" + DIGEST + "=",
    "MD5": "md5$salt$" + "ab" * 16,
    "crypt": "$6$salt$" + "a" * 86,
    "shadow": "*",
}


@pytest.mark.parametrize("kind", ABSURD)
def test_absurd_hash(kind: str) -> None:
    """A stored hash that is none, or asks for too much, is a failed login within seconds."""
    stored = {"ann": ABSURD[kind]}
    client = make_login_app(stored).test_client()
    begin = time.process_time()
    for password in ("", PASSWORD):
        answer = client.post("/login", data={"name": "ann", "password": password})
        assert answer.status_code == 401
    # Two logins that hang would take minutes to years.
    assert time.process_time() - begin < 20
    assert stored == {"ann": ABSURD[kind]}


@pytest.mark.parametrize("stored", [b"$argon2id$", 5, ["x"], object()])
def test_no_text(stored: t.Any) -> None:
    """What is no text at all, from a column of another type, is a failed login too."""
    with make_app().app_context():
        assert verify_password(stored, PASSWORD) is False


GOOD = (*FOREIGN.values(), f"$argon2id$v=19$m=64,t=1,p=1${SALT}${DIGEST}")


@given(
    stored=st.one_of(
        st.text(),
        st.builds(
            lambda start, cut, rest: start[:cut] + rest,
            st.sampled_from(GOOD),
            st.integers(0, 60),
            st.text("0123456789$,=:abcmtpv/+AZ", max_size=30),
        ),
        st.builds(
            lambda start, at, new: start[:at] + new + start[at + 1 :],
            st.sampled_from(GOOD),
            st.integers(0, 100),
            st.sampled_from("0123456789$,=:az/+-\0\u0661"),
        ),
    ),
    password=st.text(max_size=50),
)
@settings(deadline=None, max_examples=200)
def test_damaged_hash(stored: str, password: str) -> None:
    """No damage to a stored hash raises an error, or lets somebody in."""
    with make_app(PASSWORD_HASH_MEMORY=1024 * 1024).app_context():
        assert verify_password(stored, password) in (False, password == PASSWORD)
        assert needs_rehash(stored) in (True, False)


@given(password=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
@settings(deadline=None, max_examples=100)
def test_any_password(password: str) -> None:
    """Each text is a password that is verified, and that the same with an addition is not."""
    with make_app().app_context():
        stored = hash_password(password)
        assert stored.isascii()
        assert verify_and_update(stored, password).new_hash is None
        assert verify_password(stored, password)
        assert not verify_password(stored, password + "!")
