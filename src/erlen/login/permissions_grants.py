"""Names of permissions, and what a role grants."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Iterator

from erlen.exceptions import ConfigError

_NAME = re.compile(r"[\w.-]+(:[\w.-]+)*")
_PATTERN = re.compile(r"([\w.-]+|\*)(:([\w.-]+|\*))*")


def check_name(permission: t.Any) -> str:
    """Return the name of a permission, if it is one.

    :param permission: the name: words with colons between them, the noun first.
    :raises ConfigError: where it is none.
    """
    if not isinstance(permission, str) or not _NAME.fullmatch(permission):
        raise ConfigError(
            f"{permission!r} is no name of a permission. A name is made of words with colons"
            " between them, such as 'book:edit'. The wildcard '*' is for what roles grant."
        )
    return permission


class Grants:
    """What a role grants: names of permissions, and patterns with ``*`` in the place of words.

    At the end ``*`` stands for one or more words, elsewhere for one. So ``book:*`` covers
    ``book:edit`` and ``book:edit:price``, and ``*:view`` covers ``book:view``.

    :param role: the name of the role, for errors.
    :param permissions: the names and the patterns.
    """

    __slots__ = ("_names", "_patterns")

    def __init__(self, role: str, permissions: Iterable[str]) -> None:
        granted = frozenset(_read_grants(role, permissions))
        self._names = frozenset(name for name in granted if "*" not in name)
        self._patterns = tuple(tuple(name.split(":")) for name in sorted(granted - self._names))

    def cover(self, permission: str) -> bool:
        """Tell whether a permission is among what is granted.

        :param permission: its name.
        """
        if permission in self._names:
            return True
        if not self._patterns:
            return False
        words = tuple(permission.split(":"))
        return any(_fits(pattern, words) for pattern in self._patterns)

    def __iter__(self) -> Iterator[str]:
        yield from sorted(self._names)
        yield from (":".join(pattern) for pattern in self._patterns)


def _read_grants(role: str, permissions: Iterable[t.Any]) -> Iterator[str]:
    if isinstance(permissions, str):
        raise ConfigError(
            f"The role {role!r} grants the text {permissions!r}. Write a set: {{{permissions!r}}}."
        )
    for name in permissions:
        if not isinstance(name, str) or not _PATTERN.fullmatch(name):
            raise ConfigError(
                f"The role {role!r} grants {name!r}, which is no name of a permission. A name is"
                " made of words with colons between them, such as 'book:edit' or 'book:*'."
            )
        yield name


def _fits(pattern: tuple[str, ...], words: tuple[str, ...]) -> bool:
    if len(words) > len(pattern) and pattern[-1] == "*":
        words = words[: len(pattern)]
    return len(words) == len(pattern) and all(
        wanted in ("*", word) for wanted, word in zip(pattern, words, strict=True)
    )
