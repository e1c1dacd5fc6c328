"""What device a header ``User-Agent`` stands for, in a few words."""

from __future__ import annotations

# Browsers name each other, so the first that fits counts.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python", "Python"),
    ("Werkzeug/", "Python"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def device_of(user_agent: str) -> str:
    """Return a few words for a user, such as ``"Firefox on Windows"``.

    It is a hint for people who look at their own sessions, not a fact: clients say what they like.

    :param user_agent: the header.
    """
    browser, system = parts_of(user_agent)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "Unknown device"


def parts_of(user_agent: str) -> tuple[str, str]:
    """Return the names of a browser and of a system; empty ones where nothing is known.

    :param user_agent: the header.
    """
    return _find(_BROWSERS, user_agent), _find(_SYSTEMS, user_agent)


def _find(names: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for mark, name in names if mark in user_agent), "")
