"""The same maps, paths and values give the same with Werkzeug's routing and with ours."""

from __future__ import annotations

import typing as t

import werkzeug.routing
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import MethodNotAllowed

import erlen.routing

from .strategies import DOMAINS, ENDPOINTS, METHODS, VALUES, MapSpec, map_specs, requests

BOUNDED = settings(max_examples=200, deadline=None, derandomize=True)


def make_maps(spec: MapSpec) -> tuple[t.Any, t.Any]:
    """Return Werkzeug's map and ours; skip the example if Werkzeug refuses its rules."""
    try:
        reference = spec.make(werkzeug.routing.Map, werkzeug.routing.Rule)
    except Exception:
        assume(False)
        raise
    return reference, spec.make(erlen.routing.Map, erlen.routing.Rule)


def bind(url_map: t.Any, domain: str) -> t.Any:
    if url_map.host_matching:
        return url_map.bind(domain or "example.com", script_name="/app")
    return url_map.bind("example.com", script_name="/app", subdomain=domain)


def outcome(call: t.Callable[[], t.Any]) -> t.Any:
    """Return what a call returns or raises, in a form that compares."""
    try:
        return "value", call()
    except werkzeug.routing.RequestRedirect as redirect:
        return "redirect", redirect.new_url
    except MethodNotAllowed as error:
        return "methods", sorted(error.valid_methods or ())
    except Exception as error:
        return "error", type(error)


def match_outcome(url_map: t.Any, domain: str, path: str, method: str, websocket: bool) -> t.Any:
    url_map.update()
    order = {id(rule): number for number, rule in enumerate(url_map._rules)}

    def match() -> t.Any:
        rule, values = bind(url_map, domain).match(
            path, method, return_rule=True, query_args="q=1", websocket=websocket
        )
        return order[id(rule)], values

    return outcome(match)


@BOUNDED
@given(requests())
def test_matching(case: tuple[MapSpec, list[tuple[str, str, str, bool]]]) -> None:
    """A path leads to the same rule and values, the same redirect or the same error."""
    spec, asked = case
    reference, ours = make_maps(spec)
    for request in asked:
        assert match_outcome(ours, *request) == match_outcome(reference, *request)


@BOUNDED
@given(
    map_specs(),
    st.sampled_from(DOMAINS),
    st.lists(
        st.tuples(
            st.sampled_from(ENDPOINTS),
            VALUES,
            st.sampled_from([None, *METHODS]),
            st.booleans(),
            st.booleans(),
            st.sampled_from([None, "", "https", "wss"]),
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_building(spec: MapSpec, domain: str, calls: list[tuple[t.Any, ...]]) -> None:
    """An endpoint and values give the same URL, or the same error."""
    reference, ours = make_maps(spec)
    for arguments in calls:
        expected = outcome(lambda args=arguments: bind(reference, domain).build(*args))  # type: ignore[misc]
        assert outcome(lambda args=arguments: bind(ours, domain).build(*args)) == expected  # type: ignore[misc]


@BOUNDED
@given(requests())
def test_foreign_rules(case: tuple[MapSpec, list[tuple[str, str, str, bool]]]) -> None:
    """Werkzeug's own rules match the same in our map as in Werkzeug's."""
    spec, asked = case
    reference, _ = make_maps(spec)
    ours = spec.make(erlen.routing.Map, werkzeug.routing.Rule)
    for request in asked:
        assert match_outcome(ours, *request) == match_outcome(reference, *request)
