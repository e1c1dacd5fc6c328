"""Rules as trees of path segments, one tree for each domain."""

from __future__ import annotations

import typing as t

from .converters import python_cast
from .parts import CHECKED, OTHER, compile_part, split_parts
from .patterns import parse

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from werkzeug.routing import Rule

    from .parts import Part, PartKey

#: A rule at the end of a path: itself, the names of its variables, which of their values to
#: convert and how, and whether there is more to it (defaults, an alias, a redirect).
Target: t.TypeAlias = (
    "tuple[Rule, tuple[str, ...], tuple[tuple[int, Callable[[str], t.Any]], ...], bool]"
)

#: By method what answers for a path; ``None`` stands for all methods that are not named.
Table: t.TypeAlias = "dict[str | None, Target]"

#: A rule with its domain and its path as patterns.
Entry: t.TypeAlias = "tuple[Rule, str, str]"

# PERF: most nodes have no children of one kind or the other. Sharing these saves 25,000 containers
# in an application of 10,000 routes, and the collector the time to walk them.
_NO_CHILDREN: dict[str, Node] = {}
_NO_RULES: list[Rule] = []


class Edge:
    """The way from a node through a dynamic part.

    :param part: the part.
    :param depth: how many segments lead to it, the empty one before the first slash counted.
    """

    __slots__ = ("check", "depth", "kind", "node", "part")

    def __init__(self, part: Part, depth: int) -> None:
        self.part = part
        self.depth = depth
        self.node = Node()
        self.check = part.check or bool
        # A variable that accepts nothing at all could see the second slash of '//path'.
        self.kind = OTHER if part.kind == CHECKED and self.check("") else part.kind


class Node:
    """A place in a tree: what may follow, and the rules that end here."""

    __slots__ = ("edges", "first", "others", "rules", "static", "table")

    def __init__(self) -> None:
        #: The nodes behind literal segments.
        self.static = _NO_CHILDREN
        #: The edge that is tried first, and then the others.
        self.first: Edge | None = None
        self.others: tuple[Edge, ...] = ()
        #: All edges, where there are several.
        self.edges: dict[PartKey, Edge] | None = None
        self.rules = _NO_RULES
        #: Which rule answers to a method; worked out when first needed.
        self.table: Table | None = None

    def literal(self, segment: str) -> Node:
        """Return the node behind a literal segment, made if there is none yet."""
        node = self.static.get(segment)
        if node is None:
            node = Node()
            if self.static is _NO_CHILDREN:
                self.static = {segment: node}
            else:
                self.static[segment] = node
        return node

    def dynamic(self, key: PartKey, depth: int) -> Node:
        """Return the node behind a dynamic part, made if there is none yet."""
        if self.first is None:
            self.first = Edge(compile_part(key), depth)
            return self.first.node
        if self.edges is None:
            if self.first.part.key == key:
                return self.first.node
            self.edges = {self.first.part.key: self.first}
        edge = self.edges.get(key)
        if edge is None:
            edge = self.edges[key] = Edge(compile_part(key), depth)
        return edge.node

    def sort_edges(self) -> None:
        """Put the edges in order by weight; among equals, the older one goes first."""
        if self.edges is not None:
            ways = sorted(self.edges.values(), key=_edge_weight)
            self.others = tuple(ways[1:])
            self.first = ways[0]


class Tree:
    """The rules of one domain."""

    __slots__ = ("paths", "root")

    def __init__(self) -> None:
        #: The node before the first slash.
        self.root = Node()
        #: The nodes of paths without variables.
        self.paths: dict[str, Node] = {}

    def insert(self, path: str, steps: Iterable[str | PartKey], rule: Rule) -> list[Node]:
        """Add a rule, and return the nodes on its way.

        :param path: the rule's path, as a pattern.
        :param steps: its parts.
        :param rule: the rule.
        """
        node = self.root
        nodes = [node]
        is_literal = True
        for step in steps:
            if isinstance(step, str):
                node = node.literal(step)
            else:
                node = node.dynamic(step, len(nodes) - 1)
                is_literal = False
            nodes.append(node)
        node.rules = [*node.rules, rule]
        if is_literal:
            self.paths[path] = node
        return nodes


class Forest:
    """The trees of all domains, and what the rules in them have in common."""

    def __init__(self) -> None:
        self.trees: dict[str, Tree] = {}
        #: The trees of domains with variables, in the order in which they are tried.
        self.domain_ways: list[tuple[Part, Tree]] = []
        self._domains: dict[PartKey, tuple[Part, Tree]] = {}
        #: The endpoints for which some rule has defaults: their URLs may redirect to it.
        self.defaulted: set[t.Any] = set()
        #: How many rules have been planted.
        self.count = 0

    def plant(self, entries: list[Entry]) -> None:
        """Add rules.

        :param entries: the rules, with their domains and paths.
        """
        self.defaulted |= defaulted_endpoints(entries)
        touched: set[Node] = set()
        for rule, domain, path in entries:
            tree = self._tree(domain, rule)
            # An adapter never asks for a path that begins with two slashes.
            if tree is not None and not path.startswith("//"):
                steps = split_parts(parse(path), rule._converters)
                touched.update(tree.insert(path, steps, rule))
        for node in touched:
            node.sort_edges()
            node.table = None
        self.count += len(entries)

    def find_tree(self, domain: str, values: list[t.Any]) -> Tree | None:
        """Return the tree that is tried first for a domain that no rule has literally.

        :param domain: the domain.
        :param values: gets the texts of the domain's variables.
        """
        for part, tree in self.domain_ways:
            texts = part.match(domain)
            if texts is not None:
                values.extend(texts)
                return tree
        return None

    def table(self, node: Node) -> Table:
        """Work out which rules answer at a node, and keep it there."""
        slash = node.static.get("")
        node.table = table = self._make_table(node.rules, slash.rules if slash else [])
        return table

    def _tree(self, domain: str, rule: Rule) -> Tree | None:
        tree = self.trees.get(domain)
        if tree is not None and "<" not in domain:
            return tree
        parts = list(split_parts(parse(domain), rule._converters))
        part = parts[0]
        # A domain has no slashes, and a variable for them would swallow the path.
        if len(parts) > 1 or (not isinstance(part, str) and part.is_final):
            return None
        if isinstance(part, str):
            return self.trees.setdefault(part, Tree())
        return self._dynamic_tree(part)

    def _dynamic_tree(self, key: PartKey) -> Tree:
        if key not in self._domains:
            self._domains[key] = (compile_part(key), Tree())
            self.domain_ways = sorted(self._domains.values(), key=lambda way: way[0].key.weight)
        return self._domains[key][1]

    def _make_table(self, rules: list[Rule], slash_rules: list[Rule]) -> Table:
        """Work out which rule answers to each method.

        :param rules: those that end at the node.
        :param slash_rules: those that end one slash later.
        """
        table: Table = {}
        for rule in rules:
            self._answer(table, rule)
        barred: set[str | None] = set()
        for rule in slash_rules:
            if rule.strict_slashes:
                # The search tells the client to add the slash.
                barred.update(_methods(rule))
            elif barred.isdisjoint(_methods(rule)) and not (barred and rule.methods is None):
                self._answer(table, rule)
            else:
                break
        return table

    def _answer(self, table: Table, rule: Rule) -> None:
        # A rule for all methods leaves nothing to those after it.
        if not rule.websocket and None not in table:
            target = self._target(rule)
            for method in _methods(rule):
                table.setdefault(method, target)

    def _target(self, rule: Rule) -> Target:
        casts = enumerate(map(python_cast, rule._converters.values()))
        return (
            rule,
            tuple(map(str, rule._converters)),
            tuple((number, cast) for number, cast in casts if cast is not None),
            bool(
                rule.defaults
                or rule.alias
                or rule.redirect_to is not None
                or rule.endpoint in self.defaulted
            ),
        )


def defaulted_endpoints(entries: list[Entry]) -> set[t.Any]:
    """Return the endpoints for which some of the rules have defaults."""
    return {rule.endpoint for rule, _, _ in entries if rule.defaults}


def _methods(rule: Rule) -> Iterable[str | None]:
    return (None,) if rule.methods is None else rule.methods


def _edge_weight(edge: Edge) -> t.Any:
    return edge.part.key.weight
