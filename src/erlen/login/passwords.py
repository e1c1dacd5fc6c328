"""Passwords: hashed with Argon2id, compared in constant time, and checked when they are chosen.

Hashes that Werkzeug, Django and bcrypt have made are compared too, and replaced at the next login.
"""

from __future__ import annotations

import base64
import os
import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from erlen.exceptions import ConfigError

from .passwords_rules import MAX_LENGTH, MIN_LENGTH, get_setting, spell
from .passwords_rules import PasswordRefused as PasswordRefused
from .passwords_rules import check_new_password as check_new_password
from .passwords_stored import (
    MAX_ARGON2_LANES,
    MAX_ARGON2_WORK,
    Argon2Hash,
    StoredHash,
    read_stored,
)
from .passwords_work import compute, room

if t.TYPE_CHECKING:
    from erlen import Flask

__all__ = [
    "PasswordCheck",
    "PasswordRefused",
    "check_new_password",
    "hash_password",
    "needs_rehash",
    "prepare_passwords",
    "verify_and_update",
    "verify_password",
]

#: KiB. This, with two passes and one lane, is OWASP's first choice (Password Storage Cheat Sheet).
MEMORY_COST = 19 * 1024
TIME_COST = 2
PARALLELISM = 1
#: Bytes that the hashes of a process take at the same time.
HASH_MEMORY = 256 * 1024 * 1024
# RFC 9106, section 3.1: 16 bytes of salt are enough for each application.
_SALT_BYTES = 16
_DIGEST_BYTES = 32

MISSING_ARGON2 = (
    "Passwords are hashed with the package argon2-cffi, which is not installed. Install it with:"
    " pip install 'erlen[login]'"
)


@dataclass(frozen=True)
class PasswordCheck:
    """What came of comparing a password: true where it is the right one.

    :param valid: whether it is the right one.
    :param new_hash: what to store from now on in the place of the stored hash, or ``None`` for no
        change.
    """

    valid: bool
    new_hash: str | None = None

    def __bool__(self) -> bool:
        return self.valid


@dataclass(frozen=True)
class HashSettings:
    """What the configuration says about hashing."""

    memory_cost: int = MEMORY_COST
    time_cost: int = TIME_COST
    parallelism: int = PARALLELISM
    memory: int = HASH_MEMORY

    def __post_init__(self) -> None:
        for problem in self._find_problems():
            raise ConfigError(problem)

    def _find_problems(self) -> Iterator[str]:
        if self.parallelism < 1 or self.parallelism > MAX_ARGON2_LANES:
            yield f"PASSWORD_ARGON2_PARALLELISM must be between 1 and {MAX_ARGON2_LANES}."
        if self.memory_cost < 8 * self.parallelism:
            yield (
                f"PASSWORD_ARGON2_MEMORY_COST is {self.memory_cost} KiB; Argon2 needs at least 8"
                " for each lane (PASSWORD_ARGON2_PARALLELISM)."
            )
        if self.time_cost < 1:
            yield "PASSWORD_ARGON2_TIME_COST must be at least 1."
        if self.memory_cost * self.time_cost > MAX_ARGON2_WORK:
            yield (
                "PASSWORD_ARGON2_MEMORY_COST times PASSWORD_ARGON2_TIME_COST is more than"
                f" {MAX_ARGON2_WORK}: a login would take seconds."
            )
        if self.memory_cost * 1024 > self.memory:
            yield (
                f"One hash takes {self.memory_cost * 1024} bytes (PASSWORD_ARGON2_MEMORY_COST)."
                f" That is more than PASSWORD_HASH_MEMORY, {self.memory}. Raise the latter."
            )

    def is_made_by(self, stored: StoredHash) -> bool:
        """Tell whether a stored hash is what these settings would make.

        :param stored: the stored hash.
        """
        return isinstance(stored, Argon2Hash) and (
            (stored.kind, stored.version) == ("id", 19)
            and stored.text.startswith("$")
            and stored.memory_cost == self.memory_cost
            and stored.time_cost == self.time_cost
            and stored.parallelism == self.parallelism
            and stored.salt_bytes >= _SALT_BYTES
            and stored.digest_bytes >= _DIGEST_BYTES
        )

    def hash(self, password: bytes) -> str:
        """Return a hash with a new salt.

        :param password: the password.
        """
        with room.take(self.memory_cost * 1024, self.memory):
            return _make_argon2(password, self)


def hash_password(password: str) -> str:
    """Return what to store for a password: a hash by Argon2id with a salt of its own.

    The costs are those of ``PASSWORD_ARGON2_MEMORY_COST``, ``PASSWORD_ARGON2_TIME_COST`` and
    ``PASSWORD_ARGON2_PARALLELISM``. On an event loop another thread computes it, and other
    requests go on. Whether the password is a good one is a matter of :func:`check_new_password`.

    :param password: the password.
    :returns: text of about 100 characters.
    :raises PasswordRefused: where it is empty, longer than ``PASSWORD_MAX_LENGTH``, or cannot be
        written in UTF-8.
    :raises RuntimeError: where argon2-cffi is not installed.

    .. code-block:: python

        user.password_hash = hash_password(form.password.data)
    """
    return compute(read_settings().hash, spell(password))


def verify_password(stored: str | None, password: str) -> bool:
    """Tell whether a password is the one that a hash was made of.

    Nothing that is stored raises an error or takes long: a damaged hash, an unknown format and a
    cost that no login should take are a wrong password.

    :param stored: what is stored; ``None`` where there is no such user. That takes the same time,
        so that it does not tell who has an account.
    :param password: the password, as it was typed.
    :raises RuntimeError: where argon2-cffi is not installed.

    .. code-block:: python

        user = find_user(form.email.data)
        if verify_password(user and user.password_hash, form.password.data):
            login_user(user)
    """
    return compute(_verify, read_settings(), stored, _spell_guess(password))


def verify_and_update(stored: str | None, password: str) -> PasswordCheck:
    """Compare a password as :func:`verify_password` does, and say what to store from now on.

    That is a new hash where the stored one was made in another way, or with other costs, than
    :func:`hash_password` does it now.

    :param stored: what is stored, or ``None``.
    :param password: the password, as it was typed.

    .. code-block:: python

        check = verify_and_update(user and user.password_hash, form.password.data)
        if check.new_hash:
            user.password_hash = check.new_hash
        if check:
            login_user(user)
    """
    return compute(_verify_and_update, read_settings(), stored, _spell_guess(password))


def needs_rehash(stored: str) -> bool:
    """Tell whether a stored hash was made in another way than :func:`hash_password` does it now.

    :param stored: what is stored.
    """
    return _needs_rehash(read_settings(), stored)


def prepare_passwords(app: Flask) -> None:
    """Check at set-up that passwords can be hashed, and let ``erlen doctor`` look at the settings.

    :param app: the application, with its configuration.
    :raises RuntimeError: where argon2-cffi is not installed.
    :raises ConfigError: for settings that cannot be right.
    """
    with app.app_context():
        read_settings()
    minimum = app.config.get("PASSWORD_MIN_LENGTH", MIN_LENGTH)
    maximum = app.config.get("PASSWORD_MAX_LENGTH", MAX_LENGTH)
    if not 1 <= minimum <= maximum:
        raise ConfigError(
            f"PASSWORD_MIN_LENGTH is {minimum!r} and PASSWORD_MAX_LENGTH {maximum!r}: no password"
            " can have that many characters."
        )
    app.extensions["passwords"] = PasswordDoctor()


class PasswordDoctor:
    """Finds the settings for passwords that are weaker than they should be."""

    def find_gaps(self, app: Flask) -> Iterator[str]:
        """Yield a sentence for each gap: what is wrong, and the remedy.

        :param app: the application.
        """
        config: Mapping[str, t.Any] = app.config
        if config.get("PASSWORD_MIN_LENGTH", MIN_LENGTH) < MIN_LENGTH:
            yield (
                f"PASSWORD_MIN_LENGTH is less than {MIN_LENGTH}: passwords can be guessed. Set it"
                " to 8, or to 15 where there is no second factor."
            )
        if config.get("PASSWORD_MAX_LENGTH", MAX_LENGTH) < 64:
            yield (
                "PASSWORD_MAX_LENGTH is less than 64: sentences, which are easy to remember, are"
                " refused. Take it out."
            )
        if not config.get("PASSWORD_REFUSE_COMMON", True):
            yield (
                "PASSWORD_REFUSE_COMMON is off: people may use passwords that are tried first. Take"
                " it out."
            )
        memory = config.get("PASSWORD_ARGON2_MEMORY_COST", MEMORY_COST)
        passes = config.get("PASSWORD_ARGON2_TIME_COST", TIME_COST)
        if not is_strong(memory, passes):
            yield (
                f"PASSWORD_ARGON2_MEMORY_COST is {memory} KiB, PASSWORD_ARGON2_TIME_COST {passes}:"
                " stolen hashes are cheap to guess. Take both out."
            )


#: Passes, and the KiB of memory that OWASP wants with so many.
_OWASP_CHOICES = ((1, 46 * 1024), (2, 19 * 1024), (3, 12 * 1024), (4, 9 * 1024), (5, 7 * 1024))


def is_strong(memory_cost: int, time_cost: int) -> bool:
    """Tell whether the costs of Argon2id are at least one of OWASP's choices.

    :param memory_cost: KiB of memory.
    :param time_cost: passes over it.
    """
    return any(time_cost >= passes and memory_cost >= memory for passes, memory in _OWASP_CHOICES)


def read_settings() -> HashSettings:
    """Return what the current application's configuration says about hashing.

    :raises RuntimeError: where argon2-cffi is not installed.
    :raises ConfigError: for settings that cannot be right.
    """
    _require_argon2()
    return _make_settings(
        get_setting("PASSWORD_ARGON2_MEMORY_COST", MEMORY_COST),
        get_setting("PASSWORD_ARGON2_TIME_COST", TIME_COST),
        get_setting("PASSWORD_ARGON2_PARALLELISM", PARALLELISM),
        get_setting("PASSWORD_HASH_MEMORY", HASH_MEMORY),
    )


@lru_cache(maxsize=16)
def _make_settings(*values: int) -> HashSettings:
    return HashSettings(*values)


def _require_argon2() -> None:
    try:
        import argon2 as argon2
    except ImportError:
        raise RuntimeError(MISSING_ARGON2) from None


def _make_argon2(password: bytes, settings: HashSettings) -> str:
    from argon2 import low_level

    return low_level.hash_secret(
        password,
        os.urandom(_SALT_BYTES),
        time_cost=settings.time_cost,
        memory_cost=settings.memory_cost,
        parallelism=settings.parallelism,
        hash_len=_DIGEST_BYTES,
        type=low_level.Type.ID,
    ).decode()


@lru_cache(maxsize=16)
def _make_dummy(settings: HashSettings) -> StoredHash:
    """Return a hash that stands for users who are not there, and that no password matches."""
    salt, digest = (
        base64.b64encode(os.urandom(size)).decode().rstrip("=")
        for size in (_SALT_BYTES, _DIGEST_BYTES)
    )
    costs = f"m={settings.memory_cost},t={settings.time_cost},p={settings.parallelism}"
    dummy = read_stored(f"$argon2id$v=19${costs}${salt}${digest}", settings.memory)
    assert dummy is not None
    return dummy


def _spell_guess(password: str) -> tuple[bytes, ...]:
    """Return what a password may have been hashed as: normalized here, as it is elsewhere."""
    try:
        spelled = spell(password)
    except PasswordRefused:
        return ()
    as_typed = password.encode()
    return (spelled,) if spelled == as_typed else (spelled, as_typed)


def _verify(settings: HashSettings, stored: str | None, guesses: tuple[bytes, ...]) -> bool:
    found = None if stored is None else read_stored(stored, settings.memory)
    if found is None or not guesses:
        _match_any(settings, _make_dummy(settings), guesses or (b"-",))
        return False
    return _match_any(settings, found, guesses)


def _match_any(settings: HashSettings, found: StoredHash, guesses: tuple[bytes, ...]) -> bool:
    with room.take(found.memory, settings.memory):
        # Each is compared, whatever comes of the others: the time must not tell.
        results = [found.matches(guess) for guess in guesses]
    return any(results)


def _needs_rehash(settings: HashSettings, stored: str) -> bool:
    found = read_stored(stored, settings.memory)
    return found is None or not settings.is_made_by(found)


def _verify_and_update(
    settings: HashSettings, stored: str | None, guesses: tuple[bytes, ...]
) -> PasswordCheck:
    if not _verify(settings, stored, guesses):
        return PasswordCheck(valid=False)
    assert stored is not None
    if not _needs_rehash(settings, stored):
        return PasswordCheck(valid=True)
    return PasswordCheck(valid=True, new_hash=settings.hash(guesses[0]))
