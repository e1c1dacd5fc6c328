"""Finding the rule for a path, without looking at other routes.

Two ways lead through a tree:

- :meth:`Matcher.lookup` takes, at each node, only the first way that fits. Nearly every request is
  answered so. What it finds is what the search would have found first.
- :class:`Search` takes them all in order and turns back from dead ends. It decides what the walk
  leaves open, and why a path does not match: wrong method, a slash too few, not found.

Readers need no lock: trees only grow, and a rule that changed makes new ones.
"""

from __future__ import annotations

import typing as t
from itertools import takewhile
from threading import Lock

from werkzeug.exceptions import MethodNotAllowed, NotFound

from .converters import MAX_DIGITS
from .exceptions import (
    RequestAliasRedirect,
    RequestPath,
    RuleRedirect,
    ValidationError,
    WebsocketMismatch,
)
from .parts import CHECKED, NUMBER, TAIL, TEXT, check_regexes
from .patterns import merge_slashes, rule_texts
from .tree import Forest, defaulted_endpoints

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from werkzeug.exceptions import HTTPException
    from werkzeug.routing import Rule

    from .tree import Edge, Entry, Node, Table

#: A rule, and the texts of its variables as the path has them.
Found: t.TypeAlias = "tuple[Rule, list[str]]"


class SlashRequired(Exception):
    """The path would match with a slash at its end."""


class Matcher:
    """The rules of a map, compiled at the first lookup after they were added.

    :param merge_slashes: whether a path with several slashes in a row leads to the one without.
    """

    def __init__(self, merge_slashes: bool) -> None:
        self.merge_slashes = merge_slashes
        self._lock = Lock()
        self._entries: list[Entry] = []
        self._is_stale = False
        self._is_changed = False
        self._forest = Forest()
        self._trees = self._forest.trees

    def add(self, rule: Rule) -> None:
        """Take up a rule that is bound to a map.

        :param rule: ours, or Werkzeug's own.
        :raises ValueError: if the regular expression of one of its converters does not compile.
        """
        texts = rule_texts(rule)
        check_regexes(texts, rule._converters)
        with self._lock:
            self._entries.append((rule, *texts))
            self._is_stale = True

    def update(self) -> None:
        """Do nothing: Werkzeug's maps compile here, ours at the first lookup."""

    def rebuild(self, rule: Rule) -> None:
        """Compile all rules anew at the next lookup, because one has changed.

        :param rule: the rule, bound again.
        """
        texts = rule_texts(rule)
        check_regexes(texts, rule._converters)
        with self._lock:
            self._entries = [
                (rule, *texts) if entry[0] is rule else entry for entry in self._entries
            ]
            self._is_changed = True
            self._is_stale = True

    def compile(self) -> None:
        """Bring the trees up to date with the rules."""
        with self._lock:
            if not self._is_stale:
                return
            forest = self._forest
            entries = self._entries[forest.count :]
            # With new defaults, what stands ready for the older rules of an endpoint is not right.
            if self._is_changed or not forest.defaulted >= defaulted_endpoints(entries):
                forest, entries = Forest(), self._entries
            forest.plant(entries)
            self._forest = forest
            self._trees = forest.trees
            self._is_changed = self._is_stale = False

    # PERF: this runs for every request. It is one function, since a call costs 0.05 µs: a sixth of
    # what a literal path takes.
    def lookup(
        self, path: str, method: str, domain: str = "", websocket: bool = False
    ) -> tuple[Rule, dict[str, t.Any]]:
        """Find the rule for a path, as :meth:`erlen.routing.Map.lookup` describes."""
        if self._is_stale:
            self.compile()
        values: list[t.Any] = []
        tree = self._trees.get(domain)
        if tree is None:
            tree = self._forest.find_tree(domain, values)
        if tree is None or websocket:
            return self._search(path, method, domain, websocket)

        node = tree.paths.get(path)
        if node is None:
            node = tree.root
            for segment in path.split("/"):
                child = node.static.get(segment)
                if child is not None:
                    node = child
                    continue
                edge = node.first
                if edge is None:
                    return self._search(path, method, domain, websocket)
                kind = edge.kind
                if kind == TEXT:
                    fits: t.Any = segment
                elif kind == NUMBER:
                    fits = segment.isdecimal() and segment.isascii()
                    if len(segment) > MAX_DIGITS:
                        return self._search(path, method, domain, websocket)
                elif kind == CHECKED:
                    fits = edge.check(segment)
                elif kind == TAIL:
                    tail = path.split("/", edge.depth)[-1]
                    if not edge.check(tail):
                        return self._search(path, method, domain, websocket)
                    values.append(tail)
                    node = edge.node
                    break
                else:
                    return self._search(path, method, domain, websocket)
                if not fits:
                    edge = _fitting_edge(node.others, segment)
                    if edge is None:
                        return self._search(path, method, domain, websocket)
                values.append(segment)
                node = edge.node

        table = node.table
        if table is None:
            table = self._make_table(node)
        target = table.get(method) or table.get(None)
        if target is None:
            return self._search(path, method, domain, websocket)
        rule, names, casts, is_special = target
        if not (names or is_special):
            return rule, {}
        if casts:
            try:
                for index, cast in casts:
                    values[index] = cast(values[index])
            except ValidationError:
                search = Search(self._forest, method, websocket)
                search.run(domain, path)
                raise search.refusal() from None
        count = len(names)
        # Displays take a quarter of the time of dict(zip()).
        if count == 0:
            arguments = {}
        elif count == 1:
            arguments = {names[0]: values[0]}
        elif count == 2:
            arguments = {names[0]: values[0], names[1]: values[1]}
        else:
            arguments = dict(zip(names, values, strict=False))
        if is_special:
            return self._settle(rule, arguments, method)
        return rule, arguments

    def _make_table(self, node: Node) -> Table:
        # Under the lock, so that a rule that comes meanwhile is in it, or makes it void.
        with self._lock:
            return self._forest.table(node)

    def _search(
        self, path: str, method: str, domain: str, websocket: bool
    ) -> tuple[Rule, dict[str, t.Any]]:
        """Find the rule the thorough way."""
        if path:
            path = f"/{path.lstrip('/')}"
        search = Search(self._forest, method, websocket)
        found = search.run(domain, path)
        if found is None and self.merge_slashes and "//" in path:
            merged = merge_slashes(path)
            found = search.run(domain, merged)
            if found is not None and found[0].merge_slashes is not False:
                raise RequestPath(merged)
            found = None
        if found is None:
            raise search.refusal()
        rule, texts = found
        arguments = {}
        try:
            for (name, converter), text in zip(rule._converters.items(), texts, strict=False):
                arguments[str(name)] = converter.to_python(text)
        except ValidationError:
            raise search.refusal() from None
        return self._settle(rule, arguments, method)

    def _settle(
        self, rule: Rule, values: dict[str, t.Any], method: str
    ) -> tuple[Rule, dict[str, t.Any]]:
        """Return what was found, unless the rule sends the client elsewhere."""
        if rule.defaults:
            values.update(rule.defaults)
        redirect_defaults = rule.map.redirect_defaults
        if rule.alias and redirect_defaults:
            raise RequestAliasRedirect(values, rule.endpoint)
        if rule.redirect_to is not None:
            raise RuleRedirect(rule, values)
        if not redirect_defaults or rule.endpoint not in self._forest.defaulted:
            return rule, values
        if has_better_rule(rule, values, method):
            raise RuleRedirect(rule, values)
        return rule, values


def _fitting_edge(edges: tuple[Edge, ...], segment: str) -> Edge | None:
    """Return the first edge that a segment fits, or ``None`` to leave it to the search."""
    for edge in edges:
        if edge.kind not in (TEXT, CHECKED):
            return None
        if edge.check(segment):
            return edge
    return None


def has_better_rule(rule: Rule, values: dict[str, t.Any], method: str) -> bool:
    """Whether these values are the defaults of a rule that has a better URL for them.

    :param rule: the rule that matched.
    :param values: the values it matched with.
    :param method: the method of the request.
    """
    rule.map.update()
    # Another thread may have given the map a rule that is not among its endpoints yet.
    rules = rule.map._rules_by_endpoint.get(rule.endpoint, ())
    return any(
        other.provides_defaults_for(rule) and other.suitable_for(values, method)
        for other in takewhile(lambda other: other is not rule, rules)
    )


class Search:
    """One search through the trees, which remembers why rules that it met do not fit.

    :param forest: the trees.
    :param method: the method of the request.
    :param websocket: whether a rule for WebSockets is wanted.
    """

    def __init__(self, forest: Forest, method: str, websocket: bool) -> None:
        self.forest = forest
        self.method = method
        self.websocket = websocket
        self.allowed: set[str] = set()
        self.has_mismatch = False

    def run(self, domain: str, path: str) -> Found | None:
        """Return the first rule that fits.

        :param domain: the subdomain, or the host where the map matches hosts.
        :param path: empty, or beginning with one slash.
        :raises RequestPath: if a slash is missing at the end.
        """
        parts = path.split("/")
        try:
            tree = self.forest.trees.get(domain)
            found = None if tree is None else self._descend(tree.root, parts, 0, [])
            for part, tree in self.forest.domain_ways:
                if found is not None:
                    break
                values = part.match(domain)
                if values is not None:
                    found = self._descend(tree.root, parts, 0, [*values])
        except SlashRequired:
            raise RequestPath(f"{path}/") from None
        return found

    def refusal(self) -> HTTPException:
        """Return what to raise when no rule fits."""
        if self.allowed:
            return MethodNotAllowed(valid_methods=sorted(self.allowed))
        if self.has_mismatch:
            return WebsocketMismatch()
        return NotFound()

    def _descend(self, node: Node, parts: list[str], at: int, values: list[str]) -> Found | None:
        if at == len(parts):
            return self._arrive(node, values)
        part = parts[at]
        found = None
        child = node.static.get(part)
        if child is not None:
            found = self._descend(child, parts, at + 1, values)
        if found is None and node.first is not None:
            for edge in (node.first, *node.others):
                found = self._follow(edge, parts, at, values)
                if found is not None:
                    break
        if found is None and not part and at == len(parts) - 1:
            rule = self._choose(rule for rule in node.rules if not rule.strict_slashes)
            found = None if rule is None else (rule, values)
        return found

    def _follow(self, edge: Edge, parts: list[str], at: int, values: list[str]) -> Found | None:
        if edge.part.is_final:
            return self._follow_final(edge, "/".join(parts[at:]), values)
        texts = edge.part.match(parts[at])
        if texts is None:
            return None
        return self._descend(edge.node, parts, at + 1, [*values, *texts])

    def _follow_final(self, edge: Edge, text: str, values: list[str]) -> Found | None:
        part = edge.part
        rest: list[str] = []
        if part.is_suffixed and text.endswith("/"):
            text = text[:-1]
            rest = [""]
        if part.is_suffixed and text.endswith("/"):
            return None
        texts = part.match(text)
        return None if texts is None else self._descend(edge.node, rest, 0, [*values, *texts])

    def _arrive(self, node: Node, values: list[str]) -> Found | None:
        rule = self._choose(node.rules)
        if rule is not None:
            return rule, values
        slash = node.static.get("")
        for rule in slash.rules if slash else ():
            if rule.websocket == self.websocket and self._allows(rule):
                if rule.strict_slashes:
                    raise SlashRequired
                return rule, values
        return None

    def _allows(self, rule: Rule) -> bool:
        return rule.methods is None or self.method in rule.methods

    def _choose(self, rules: Iterable[Rule]) -> Rule | None:
        for rule in rules:
            if not self._allows(rule):
                self.allowed.update(rule.methods or ())
            elif rule.websocket != self.websocket:
                self.has_mismatch = True
            else:
                return rule
        return None
