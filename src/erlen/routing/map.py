"""The map of an application's URLs, and the adapters that use it for one host."""

from __future__ import annotations

import typing as t
import warnings
from operator import methodcaller
from urllib.parse import quote, urljoin

import werkzeug.routing
from werkzeug.datastructures import ImmutableDict, MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_host

from ..lazy import lazy
from .converters import DEFAULT_CONVERTERS, SEGMENT_SAFE
from .environ import INVALID_SUBDOMAIN, decode, encode_host, find_subdomain, strip_port, url_scheme
from .exceptions import (
    BuildError,
    RequestAliasRedirect,
    RequestPath,
    RequestRedirect,
    RoutingException,
    RuleRedirect,
)
from .matcher import Matcher
from .patterns import replace_variables

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import WSGIEnvironment

    from werkzeug.routing import BaseConverter, Rule, RuleFactory
    from werkzeug.wrappers import Request

QueryArgs: t.TypeAlias = "Mapping[str, t.Any] | str"


class Map(werkzeug.routing.Map):
    """The URL rules of an application, compiled for matching and building.

    ::

        urls = Map([Rule("/", endpoint="index"), Rule("/users/<int:id>", endpoint="user")])
        urls.bind("example.com").match("/users/3")  # ("user", {"id": 3})

    It has the attributes and methods of :class:`werkzeug.routing.Map`, and takes its rules too.

    :param rules: rules, or factories of rules.
    :param default_subdomain: the subdomain of rules that name none.
    :param strict_slashes: redirect to the URL with a slash at its end where a rule has one.
    :param merge_slashes: redirect a path with several slashes in a row to the one without.
    :param redirect_defaults: redirect to the best URL of an endpoint for the same values.
    :param converters: further converters by name; a name can replace a built-in one.
    :param sort_parameters: sort the query strings of built URLs.
    :param sort_key: by what to sort them.
    :param host_matching: match the ``host`` of rules instead of their ``subdomain``.
    """

    default_converters = ImmutableDict(DEFAULT_CONVERTERS)

    _matcher: Matcher  # type: ignore[assignment]

    def __init__(
        self,
        rules: Iterable[RuleFactory] | None = None,
        default_subdomain: str = "",
        strict_slashes: bool = True,
        merge_slashes: bool = True,
        redirect_defaults: bool = True,
        converters: Mapping[str, type[BaseConverter]] | None = None,
        sort_parameters: bool = False,
        sort_key: Callable[[t.Any], t.Any] | None = None,
        host_matching: bool = False,
    ) -> None:
        super().__init__(
            default_subdomain=default_subdomain,
            strict_slashes=strict_slashes,
            redirect_defaults=redirect_defaults,
            converters=converters,
            sort_parameters=sort_parameters,
            sort_key=sort_key,
            host_matching=host_matching,
        )
        self._matcher = Matcher(merge_slashes)
        if type(self).lookup is Map.lookup:
            # PERF: saves a call per request.
            self.lookup = self._matcher.lookup  # type: ignore[method-assign]
        for factory in rules or ():
            self.add(factory)

    def lookup(
        self, path: str, method: str, domain: str = "", websocket: bool = False
    ) -> tuple[Rule, dict[str, t.Any]]:
        """Find the rule for a path, without an adapter.

        This is the way of a request as long as nothing redirects. Where a signal says so (any
        :exc:`RoutingException` that is not an HTTP exception), :meth:`MapAdapter.match` words the
        redirect.

        :param path: the decoded path, below the application's root.
        :param method: the method, in upper case.
        :param domain: the subdomain, or the host with its port where the map matches hosts.
        :param websocket: whether a rule for WebSockets is wanted.
        :returns: the rule, and the values for its endpoint, which the caller may change.
        :raises werkzeug.exceptions.NotFound: if no rule matches.
        :raises werkzeug.exceptions.MethodNotAllowed: if rules match, but none for the method.
        :raises WebsocketMismatch: if the rule that matches is for HTTP, or for WebSockets.
        :raises RequestPath: if another spelling of the path matches, in its ``path_info``.
        :raises RequestAliasRedirect: if the rule is an alias.
        :raises RuleRedirect: if the rule redirects.
        """
        return self._matcher.lookup(path, method, domain, websocket)

    def add(self, rulefactory: RuleFactory) -> None:
        """Add a rule, or the rules of a factory.

        :param rulefactory: a rule that belongs to no map yet, or a factory.
        :raises ValueError: if a rule is malformed.
        :raises LookupError: if the map has no converter of a name in it.
        """
        for rule in rulefactory.get_rules(self):
            rule.bind(self)
            with self._remap_lock:
                if not rule.build_only:
                    self._matcher.add(rule)
                self._rules_by_endpoint.setdefault(rule.endpoint, []).append(rule)
                self._remap = True

    def update(self) -> None:
        """Put the rules of each endpoint in the order in which they are built."""
        if not self._remap:
            return
        with self._remap_lock:
            for rules in self._rules_by_endpoint.values():
                if len(rules) > 1:
                    # Readers of the list see it before or after; sort() would show it empty.
                    rules[:] = sorted(rules, key=methodcaller("build_compare_key"))
            self._remap = False

    def bind(
        self,
        server_name: str,
        script_name: str | None = None,
        subdomain: str | None = None,
        url_scheme: str = "http",
        default_method: str = "GET",
        path_info: str | None = None,
        query_args: QueryArgs | None = None,
    ) -> MapAdapter:
        """Return an adapter for a server.

        :param server_name: its host name, with the port if that is not the scheme's own.
        :param script_name: the path to the application's root, ``/`` if not given.
        :param subdomain: the current subdomain, the map's default if not given.
        :param url_scheme: the scheme of the URLs that are built.
        :param default_method: the method to match where :meth:`MapAdapter.match` gets none.
        :param path_info: likewise the path.
        :param query_args: likewise the query, which redirects keep.
        :raises RuntimeError: if a subdomain is given, and the map matches hosts.
        :raises werkzeug.exceptions.BadHost: if the server name cannot be one.
        """
        if not self.host_matching:
            subdomain = self.default_subdomain if subdomain is None else subdomain
        elif subdomain is not None:
            raise RuntimeError(
                "The map matches hosts, so there are no subdomains: bind it without 'subdomain'."
            )
        return MapAdapter(
            self,
            encode_host(server_name),
            "/" if script_name is None else script_name,
            subdomain,
            url_scheme,
            "/" if path_info is None else path_info,
            default_method,
            query_args,
        )

    def bind_to_environ(
        self,
        environ: WSGIEnvironment | Request,
        server_name: str | None = None,
        subdomain: str | None = None,
    ) -> MapAdapter:
        """Return an adapter for a request.

        :param environ: its WSGI environment, or an object that has that as ``environ``.
        :param server_name: the configured name of the server. What the request's host has in front
            of it is the subdomain.
        :param subdomain: the subdomain, if that is known otherwise.
        :raises werkzeug.exceptions.BadHost: if the host of the request cannot be one.
        """
        adapter = self.adapt(environ, server_name, subdomain)
        adapter.complete()
        return adapter

    def adapt(
        self,
        environ: WSGIEnvironment | Request,
        server_name: str | None = None,
        subdomain: str | None = None,
    ) -> EnvironAdapter:
        """Return an adapter for a request that reads it only as far as it is asked.

        It takes what :meth:`bind_to_environ` takes. To make one costs next to nothing; to match a
        path with it does not need the host, unless rules have subdomains or hosts. What
        :meth:`bind_to_environ` raises for the host comes when the host is first needed.
        """
        if not isinstance(environ, dict):
            environ = environ.environ
        return EnvironAdapter(self, environ, server_name, subdomain)


class MapAdapter(werkzeug.routing.MapAdapter):
    """Matches paths and builds URLs for one server and one request.

    :meth:`Map.bind` and its like make them. The parameters are attributes, and may be changed.

    :param map: the map.
    :param server_name: the host, with its port if that is not the scheme's own.
    :param script_name: the path to the application's root.
    :param subdomain: the current subdomain; ``None`` to match the server name in its place.
    :param url_scheme: the scheme of the URLs that are built.
    :param path_info: the path to match.
    :param default_method: the method to match.
    :param query_args: the query that redirects keep.
    """

    map: Map

    @property
    def domain(self) -> str:
        """What rules' domains are matched with: the subdomain, or the host."""
        if self.map.host_matching or self.subdomain is None:
            return self.server_name
        return self.subdomain

    def match(
        self,
        path_info: str | None = None,
        method: str | None = None,
        return_rule: bool = False,
        query_args: QueryArgs | None = None,
        websocket: bool | None = None,
    ) -> tuple[t.Any, dict[str, t.Any]]:
        """Find the endpoint and its values for a path.

        :param path_info: the path, the adapter's if not given.
        :param method: the method, likewise.
        :param return_rule: return the rule in the place of its endpoint.
        :param query_args: the query that a redirect keeps, the adapter's if not given.
        :param websocket: whether a rule for WebSockets is wanted; the scheme says so if not given.
        :returns: the endpoint or the rule, and the values.
        :raises RequestRedirect: if the client should go to another URL.
        :raises werkzeug.exceptions.NotFound: if no rule matches.
        :raises werkzeug.exceptions.MethodNotAllowed: if rules match, but none for the method.
        :raises WebsocketMismatch: if the rule that matches is for HTTP, or for WebSockets.
        """
        path = self.path_info if path_info is None else path_info
        method = (method or self.default_method).upper()
        if websocket is None:
            websocket = self.websocket
        try:
            rule, values = self.map.lookup(path, method, self.domain, websocket)
        except RoutingException as signal:
            if isinstance(signal, HTTPException):
                raise
            if query_args is None:
                query_args = self.query_args or {}
            url = self._redirect_url(signal, path, method, query_args)
            raise RequestRedirect(url) from None
        return (rule if return_rule else rule.endpoint), values

    def _redirect_url(
        self, signal: RoutingException, path: str, method: str, query_args: QueryArgs
    ) -> str:
        """Return where a signal of :meth:`Map.lookup` leads."""
        if isinstance(signal, RequestPath):
            path = quote(signal.path_info, safe=SEGMENT_SAFE, errors="replace")
            return self.make_redirect_url(path, query_args)
        if isinstance(signal, RequestAliasRedirect):
            return self.make_alias_redirect_url(
                f"{self.domain}|{path}", signal.endpoint, signal.matched_values, method, query_args
            )
        if isinstance(signal, RuleRedirect):
            return self._rule_redirect_url(signal.rule, signal.values, method, query_args)
        raise signal

    def _rule_redirect_url(
        self, rule: Rule, values: dict[str, t.Any], method: str, query_args: QueryArgs
    ) -> str:
        if self.map.redirect_defaults:
            self.map.update()
            url = self.get_default_redirect(rule, method, values, query_args)
            if url is not None:
                return url
        if callable(rule.redirect_to):
            target = rule.redirect_to(self, **values)
        else:
            target = replace_variables(
                rule.redirect_to or "", lambda name: rule._converters[name].to_url(values[name])
            )
        host = f"{self.subdomain}.{self.server_name}" if self.subdomain else self.server_name
        return urljoin(f"{self.url_scheme or 'http'}://{host}{self.script_name}", target)

    def build(
        self,
        endpoint: t.Any,
        values: Mapping[str, t.Any] | None = None,
        method: str | None = None,
        force_external: bool = False,
        append_unknown: bool = True,
        url_scheme: str | None = None,
    ) -> str:
        """Build the URL of an endpoint.

        It is relative to the host, unless the rule is for another one, or for WebSockets.

        :param endpoint: the endpoint.
        :param values: values for the rule's variables. What it has no variable for goes into the
            query string, each item of a list by itself; ``None`` is left out.
        :param method: take a rule for this method.
        :param force_external: build an absolute URL.
        :param append_unknown: whether there may be a query string.
        :param url_scheme: the scheme of an absolute URL, the adapter's if not given; empty for a
            URL that begins with the slashes.
        :raises BuildError: if the endpoint has no rule for these values.
        """
        if self.map._remap:
            self.map.update()
        given: dict[str, t.Any] = {}
        if isinstance(values, MultiDict):
            given = _single_values(values)
        elif values:
            given = {key: value for key, value in values.items() if value is not None}
        built = self._partial_build(endpoint, given, method, append_unknown)
        if built is None:
            raise BuildError(endpoint, given, method, self)
        domain, path, websocket = built
        if not (websocket or force_external) and self._is_here(domain):
            return f"{self.script_name.rstrip('/')}/{path.lstrip('/')}"
        scheme = self.url_scheme if url_scheme is None else url_scheme
        prefix = _scheme_prefix(scheme, websocket)
        return f"{prefix}//{self.get_host(domain)}{self.script_name[:-1]}/{path.lstrip('/')}"

    def _is_here(self, domain: str) -> bool:
        return domain == (self.server_name if self.map.host_matching else self.subdomain)

    def _partial_build(
        self,
        endpoint: t.Any,
        values: Mapping[str, t.Any],
        method: str | None,
        append_unknown: bool,
    ) -> tuple[str, str, bool] | None:
        """Return domain and path for the values, and whether the rule is for WebSockets."""
        rules = self.map._rules_by_endpoint.get(endpoint, ())
        methods = (self.default_method, None) if method is None else (method,)
        for wanted in methods:
            other_host = None
            for rule in rules:
                if not rule.suitable_for(values, wanted):
                    continue
                built = rule.build(values, append_unknown)
                if built is None:
                    continue
                result = (*built, rule.websocket)
                if not self.map.host_matching or built[0] == self.server_name:
                    return result
                other_host = other_host or result
            if other_host is not None:
                return other_host
        return None


class EnvironAdapter(MapAdapter):
    """An adapter whose attributes come from a WSGI environment when they are first read.

    :param map: the map.
    :param environ: the environment.
    :param server_name: the configured name of the server.
    :param subdomain: the subdomain, if it is known.
    """

    def __init__(
        self,
        map: Map,
        environ: WSGIEnvironment,
        server_name: str | None = None,
        subdomain: str | None = None,
    ) -> None:
        self.map = map
        self.environ = environ
        self._configured_name = server_name
        self._known_subdomain = subdomain

    def complete(self) -> None:
        """Read all that has not been read yet.

        :raises werkzeug.exceptions.BadHost: if the host of the request cannot be one.
        """
        for name in _READ_ATTRIBUTES:
            getattr(self, name)

    def _read_text(self, name: str) -> str | None:
        value = self.environ.get(name)
        return None if value is None else decode(value)

    @lazy
    def _host(self) -> str:
        return get_host(self.environ).lower()

    @lazy
    def _plain_name(self) -> str:
        if self._configured_name is None:
            return self._host
        return strip_port(self._configured_name, self.url_scheme)

    @lazy
    def server_name(self) -> str:
        """The host, as it stands in URLs."""
        return encode_host(self._plain_name)

    @lazy
    def subdomain(self) -> str | None:
        """What the host has in front of the server's name."""
        known = self._known_subdomain
        if self.map.host_matching:
            if known is not None:
                raise RuntimeError("The map matches hosts, so there are no subdomains.")
            return None
        if known is not None:
            return known
        found = find_subdomain(self._host, self._plain_name)
        if found is None:
            warnings.warn(
                f"Current server name {self._host!r} doesn't match configured server name"
                f" {self._plain_name!r}",
                stacklevel=5,
            )
            return INVALID_SUBDOMAIN
        return found

    @lazy
    def script_name(self) -> str:
        """The path to the application's root, with a slash at its end."""
        name = self._read_text("SCRIPT_NAME") or "/"
        return name if name.endswith("/") else f"{name}/"

    @lazy
    def path_info(self) -> str:
        """The path below the application's root."""
        path = self._read_text("PATH_INFO")
        return "/" if path is None else path

    @lazy
    def url_scheme(self) -> str:
        """The scheme, that of WebSockets if the request asks for one."""
        return url_scheme(self.environ)

    @lazy
    def default_method(self) -> str:
        """The method of the request."""
        return t.cast("str", self.environ["REQUEST_METHOD"])

    @lazy
    def query_args(self) -> QueryArgs | None:
        """The query string."""
        return self._read_text("QUERY_STRING")

    @lazy
    def websocket(self) -> bool:
        """Whether the request asks for a WebSocket."""
        return "HTTP_UPGRADE" in self.environ and self.url_scheme in {"ws", "wss"}


_READ_ATTRIBUTES = [
    "server_name",
    "subdomain",
    "script_name",
    "path_info",
    "url_scheme",
    "default_method",
    "query_args",
    "websocket",
]


def _single_values(values: MultiDict[str, t.Any]) -> dict[str, t.Any]:
    """Return what a multi-dict has: a value by itself, several as a list."""
    lists = t.cast("dict[str, list[t.Any]]", values)
    return {
        key: items[0] if len(items) == 1 else items for key, items in dict.items(lists) if items
    }


def _scheme_prefix(scheme: str | None, websocket: bool) -> str:
    is_secure = scheme in {"https", "wss"}
    if websocket:
        return "wss:" if is_secure else "ws:"
    if not scheme:
        return ""
    return "https:" if is_secure else "http:"
