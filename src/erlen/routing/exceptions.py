"""The signals and errors of routing: Werkzeug's, and one of our own."""

from __future__ import annotations

import typing as t

from werkzeug.routing import BuildError as BuildError
from werkzeug.routing import NoMatch as NoMatch
from werkzeug.routing import RequestAliasRedirect as RequestAliasRedirect
from werkzeug.routing import RequestPath as RequestPath
from werkzeug.routing import RequestRedirect as RequestRedirect
from werkzeug.routing import RoutingException as RoutingException
from werkzeug.routing import ValidationError as ValidationError
from werkzeug.routing import WebsocketMismatch as WebsocketMismatch

if t.TYPE_CHECKING:
    from werkzeug.routing import Rule


class RuleRedirect(RoutingException):
    """The rule that matched sends the client to another URL, which an adapter has to word.

    Raised by :meth:`erlen.routing.Map.lookup` for a rule with ``redirect_to`` and for one whose
    values are the defaults of a better rule.

    :param rule: the rule that matched.
    :param values: the converted values from the URL, defaults included.
    """

    def __init__(self, rule: Rule, values: dict[str, t.Any]) -> None:
        super().__init__()
        self.rule = rule
        self.values = values
