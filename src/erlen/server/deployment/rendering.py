"""Filling in the templates."""

from __future__ import annotations

import importlib.resources
import typing as t

import jinja2

from .quoting import (
    json_words,
    nginx_word,
    systemd_line,
    systemd_quoted,
    systemd_words,
    yaml_text,
)

_environment = jinja2.Environment(
    autoescape=False,  # None of these is read by a browser.
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_environment.filters |= {
    "json_words": json_words,
    "nginx_word": nginx_word,
    "systemd_line": systemd_line,
    "systemd_quoted": systemd_quoted,
    "systemd_words": systemd_words,
    "yaml_text": yaml_text,
}


def render(template: str, **values: t.Any) -> str:
    """Return a template of this package with values in it.

    :param template: the name of its file.
    :param values: the names in it.
    """
    folder = importlib.resources.files(__package__ or "") / "templates"
    source = (folder / template).read_text(encoding="utf-8")
    return _environment.from_string(source).render(values)
