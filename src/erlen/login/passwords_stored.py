"""Stored hashes of passwords: what they say, whether they can be believed, and how they compare.

What a stored hash asks for comes from a database, and may be damaged or made up: a cost that no
login should take, or a hash that a guess would meet by chance, is not read at all.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import re
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

logger = logging.getLogger("erlen.login.passwords")

#: No format needs more characters.
MAX_STORED_LENGTH = 512
#: Shorter results are met by chance.
MIN_DIGEST_BYTES = 16
#: Rounds of PBKDF2. OWASP asks for 600,000 (SHA-256), Django 6.1 uses twice that.
MAX_PBKDF2_ROUNDS = 5_000_000
#: The product of scrypt's N, r and p. OWASP's first choice is 2**20; one takes seconds from 2**23.
MAX_SCRYPT_WORK = 2**22
#: Django uses 5.
MAX_SCRYPT_LANES = 64
#: The product of Argon2's memory in KiB and its passes. RFC 9106's first choice is 2**21.
MAX_ARGON2_WORK = 2**21
#: Each lane of Argon2 is a thread.
MAX_ARGON2_LANES = 64
#: bcrypt doubles its work with each step; 12 is usual, 15 takes seconds.
MAX_BCRYPT_COST = 15
#: bcrypt reads no further; the package raises an error where there is more.
BCRYPT_BYTES = 72

_PBKDF2_HASHES = frozenset({"sha1", "sha224", "sha256", "sha384", "sha512"})

_ARGON2 = re.compile(
    r"\$argon2(?P<kind>id|i|d)(?:\$v=(?P<version>16|19))?"
    r"\$m=(?P<memory>[1-9][0-9]{0,9}),t=(?P<passes>[1-9][0-9]{0,9}),p=(?P<lanes>[1-9][0-9]{0,7})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,128})\$(?P<digest>[A-Za-z0-9+/]{22,172})"
)
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53}")
_WERKZEUG_SCRYPT = re.compile(
    r"scrypt:(?P<n>[1-9][0-9]{0,9}):(?P<r>[1-9][0-9]{0,5}):(?P<p>[1-9][0-9]{0,5})"
    r"\$(?P<salt>[^$]+)\$(?P<digest>[0-9a-f]+)"
)
_WERKZEUG_PBKDF2 = re.compile(
    r"pbkdf2:(?P<hash>[a-z0-9]+):(?P<rounds>[1-9][0-9]{0,9})\$(?P<salt>[^$]+)\$(?P<digest>[0-9a-f]+)"
)
_DJANGO_SCRYPT = re.compile(
    r"scrypt\$(?P<n>[1-9][0-9]{0,9})\$(?P<salt>[^$]+)\$(?P<r>[1-9][0-9]{0,5})"
    r"\$(?P<p>[1-9][0-9]{0,5})\$(?P<digest>[A-Za-z0-9+/]+={0,2})"
)
_DJANGO_PBKDF2 = re.compile(
    r"pbkdf2_(?P<hash>sha1|sha256)\$(?P<rounds>[1-9][0-9]{0,9})"
    r"\$(?P<salt>[^$]+)\$(?P<digest>[A-Za-z0-9+/]+={0,2})"
)


class StoredHash(t.Protocol):
    """A stored hash that was read."""

    @property
    def memory(self) -> int:
        """How many bytes it takes to compare a password to it."""
        ...

    def matches(self, password: bytes) -> bool:
        """Compare a password to it.

        :param password: the password.
        """
        ...


@dataclass(frozen=True)
class Argon2Hash:
    """A hash by Argon2 (RFC 9106), in the form that its reference implementation gives it."""

    text: str
    kind: str
    version: int
    memory_cost: int
    time_cost: int
    parallelism: int
    salt_bytes: int
    digest_bytes: int

    @property
    def memory(self) -> int:
        """How many bytes it takes to compare a password to it."""
        return self.memory_cost * 1024

    def matches(self, password: bytes) -> bool:
        """Compare a password to it.

        :param password: the password.
        """
        from argon2 import low_level
        from argon2.exceptions import Argon2Error

        kinds = {"id": low_level.Type.ID, "i": low_level.Type.I, "d": low_level.Type.D}
        try:
            return low_level.verify_secret(self.text.encode(), password, kinds[self.kind])
        except Argon2Error:
            return False


@dataclass(frozen=True)
class BcryptHash:
    """A hash by bcrypt, plain or with Django's SHA-256 before it."""

    text: str
    prepare: Callable[[bytes], bytes]
    memory: int = 4096

    def matches(self, password: bytes) -> bool:
        """Compare a password to it.

        :param password: the password.
        """
        import bcrypt

        try:
            return bcrypt.checkpw(self.prepare(password), self.text.encode())
        except ValueError:
            # A salt that only looks like one; in older releases also NUL in a password.
            return False


@dataclass(frozen=True)
class DerivedKey:
    """A hash by PBKDF2 or scrypt, which the standard library computes."""

    derive: Callable[[bytes], bytes]
    digest: bytes
    memory: int

    def matches(self, password: bytes) -> bool:
        """Compare a password to it.

        :param password: the password.
        """
        return hmac.compare_digest(self.derive(password), self.digest)


def read_stored(stored: object, max_memory: int) -> StoredHash | None:
    """Read a stored hash.

    :param stored: what is stored for a user, whatever it is.
    :param max_memory: how many bytes it may take to compare a password to it.
    :returns: ``None`` where that is no hash that is known here, or one that asks for too much.
    """
    if not isinstance(stored, str) or len(stored) > MAX_STORED_LENGTH or not stored.isascii():
        return None
    for beginning, read in _READERS.items():
        if stored.startswith(beginning):
            found = read(stored)
            return None if found is None or found.memory > max_memory else found
    return None


def _read_argon2(stored: str) -> Argon2Hash | None:
    match = _ARGON2.fullmatch(stored)
    if match is None:
        return None
    memory, passes, lanes = (int(match[name]) for name in ("memory", "passes", "lanes"))
    if memory * passes > MAX_ARGON2_WORK or lanes > MAX_ARGON2_LANES or memory < 8 * lanes:
        return None
    return Argon2Hash(
        text=stored,
        kind=match["kind"],
        # The first version did not say so.
        version=int(match["version"] or "16"),
        memory_cost=memory,
        time_cost=passes,
        parallelism=lanes,
        salt_bytes=len(match["salt"]) * 3 // 4,
        digest_bytes=len(match["digest"]) * 3 // 4,
    )


def _read_django_argon2(stored: str) -> Argon2Hash | None:
    return _read_argon2(stored.removeprefix("argon2"))


def _read_bcrypt(stored: str) -> BcryptHash | None:
    return _make_bcrypt(stored, lambda password: password[:BCRYPT_BYTES])


def _read_django_bcrypt(stored: str) -> BcryptHash | None:
    return _read_bcrypt(stored.removeprefix("bcrypt$"))


def _read_django_bcrypt_sha256(stored: str) -> BcryptHash | None:
    return _make_bcrypt(
        stored.removeprefix("bcrypt_sha256$"),
        lambda password: binascii.hexlify(hashlib.sha256(password).digest()),
    )


def _make_bcrypt(text: str, prepare: Callable[[bytes], bytes]) -> BcryptHash | None:
    match = _BCRYPT.fullmatch(text)
    if match is None or not 4 <= int(match["cost"]) <= MAX_BCRYPT_COST:
        return None
    if not _has_bcrypt():
        logger.warning(
            "A password is stored as a hash by bcrypt, and the package is not installed: the login"
            " fails. Install it with: pip install 'erlen[login]'"
        )
        return None
    return BcryptHash(text, prepare)


def _has_bcrypt() -> bool:
    try:
        import bcrypt as bcrypt
    except ImportError:
        return False
    return True


def _read_werkzeug_scrypt(stored: str) -> DerivedKey | None:
    match = _WERKZEUG_SCRYPT.fullmatch(stored)
    return None if match is None else _make_scrypt(match, _read_hex(match["digest"]))


def _read_django_scrypt(stored: str) -> DerivedKey | None:
    match = _DJANGO_SCRYPT.fullmatch(stored)
    return None if match is None else _make_scrypt(match, _read_base64(match["digest"]))


def _make_scrypt(match: re.Match[str], digest: bytes) -> DerivedKey | None:
    n, r, p = int(match["n"]), int(match["r"]), int(match["p"])
    # RFC 7914, section 6: N is a power of two.
    is_sound = n > 1 and not n & (n - 1) and len(digest) >= MIN_DIGEST_BYTES
    if not is_sound or n * r * p > MAX_SCRYPT_WORK or p > MAX_SCRYPT_LANES:
        return None
    salt = match["salt"].encode()
    memory = 128 * r * (n + p + 2)

    def derive(password: bytes) -> bytes:
        return hashlib.scrypt(
            password, salt=salt, n=n, r=r, p=p, maxmem=memory + 1024, dklen=len(digest)
        )

    return DerivedKey(derive, digest, memory)


def _read_werkzeug_pbkdf2(stored: str) -> DerivedKey | None:
    match = _WERKZEUG_PBKDF2.fullmatch(stored)
    return None if match is None else _make_pbkdf2(match, _read_hex(match["digest"]))


def _read_django_pbkdf2(stored: str) -> DerivedKey | None:
    match = _DJANGO_PBKDF2.fullmatch(stored)
    return None if match is None else _make_pbkdf2(match, _read_base64(match["digest"]))


def _make_pbkdf2(match: re.Match[str], digest: bytes) -> DerivedKey | None:
    name, rounds = match["hash"], int(match["rounds"])
    if name not in _PBKDF2_HASHES or rounds > MAX_PBKDF2_ROUNDS:
        return None
    if len(digest) != hashlib.new(name, usedforsecurity=False).digest_size:
        return None
    salt = match["salt"].encode()

    def derive(password: bytes) -> bytes:
        return hashlib.pbkdf2_hmac(name, password, salt, rounds)

    return DerivedKey(derive, digest, memory=4096)


def _read_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _read_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


#: By what the formats begin with, the longer beginnings first.
_READERS: Mapping[str, Callable[[str], StoredHash | None]] = {
    "$argon2": _read_argon2,
    "argon2$argon2": _read_django_argon2,
    "$2": _read_bcrypt,
    "bcrypt_sha256$$2": _read_django_bcrypt_sha256,
    "bcrypt$$2": _read_django_bcrypt,
    "scrypt:": _read_werkzeug_scrypt,
    "scrypt$": _read_django_scrypt,
    "pbkdf2:": _read_werkzeug_pbkdf2,
    "pbkdf2_": _read_django_pbkdf2,
}
