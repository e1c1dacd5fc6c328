"""The commands ``erlen compat …``."""

from __future__ import annotations

from pathlib import Path

import click

from .alias import SERVED, is_installed, legacy_names
from .check import Finding, check_environment
from .environment import Environment, disable, enable, find_environment, find_installed, is_enabled


@click.group()
def compat() -> None:
    """Run Flask applications and extensions on Erlen, unchanged."""


@compat.command("enable")
@click.option(
    "--legacy",
    multiple=True,
    metavar="NAME",
    help="Also serve a name that Flask 3 removed, such as _request_ctx_stack.",
)
def enable_command(legacy: tuple[str, ...]) -> None:
    """Let Erlen answer 'import flask' in every process of this environment."""
    environment = find_environment()
    try:
        _show("Wrote", enable(environment, legacy))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--legacy") from None
    except OSError as error:
        raise _cannot_write(environment, error) from None
    click.echo("Python processes that start from now on get Erlen when they import flask.")


@compat.command("disable")
def disable_command() -> None:
    """Undo 'erlen compat enable'."""
    environment = find_environment()
    try:
        removed = disable(environment)
    except OSError as error:
        raise _cannot_write(environment, error) from None
    _show("Removed", removed)
    if not removed:
        click.echo("The environment was not enabled; there is nothing to remove.")


def _show(verb: str, paths: list[Path]) -> None:
    for path in paths:
        click.echo(f"{verb} {path}")


def _cannot_write(environment: Environment, error: OSError) -> click.ClickException:
    return click.ClickException(
        f"Cannot change the environment at {environment.site_packages}: {error.strerror}."
        " Use a virtual environment of your own, or an account that may write there."
    )


@compat.command("status")
def status_command() -> None:
    """Say what answers for flask in this environment."""
    environment = find_environment()
    enabled = is_enabled(environment)
    click.echo(f"Environment: {environment.site_packages}")
    click.echo(f"Enabled:     {'yes' if enabled else 'no'}")
    click.echo(f"In this process: {'Erlen answers' if is_installed() else 'not installed'}")
    if legacy_names():
        click.echo(f"Removed names served: {', '.join(legacy_names())}")
    for served in SERVED:
        version = find_installed(served.distribution)
        installed = f"{served.distribution} {version}" if version else "not installed"
        click.echo(f"{served.name}: follows {served.version}; the distribution: {installed}")


@compat.command("check")
def check_command() -> None:
    """Find installed extensions that need names which Flask 3 removed.

    The exit code is 1 when there is one that would fail without the name.
    """
    names, findings = check_environment()
    click.echo(f"Read {len(names)} extensions of Flask.")
    needed = [finding for finding in findings if not finding.guarded]
    for finding in findings:
        _report(finding)
    if not needed:
        click.echo("None of them needs a name that Flask 3 removed.")
        return
    wanted = sorted({f"{found.package}:{found.removed.attribute}" for found in needed})
    click.echo("\nNewer versions of these extensions may have followed. Otherwise serve the names:")
    click.echo(f"    erlen.compat.install(legacy={wanted!r})")
    raise click.exceptions.Exit(1)


def _report(finding: Finding) -> None:
    tense = "can do without" if finding.guarded else "needs"
    removed = finding.removed
    click.echo(
        f"{finding.distribution} {finding.version} {tense} {removed.modules[0]}."
        f"{removed.attribute}, removed in Flask {removed.since}\n    {finding.path}:{finding.line}"
    )
