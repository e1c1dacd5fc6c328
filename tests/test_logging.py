"""The application's logger."""

from __future__ import annotations

import logging
import sys
import typing as t
from io import StringIO

import pytest

from erlen import Flask
from erlen.logging import create_logger, default_handler, has_level_handler, wsgi_errors_stream


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[logging.Logger]:
    """A root for the application's logger, without handlers; pytest has some on the real one."""
    root = logging.RootLogger(logging.WARNING)
    logger, part = logging.getLogger("erlen_test"), logging.getLogger("erlen_test.part")
    monkeypatch.setattr(logger, "parent", root)
    # Loggers outlive their applications; another test may have switched this one off.
    monkeypatch.setattr(logger, "disabled", False)
    yield root
    for used in (logger, part):
        used.handlers, used.level, used.propagate = [], logging.NOTSET, True


def test_the_logger_is_named_like_the_application(app: Flask) -> None:
    """The logger has the application's name and the default handler, and is made once."""
    assert app.logger.name == "erlen_test"
    assert app.logger.handlers == [default_handler]
    assert app.logger is app.logger


def test_the_level_follows_debug_mode(app: Flask) -> None:
    """In debug mode all is logged."""
    assert create_logger(app).level == logging.NOTSET
    app.debug = True
    assert create_logger(app).level == logging.DEBUG


def test_a_level_of_ones_own_is_kept(app: Flask) -> None:
    """Debug mode does not change a level that was set."""
    logging.getLogger("erlen_test").setLevel(logging.ERROR)
    app.debug = True
    assert app.logger.level == logging.ERROR


def test_no_handler_is_added_beside_others(app: Flask, root: logging.Logger) -> None:
    """Where logging is set up already, nothing is added."""
    root.addHandler(logging.StreamHandler())
    assert app.logger.handlers == []


def test_handlers_in_reach() -> None:
    """A handler counts if the logger's messages reach it, by level and by propagation."""
    parent, logger = logging.getLogger("erlen_test"), logging.getLogger("erlen_test.part")
    assert not has_level_handler(logger)

    handler = logging.StreamHandler()
    parent.addHandler(handler)
    assert has_level_handler(logger)

    logger.propagate = False
    assert not has_level_handler(logger)

    logger.propagate = True
    handler.setLevel(logging.ERROR)
    assert not has_level_handler(logger)


def test_errors_of_a_request_go_to_the_servers_stream(app: Flask) -> None:
    """While a request is handled, the stream is the one that the server passed."""

    @app.get("/")
    def index() -> str:
        app.logger.error("a message")
        return ""

    stream = StringIO()
    app.test_client().get("/", errors_stream=stream)
    assert "ERROR in test_logging: a message" in stream.getvalue()


def test_errors_outside_a_request_go_to_standard_error(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a request, the stream is standard error as it is at that time."""
    assert wsgi_errors_stream._get_current_object() is sys.stderr
    app.logger.error("a message")
    assert "a message" in capsys.readouterr().err


def test_arguments_of_a_message_stay_on_its_line(app: Flask) -> None:
    """What a visitor sent cannot make up log entries; messages themselves may have lines."""

    @app.get("/")
    def index() -> str:
        app.logger.error("a\nb %s %d", "x\r\n[2000] é\x1b[0m", 1)
        app.logger.error("named %(name)s", {"name": "x\ny"})
        app.logger.error("none")
        return ""

    stream = StringIO()
    app.test_client().get("/", errors_stream=stream)
    assert "a\nb x\\r\\n[2000] é\\x1b[0m 1\n" in stream.getvalue()
    assert "named x\\ny\n" in stream.getvalue()


def test_other_handlers_get_the_arguments_as_they_are(app: Flask) -> None:
    """Only the text is escaped; the record stays what the application logged."""
    record = logging.LogRecord("a", logging.INFO, "f", 1, "%s", ("x\ny",), None)
    assert default_handler.format(record).endswith("x\\ny")
    assert record.args == ("x\ny",)


@pytest.mark.parametrize(
    ("message", "arguments", "line"),
    [
        ("%s", ("one\ntwo",), r"one\ntwo"),
        ("%(name)s", ({"name": "\x1b[2Jé"},), r"\x1b[2Jé"),
        ("%d %s", (5, "\u2028"), r"5 \u2028"),
        ("two\nlines", (), "two\nlines"),
    ],
)
def test_arguments_stay_on_one_line(
    app: Flask,
    capsys: pytest.CaptureFixture[str],
    message: str,
    arguments: tuple[t.Any, ...],
    line: str,
) -> None:
    """Control characters in arguments are escaped: a visitor's text cannot look like an entry."""
    app.logger.error(message, *arguments)
    assert capsys.readouterr().err.endswith(f"ERROR in test_logging: {line}\n")
