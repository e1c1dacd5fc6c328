"""Which proxies are believed, and what they say of the client."""

from __future__ import annotations

import ipaddress
import typing as t

from werkzeug.middleware.proxy_fix import ProxyFix

from .record import current_record

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from .settings import Settings

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# How many addresses are remembered with what was found; clients choose them.
_MAX_KNOWN = 4096


class Proxies:
    """The proxies that are named.

    :param names: addresses and networks with commas, ``unix``, or ``*``.
    """

    def __init__(self, names: str) -> None:
        items = [name for name in names.split(",") if name]
        self._all = "*" in items
        self._unix = self._all or "unix" in items
        self._networks: list[_Network] = [
            ipaddress.ip_network(name) for name in items if name not in ("*", "unix")
        ]
        self._known: dict[str, bool] = {}

    def trusts(self, address: str) -> bool:
        """Return whether the other end of a connection is one of them.

        :param address: its address; empty for a Unix socket.
        """
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = self._known[address] = self._look_up(address)
        return known

    def _look_up(self, address: str) -> bool:
        if self._all:
            return True
        try:
            found = ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
        except ValueError:
            return self._unix and address in ("", "unix")
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            # What an IPv4 client is on a socket for both families.
            found = found.ipv4_mapped
        return any(found in network for network in self._networks)


class Incoming:
    """Middleware around ``wsgi_app``, which all interfaces come to: who the client is.

    :param app: what is wrapped.
    :param settings: the settings.
    :param proxies: who is believed.
    """

    def __init__(self, app: WSGIApplication, settings: Settings, proxies: Proxies) -> None:
        self._app = app
        self._proxies = proxies
        self._believing = ProxyFix(
            app,
            x_for=settings.forwarded_for,
            x_proto=settings.forwarded_proto,
            x_host=settings.forwarded_host,
            x_port=settings.forwarded_port,
            x_prefix=settings.forwarded_prefix,
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        record = current_record.get()
        if record is not None and record.id:
            environ["HTTP_X_REQUEST_ID"] = record.id
        if not self._proxies.trusts(environ.get("REMOTE_ADDR", "")):
            return self._app(environ, start_response)
        return self._believing(environ, start_response)


class Noting:
    """Middleware inside :class:`Incoming`: the client's address goes into the record.

    :param app: what is wrapped.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        record = current_record.get()
        if record is not None:
            record.client = environ.get("REMOTE_ADDR", record.client)
        return self._app(environ, start_response)
