"""Rules: one URL pattern each, and the factories that make several."""

from __future__ import annotations

import typing as t

import werkzeug.routing
from werkzeug.routing import EndpointPrefix as EndpointPrefix
from werkzeug.routing import RuleFactory as RuleFactory
from werkzeug.routing import Subdomain as Subdomain
from werkzeug.routing import Submount as Submount
from werkzeug.routing import parse_converter_args

from ..lazy import lazy
from .builder import URLPlan, fill
from .exceptions import ValidationError
from .matcher import Matcher
from .patterns import parse, rule_texts, trace, variables

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from werkzeug.routing import BaseConverter, Map

    from .patterns import Variable


class Rule(werkzeug.routing.Rule):
    """A URL pattern and the endpoint it leads to.

    ::

        Rule("/users/<int:id>", endpoint="user", methods=["GET"])

    It takes the arguments of :class:`werkzeug.routing.Rule`, has its attributes and follows its
    rules. It compiles nothing when it is added to a map: matching is prepared at the first lookup,
    building at the first URL.

    Once a rule belongs to a map, its attributes are for reading. Call :meth:`refresh` after
    changing one; a method added to :attr:`methods` counts at once.

    :param string: the path, with placeholders like ``<converter(arguments):name>``.
    :param defaults: values for the endpoint that the path does not have.
    :param subdomain: the subdomain it is for; it may have placeholders too.
    :param methods: the methods it answers to, all if not given. ``HEAD`` comes with ``GET``.
    :param build_only: never match, only build URLs.
    :param endpoint: what the rule stands for; any value that hashes.
    :param strict_slashes: whether a missing slash at the end redirects; else it does not matter.
    :param merge_slashes: whether several slashes in a row redirect to one.
    :param redirect_to: a target with placeholders, or a function of adapter and values.
    :param alias: another URL for an endpoint, which redirects to the first.
    :param host: the host it is for, where the map matches hosts.
    :param websocket: whether it is for WebSockets, and not for HTTP.
    :raises ValueError: if the path does not begin with a slash; when it is added to a map also if
        it is malformed.
    """

    #: Whether the application answers ``OPTIONS`` for this rule; set by it.
    provide_automatic_options: bool | None

    _plan: URLPlan | None = None

    def get_empty_kwargs(self) -> Mapping[str, t.Any]:
        """Return the arguments with which :meth:`empty` makes its copy."""
        return {
            **super().get_empty_kwargs(),
            "merge_slashes": self.merge_slashes,
            "websocket": self.websocket,
        }

    def refresh(self) -> None:
        """Take changes of the rule's attributes into account."""
        super().refresh()
        if isinstance(matcher := self.map._matcher, Matcher) and not self.build_only:
            matcher.rebuild(self)

    def compile(self) -> None:
        """Take the pattern apart and make its converters.

        :raises ValueError: if it is malformed.
        :raises LookupError: if the map has no converter of a name.
        """
        converters: dict[str, BaseConverter] = {}
        for text in rule_texts(self):
            if "<" in text:
                for variable in variables(parse(text)):
                    if variable.name in converters:
                        raise ValueError(
                            f"malformed url rule: {self.rule!r}. It has two variables of the"
                            f" name {variable.name!r}."
                        )
                    converters[variable.name] = self._make_converter(variable)
        self._converters = converters
        self.arguments = {*map(str, self.defaults or ()), *converters}
        self._plan = None
        self._forget_made()
        if self.defaults and not converters.keys().isdisjoint(self.defaults):
            self._plan = URLPlan(self)  # a default that its converter refuses shows now

    def _forget_made(self) -> None:
        # PERF: not through vars(). An instance that has never shown its dictionary is read faster.
        for name in ("_trace", "_parts"):
            try:
                delattr(self, name)
            except AttributeError:
                pass

    def _make_converter(self, variable: Variable) -> BaseConverter:
        args, kwargs = parse_converter_args(variable.arguments) if variable.arguments else ((), {})
        return self.get_converter(variable.name, variable.converter, args, kwargs)

    def build(
        self, values: Mapping[str, t.Any], append_unknown: bool = True
    ) -> tuple[str, str] | None:
        """Return the domain and the path of the URL for some values.

        :param values: the values of the variables, all of them.
        :param append_unknown: put values that are none into the query string.
        :returns: ``None`` if a converter refuses its value.
        """
        plan = self._plan
        if plan is None:
            plan = self._plan = URLPlan(self)
        try:
            domain, path = plan.domain, plan.path
            if plan.domain_slots:
                domain = fill(domain, plan.domain_slots, values)
            if plan.path_slots:
                path = fill(path, plan.path_slots, values)
        except ValidationError:
            return None
        if append_unknown and len(values) > plan.count:
            unknown = {key: value for key, value in values.items() if key not in plan.known}
            if query := self._encode_query_vars(unknown):
                path = f"{path}?{query}"
        return domain, path

    def suitable_for(self, values: Mapping[str, t.Any], method: str | None = None) -> bool:
        """Whether a URL can be built from these values.

        All variables must be there or have a default, and no value may differ from its default.

        :param values: the values to build from.
        :param method: a method that the rule must answer to.
        """
        methods = self.methods
        if method is not None and methods is not None and method not in methods:
            return False
        defaults = self.defaults or {}
        for name in self.arguments:
            if name not in values and name not in defaults:
                return False
        return not defaults or all(
            values[name] == value for name, value in defaults.items() if name in values
        )

    # What only Werkzeug's own machinery asks for is made when it does.
    @lazy
    def _trace(self) -> list[tuple[bool, str]]:
        domain, path = rule_texts(self)
        return [*trace(domain), (False, "|"), *trace(path)]

    @lazy
    def _parts(self) -> list[t.Any]:
        twin = werkzeug.routing.Rule.__new__(werkzeug.routing.Rule)
        vars(twin).update(vars(self))
        twin.compile()
        return twin._parts


class RuleTemplateFactory(werkzeug.routing.RuleTemplateFactory):
    """Fills the variables of a :class:`RuleTemplate` in."""

    def get_rules(self, map: Map) -> Iterator[werkzeug.routing.Rule]:
        """Yield the rules, with their placeholders replaced.

        :param map: the map that they are for.
        """
        for rule in super().get_rules(map):
            yield Rule(rule.rule, **rule.get_empty_kwargs())


class RuleTemplate(werkzeug.routing.RuleTemplate):
    """Rules with placeholders like ``$name``, to be used several times.

    ::

        resource = RuleTemplate([
            Rule("/$name/", endpoint="$name.list"),
            Rule("/$name/<int:id>", endpoint="$name.show"),
        ])
        url_map = Map([resource(name="user"), resource(name="page")])

    :param rules: rules, or factories of rules.
    """

    def __call__(self, *args: t.Any, **kwargs: t.Any) -> RuleTemplateFactory:
        """Return a factory of the rules with these values in the place of the placeholders."""
        return RuleTemplateFactory(self.rules, dict(*args, **kwargs))
