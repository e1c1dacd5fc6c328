"""Reading the values of settings, from text or from TOML, with messages that name the remedy."""

from __future__ import annotations

import ipaddress
import os
import re
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Callable

T = t.TypeVar("T")
_SIZE = re.compile(r"([0-9]+)\s*([kmg]?)(?:i?b)?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)?", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


def optional(read: Callable[[t.Any], T]) -> Callable[[t.Any], T | None]:
    """Return a reader for which an empty text is no value.

    :param read: reads any other.
    """

    def read_optional(value: t.Any) -> T | None:
        return None if value == "" else read(value)

    return read_optional


def whole(least: int, most: int | None = None) -> Callable[[t.Any], int]:
    """Return a reader of whole numbers.

    :param least: the smallest.
    :param most: the largest; ``None`` for no bound.
    """
    wanted = f"Give a whole number of at least {least}"
    wanted += "." if most is None else f" and at most {most}."

    def read(value: t.Any) -> int:
        text = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise ValueError(f"{value!r} is not a whole number. {wanted}")
        number = int(text)
        if number < least or (most is not None and number > most):
            raise ValueError(f"{number} is out of bounds. {wanted}")
        return number

    return read


def workers(value: t.Any) -> int:
    """Return a number of processes; ``auto`` is one for each core that this process may use."""
    if str(value).strip().lower() == "auto":
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
    return whole(1, 1024)(value)


def choice(*names: str) -> Callable[[t.Any], str]:
    """Return a reader of one of some names."""

    def read(value: t.Any) -> str:
        text = str(value).strip().lower()
        if text not in names:
            *others, last = names
            raise ValueError(f"{value!r} is not known. Use {', '.join(others)} or {last}.")
        return text

    return read


def switch(value: t.Any) -> bool:
    """Return a yes or no."""
    text = str(value).strip().lower()
    if text not in _YES | _NO:
        raise ValueError(f"{value!r} is neither yes nor no. Use true or false.")
    return text in _YES


def size(value: t.Any) -> int:
    """Return a number of bytes; ``K``, ``M`` and ``G`` may follow it."""
    return size_from(1)(value)


def size_from(least: int) -> Callable[[t.Any], int]:
    """Return a reader of numbers of bytes.

    :param least: the smallest.
    """

    def read(value: t.Any) -> int:
        match = _SIZE.fullmatch(str(value).strip())
        if match is None or isinstance(value, bool):
            raise ValueError(f"{value!r} is no number of bytes. Give one such as 65536, 64K or 1G.")
        number = int(match[1]) * _FACTORS[match[2].lower()]
        if number < least:
            raise ValueError(f"{value!r} is too small. Give at least {least}.")
        return number

    return read


def seconds(least: float, most: float | None = None) -> Callable[[t.Any], float]:
    """Return a reader of times; ``ms``, ``s``, ``m``, ``h`` and ``d`` may follow the number.

    :param least: the shortest, in seconds.
    :param most: the longest; ``None`` for no bound.
    """

    def read(value: t.Any) -> float:
        match = _TIME.fullmatch(str(value).strip())
        if match is None or isinstance(value, bool):
            raise ValueError(f"{value!r} is no time. Give seconds, or a time such as 500ms or 2h.")
        number = float(match[1]) * _UNITS[(match[2] or "s").lower()]
        if number < least or (most is not None and number > most):
            bounds = f"at least {least:g}" + ("" if most is None else f" and at most {most:g}")
            raise ValueError(f"{value!r} is out of bounds. Give {bounds} seconds.")
        return number

    return read


def file_mode(value: t.Any) -> int:
    """Return the permissions of a file, written in octal."""
    if isinstance(value, int) and not isinstance(value, bool):
        # TOML has octal numbers of its own: 0o660.
        number = value
    else:
        text = str(value).strip().lower().removeprefix("0o")
        if not re.fullmatch(r"[0-7]{1,4}", text):
            raise ValueError(f"{value!r} are no permissions. Give them in octal, such as 660.")
        number = int(text, 8)
    if not 0 <= number <= 0o777:
        raise ValueError(f"{value!r} are no permissions. Give them in octal, such as 660.")
    return number


def address(value: t.Any) -> str:
    """Return an address to listen at, in one spelling."""
    text = str(value).strip()
    if text.startswith("unix:"):
        name = text.removeprefix("unix:").removeprefix("//")
        if not name:
            raise ValueError(f"{value!r} names no socket. Give its path, as in unix:/run/app.sock.")
        return f"unix:{name}"
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        raise ValueError(
            f"{value!r} is no address. Give 'host:port', '[IPv6 address]:port' or 'unix:/path'."
        )
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(f"{port!r} in {value!r} is no port. Give a number from 0 to 65535.")
    return f"{host}:{int(port)}"


def file(value: t.Any) -> Path:
    """Return the path of a file that is there and can be read."""
    found = Path(str(value)).expanduser().resolve()
    if not found.is_file():
        raise ValueError(f"there is no file {str(value)!r}. Give the path of one.")
    if not os.access(found, os.R_OK):
        raise ValueError(f"{str(value)!r} may not be read by this user. Change its permissions.")
    return found


def path(value: t.Any) -> Path:
    """Return the path of a file to write, whose folder is there."""
    found = Path(str(value)).expanduser().absolute()
    if not found.parent.is_dir():
        raise ValueError(f"there is no folder {str(found.parent)!r}. Make it first.")
    return found


def proxies(value: t.Any) -> str:
    """Return a list of addresses and networks, separated by commas."""
    items = value if isinstance(value, list) else str(value).split(",")
    names = [name for name in (str(item).strip() for item in items) if name]
    for name in names:
        if name in ("*", "unix"):
            continue
        try:
            ipaddress.ip_network(name)
        except ValueError:
            raise ValueError(
                f"{name!r} is neither an address nor a network. Give such as 10.0.0.1 or"
                " 10.0.0.0/8, 'unix' or '*'."
            ) from None
    return ",".join(names)


def text_of(name: str, value: t.Any) -> str:
    """Return a value as it is written.

    :param name: of which setting.
    :param value: its value.
    """
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if name == "socket_mode":
        return f"{value:o}"
    return f"{value:g}" if isinstance(value, float) else str(value)
