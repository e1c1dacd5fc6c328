"""The options of ``erlen serve``, which are made when they are first needed."""

from __future__ import annotations

import click

#: The kinds of deployment files that ``--print`` writes.
KINDS = ("systemd", "dockerfile", "nginx", "compose")


class ServeCommand(click.Command):
    """A command with an option for each setting of the server.

    The table of settings is not imported for other commands, nor with the framework.
    """

    _settings: list[click.Parameter] | None = None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options of the command."""
        if self._settings is None:
            from .serving import make_options

            self._settings = make_options()
        return [*super().get_params(ctx), *self._settings]
