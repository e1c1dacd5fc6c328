"""The settings of sessions on the server, checked and in seconds."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from erlen.exceptions import ConfigError

if t.TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds after which it is noted anew that a session is in use.
TOUCH_INTERVAL = 300
_UNAVAILABLE = ("error", "anonymous")


class Lifetimes(t.NamedTuple):
    """For how many seconds sessions live.

    :param idle: after they were last used.
    :param absolute: after they began, however much they are used; ``None`` for any time.
    :param touch: how long after a use the next one is noted.
    """

    idle: float
    absolute: float | None
    touch: float

    def end(self, created: float, now: float) -> float:
        """Return when a session ends that is used now.

        :param created: when it began.
        :param now: the time.
        """
        end = now + self.idle
        return end if self.absolute is None else min(end, created + self.absolute)


def read_lifetimes(config: Mapping[str, t.Any]) -> Lifetimes:
    """Return the lifetimes that the configuration says.

    :param config: the configuration.
    :raises ConfigError: for values that are no length of time.
    """
    idle = _seconds(config, "SESSION_IDLE_TIMEOUT")
    if idle is None:
        idle = _seconds(config, "PERMANENT_SESSION_LIFETIME") or 0.0
    touch = _seconds(config, "SESSION_TOUCH_INTERVAL", TOUCH_INTERVAL) or 0.0
    # A session in use must not end because that was not noted.
    return Lifetimes(idle, _seconds(config, "SESSION_LIFETIME"), min(touch, idle / 10))


def is_anonymous_while_unavailable(config: Mapping[str, t.Any]) -> bool:
    """Tell whether visitors are anonymous while the store is down.

    :param config: the configuration.
    :raises ConfigError: for an unknown value.
    """
    value = config.get("SESSION_UNAVAILABLE", "error")
    if value not in _UNAVAILABLE:
        raise ConfigError(
            f'SESSION_UNAVAILABLE is {value!r}. Set it to "error", which answers 503 while the'
            ' store of sessions is down, or to "anonymous".'
        )
    return bool(value == "anonymous")


def _seconds(config: Mapping[str, t.Any], key: str, default: float | None = None) -> float | None:
    value = config.get(key, default)
    if value is None:
        return None
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ConfigError(
            f"{key} is {value!r}. Set it to a number of seconds or to a datetime.timedelta."
        )
    return float(value)
