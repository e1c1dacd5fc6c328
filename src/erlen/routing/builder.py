"""Building URLs: what a rule's URL is made of, worked out once per rule."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from .converters import SEGMENT_SAFE, url_cast
from .patterns import rule_texts, trace

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from werkzeug.routing import Rule

#: The values in a URL, in their order, each with what makes text of it.
Slots: t.TypeAlias = "tuple[tuple[str, Callable[[t.Any], str]], ...]"


class URLPlan:
    """How to put the domain and the path of a rule's URLs together.

    Each is a template for the ``%`` operator, and the slots that fill it.

    :param rule: a rule that belongs to a map.
    """

    __slots__ = ("count", "domain", "domain_slots", "known", "path", "path_slots")

    def __init__(self, rule: Rule) -> None:
        domain, path = rule_texts(rule)
        self.domain, self.domain_slots = _template(rule, domain)
        self.path, self.path_slots = _template(rule, path)
        #: How many values it needs.
        self.count = len(self.domain_slots) + len(self.path_slots)
        #: The names of the values that do not go to the query string.
        self.known = {*rule._converters, *map(str, rule.defaults or ())}


def _template(rule: Rule, text: str) -> tuple[str, Slots]:
    """Return the template for a pattern, with defaults in place of their variables."""
    defaults = rule.defaults or {}
    template = ""
    slots: list[tuple[str, Callable[[t.Any], str]]] = []
    for is_variable, data in trace(text):
        if not is_variable:
            template += quote(data, safe=SEGMENT_SAFE).replace("%", "%%")
        elif data in defaults:
            template += rule._converters[data].to_url(defaults[data]).replace("%", "%%")
        else:
            template += "%s"
            slots.append((data, url_cast(rule._converters[data])))
    # The operator undoes the doubling only where it is used.
    return (template if slots else template.replace("%%", "%")), tuple(slots)


def fill(template: str, slots: Slots, values: Mapping[str, t.Any]) -> str:
    """Put a domain or a path together.

    :param template: the text, with a ``%s`` for each slot.
    :param slots: what stands there.
    :param values: the values of the variables.
    """
    return template % tuple([make_text(values[name]) for name, make_text in slots])
