"""New passwords: length, common ones, and words that stand near."""

from __future__ import annotations

import gzip
from importlib.resources import files

import pytest
from tests.login_passwords.samples import make_app

from erlen.login import PasswordRefused, check_new_password


def find_reason(password: str, *context: str, **config: object) -> str | None:
    """Return why a password is refused, or `None`."""
    with make_app(**config).app_context():
        try:
            check_new_password(password, context=context)
        except PasswordRefused as error:
            assert str(error)
            return error.reason
    return None


def test_list_of_common_passwords() -> None:
    """The list is long enough: ASVS asks for 3,000 of at least the least length."""
    data = files("erlen.login").joinpath("common_passwords.txt.gz").read_bytes()
    words = gzip.decompress(data).decode().splitlines()
    assert len(words) > 30_000
    assert sum(len(word) >= 8 for word in words) > 15_000
    assert words == sorted(set(words))
    notice = files("erlen.login").joinpath("common_passwords.NOTICE.txt").read_text()
    assert "Django Software Foundation" in notice
    assert "Dan Wheeler" in notice


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "PassWord1",
        "12345678",
        "qwertyuiop",
        "iloveyou1",
        "\uff50assword",
        "zzzzzzzzzzzz",
    ],
)
def test_common(password: str) -> None:
    """Passwords that many people use are refused, in any case and width."""
    assert find_reason(password) == "common"
    assert find_reason(password, PASSWORD_REFUSE_COMMON=False) is None


@pytest.mark.parametrize(
    "password",
    [
        "tiger, tiger, burning",
        "all lower case and spaces",
        "98127365401928",
        "\U0001f40d\U0001f34c\U0001f525\U0001f680\U0001f389\U0001f4a1\U0001f44d\U0001f60e",
        "пароль не для всех",
        "x" * 63 + "y",
    ],
)
def test_any_kind_of_characters(password: str) -> None:
    """There are no rules for kinds of characters, and sentences are welcome."""
    assert find_reason(password) is None


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "empty"),
        ("vKx81pq", "too short"),
        ("vKx81pqz", None),
        # Four letters, however many code points.
        ("e\u0301" * 4, "too short"),
        ("ab" * 512, None),
        ("ab" * 512 + "c", "too long"),
        ("x" * 10_000_000, "too long"),
        ("\ud800" * 10, "not text"),
    ],
)
def test_length(password: str, reason: str | None) -> None:
    """A password has 8 to 1,024 characters."""
    assert find_reason(password) == reason


def test_configured_length() -> None:
    """The configuration sets the lengths, and the message says them."""
    assert find_reason("just fourteen!", PASSWORD_MIN_LENGTH=15) == "too short"
    assert find_reason("just fourteen!", PASSWORD_MAX_LENGTH=12) == "too long"
    with (
        make_app(PASSWORD_MIN_LENGTH=15).app_context(),
        pytest.raises(ValueError, match="at least 15 characters"),
    ):
        check_new_password("just fourteen!")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("annabellesmith", "context"),
        ("Annabelle1!", "context"),
        ("1annabelle-smith!", "context"),
        ("SMITH2026smith", "context"),
        ("annabelle@example.org", "context"),
        ("annabelle likes to read", None),
        ("blacksmiths work", None),
    ],
)
def test_context(password: str, reason: str | None) -> None:
    """What somebody would try for this user must not be most of the password."""
    assert find_reason(password, "Annabelle Smith", "annabelle@example.org") == reason


def test_words_of_the_application() -> None:
    """The words in the configuration are looked for, too."""
    assert find_reason("Shelf-2026!") is None
    assert find_reason("Shelf-2026!", PASSWORD_CONTEXT_WORDS=["shelf"]) == "context"


def test_own_check() -> None:
    """A function of the application's own may refuse more."""

    def check(password: str) -> None:
        if "leaked" in password:
            raise PasswordRefused("This password was published.")

    assert find_reason("a leaked password", PASSWORD_EXTRA_CHECK=check) == "extra"
    assert find_reason("another password!", PASSWORD_EXTRA_CHECK=check) is None


def test_empty_words() -> None:
    """Users without a name, and short words, refuse nothing."""
    assert find_reason("vKx81pqzaa", "", "a", "vk") is None
