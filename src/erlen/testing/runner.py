"""The command runner: an application's commands without a terminal."""

from __future__ import annotations

import typing as t

from click.testing import CliRunner

from erlen.cli import ScriptInfo

if t.TYPE_CHECKING:
    from click.testing import Result

    from erlen.typing import Application


class FlaskCliRunner(CliRunner):
    """Runs commands of an application, and gives back what they printed.

    Made by :meth:`Flask.test_cli_runner`.

    .. code-block:: python

        result = app.test_cli_runner().invoke(args=["import-books", "books.csv"])
        assert result.exit_code == 0
        assert "200 books" in result.output

    :param app: the application.
    :param kwargs: passed to :class:`click.testing.CliRunner`.
    """

    def __init__(self, app: Application, **kwargs: t.Any) -> None:
        self.app = app
        super().__init__(**kwargs)

    def invoke(  # type: ignore[override]
        self, cli: t.Any = None, args: t.Any = None, **kwargs: t.Any
    ) -> Result:
        """Run a command.

        :param cli: the command; by default ``app.cli``, the group of all of them.
        :param args: the arguments: a list of strings, or one string.
        :param kwargs: passed to :meth:`click.testing.CliRunner.invoke`. Without ``obj``, the
            command gets a :class:`~erlen.cli.ScriptInfo` that loads the application under test.
        :returns: the result, with ``output``, ``exit_code`` and ``exception``.
        """
        if cli is None:
            cli = self.app.cli
        if "obj" not in kwargs:
            kwargs["obj"] = ScriptInfo(create_app=lambda: self.app)
        return super().invoke(cli, args, **kwargs)
