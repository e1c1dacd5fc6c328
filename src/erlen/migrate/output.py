"""What the commands tell while they work."""

from __future__ import annotations

import logging

import click

logger = logging.getLogger("erlen.migrate")


def say(message: str, level: int = logging.INFO) -> None:
    """Tell a person what happens: on standard error in a command, in the log elsewhere.

    :param message: one line or more.
    :param level: how important it is in the log.
    """
    # Standard output stays free for SQL and for what was asked for.
    if click.get_current_context(silent=True) is None:
        logger.log(level, "%s", message)
    else:
        click.echo(message, err=True)


def show_time(seconds: float) -> str:
    """Return a duration for people: ``0.12 s``, ``3 min 20 s``.

    :param seconds: how long it took.
    """
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 table``, ``2 tables``.

    :param number: how many.
    :param noun: what, in the singular.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
