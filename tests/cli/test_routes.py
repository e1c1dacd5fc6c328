"""The ``routes`` command."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from erlen import Flask
from erlen.cli import FlaskGroup


@pytest.fixture
def routes_app() -> Flask:
    """An application with two routes."""
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/a/<int:x>", endpoint="z_get_post", methods=["GET", "POST"])
    app.add_url_rule("/z", endpoint="a_put", methods=["PUT"])
    return app


def routes(app: Flask, *args: str) -> list[str]:
    """Return the lines that ``routes`` prints."""
    result = CliRunner().invoke(FlaskGroup(create_app=lambda: app), ["routes", *args])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_table(routes_app: Flask) -> None:
    """The table has a title, a rule, and a line for each route, by endpoint."""
    assert routes(routes_app) == [
        "Endpoint    Methods    Rule      ",
        "----------  ---------  ----------",
        "a_put       PUT        /z        ",
        "z_get_post  GET, POST  /a/<int:x>",
    ]


@pytest.mark.parametrize(
    ("sort", "first"), [("methods", "z"), ("rule", "z"), ("endpoint", "a"), ("domain", "z")]
)
def test_sort(routes_app: Flask, sort: str, first: str) -> None:
    """Any column can be the one to sort by."""
    assert routes(routes_app, "--sort", sort)[2].startswith(first)


def test_sort_by_match(routes_app: Flask) -> None:
    """The order in which rules are tried is the map's own."""
    expected = [rule.endpoint for rule in routes_app.url_map.iter_rules()]
    assert [line.split()[0] for line in routes(routes_app, "-s", "match")[2:]] == expected


def test_all_methods(routes_app: Flask) -> None:
    """HEAD and OPTIONS are shown on request."""
    assert "GET, HEAD, OPTIONS, POST" in routes(routes_app, "--all-methods")[3]


def test_no_routes() -> None:
    """An application without routes says so."""
    assert routes(Flask(__name__, static_folder=None)) == ["No routes were registered."]


def test_subdomains() -> None:
    """Subdomains have a column, which can be sorted by."""
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/", endpoint="x", subdomain="b")
    app.add_url_rule("/", endpoint="y", subdomain="a")
    lines = routes(app, "--sort", "domain")
    assert lines[0].split() == ["Endpoint", "Methods", "Subdomain", "Rule"]
    assert [line.split()[2] for line in lines[2:]] == ["a", "b"]


def test_hosts() -> None:
    """With host matching the column is the host."""
    app = Flask(__name__, static_folder=None, host_matching=True)
    app.add_url_rule("/", endpoint="x", host="b.example")
    assert routes(app)[0].split() == ["Endpoint", "Methods", "Host", "Rule"]
