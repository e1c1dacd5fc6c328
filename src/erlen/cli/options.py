"""Types of the options of ``erlen run``."""

from __future__ import annotations

import typing as t

import click
from werkzeug.utils import import_string

if t.TYPE_CHECKING:
    from types import ModuleType

    _ParamType = click.ParamType[t.Any]
else:
    # Generic in newer releases of click only.
    _ParamType = click.ParamType


class CertParamType(_ParamType):
    """The value of ``--cert``: a file, ``adhoc``, or the import name of an SSL context."""

    name = "path"

    def __init__(self) -> None:
        self.path_type = click.Path(exists=True, dir_okay=False, resolve_path=True)

    def convert(
        self, value: t.Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> t.Any:
        """Return the file's path, ``"adhoc"``, or the :class:`ssl.SSLContext`."""
        ssl = _import_ssl()
        if ssl is None:
            raise click.BadParameter(
                "'--cert' requires a Python compiled with SSL support.", ctx, param
            )
        try:
            return self.path_type(value, param, ctx)
        except click.BadParameter:
            if str(value).lower() == "adhoc":
                return _checked_adhoc(param, ctx)
            context = import_string(str(value), silent=True)
            if isinstance(context, ssl.SSLContext):
                return context
            raise


def _checked_adhoc(param: click.Parameter | None, ctx: click.Context | None) -> str:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise click.BadParameter(
            "'adhoc' certificates require the package 'cryptography' to be installed.",
            ctx,
            param,
        ) from None
    return "adhoc"


def _import_ssl() -> ModuleType | None:
    try:
        import ssl
    except ImportError:
        return None
    return ssl


def _validate_key(ctx: click.Context, param: click.Parameter, value: t.Any) -> t.Any:
    """Check ``--key`` against ``--cert``, and make a pair of the two files of them."""
    cert = ctx.params.get("cert")
    is_file = isinstance(cert, str) and cert != "adhoc"

    if value is None:
        if is_file:
            raise click.BadParameter("Required when using '--cert'.", ctx, param)
        return None

    if not cert:
        raise click.BadParameter("'--cert' must also be specified.", ctx, param)
    if not is_file:
        kind = "'adhoc'" if cert == "adhoc" else "an SSLContext object"
        raise click.BadParameter(f"When '--cert' is {kind}, '--key' is not used.", ctx, param)
    ctx.params["cert"] = (cert, value)
    return value


class SeparatedPathType(click.Path):
    """A list of paths in one value, separated as in the variable ``PATH``."""

    def convert(
        self, value: t.Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> t.Any:
        """Return the list of the paths, each converted as :class:`click.Path` would."""
        convert = super().convert
        return [convert(item, param, ctx) for item in self.split_envvar_value(value)]
