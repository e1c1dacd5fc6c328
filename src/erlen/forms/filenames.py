"""Names of uploaded files: which are refused, and how the others are made safe."""

from __future__ import annotations

import re
import secrets
import unicodedata

from .filetypes import ACTIVE_ENDINGS

_MAX_LENGTH = 120
# Names that Windows takes for devices, with any ending (Microsoft, "Naming Files").
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}
)
_FORBIDDEN = re.compile(r'[\\/:*?"<>|]')
_SPACES = re.compile(r"\s+")
# Random names: 128 bits, as many as a UUID has, in hexadecimal.
_KEY_BYTES = 16
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}")


def is_suspicious(name: str) -> bool:
    """Return whether no browser gives a file such a name: with control characters or a path.

    :param name: the name as it was sent.
    """
    return (
        name in {".", ".."}
        or "/" in name
        or "\\" in name
        or any(unicodedata.category(character) in {"Cc", "Cs"} for character in name)
    )


def read_ending(name: str) -> str:
    """Return what a name ends in after its last dot, in lower case; empty where it has none.

    :param name: the name.

    >>> read_ending("Photo.JPG")
    'jpg'
    """
    return name.rstrip(". ").rpartition(".")[2].lower() if "." in name.rstrip(". ") else ""


def has_active_ending(name: str) -> bool:
    """Return whether one of the endings before the last is that of a program or a page.

    :param name: the name.

    >>> has_active_ending("photo.php.jpg"), has_active_ending("report.final.pdf")
    (True, False)
    """
    parts = name.lower().split(".")[1:-1]
    return any(part.strip() in ACTIVE_ENDINGS for part in parts)


def safe_name(name: str) -> str:
    """Return a name that can be shown, stored and sent, as like to the given one as can be.

    It is one part without a path, has no control characters and none that change the direction of
    text, no leading dots, no trailing dots and spaces, is no name of a device, and has at most 120
    characters, the ending kept.

    :param name: the name as it was sent.

    >>> safe_name("../../etc/passwd"), safe_name("CON.txt"), safe_name("  né e.pdf ")
    ('passwd', '_CON.txt', 'né e.pdf')
    """
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    name = "".join(character for character in name if unicodedata.category(character)[0] != "C")
    name = _FORBIDDEN.sub("_", _SPACES.sub(" ", name)).strip(". ")
    if name.partition(".")[0].strip().lower() in _DEVICES:
        name = f"_{name}"
    if len(name) > _MAX_LENGTH:
        stem, dot, ending = name.rpartition(".")
        if not dot or len(ending) > 10:
            stem, dot, ending = name, "", ""
        name = stem[: _MAX_LENGTH - len(dot + ending)].rstrip(". ") + dot + ending
    return name or "file"


def make_key(extension: str = "") -> str:
    """Return a random name for a stored file.

    :param extension: what it shall end in, without the dot.
    """
    key = secrets.token_hex(_KEY_BYTES)
    return f"{key}.{extension}" if extension else key


def check_key(name: str) -> str:
    """Return the name of a stored file, if it is one that every storage can hold.

    :param name: the name: letters, digits, dots, dashes and underscores, no dot in front.
    :raises ValueError: for any other.
    """
    if not _KEY.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be the name of a stored file. Use letters, digits, '.', '-' and '_',"
            " without a dot in front; make_key() makes one."
        )
    return name
