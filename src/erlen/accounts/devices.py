"""The devices that somebody is logged in on: what they are called, and what their sessions hold."""

from __future__ import annotations

import typing as t

from erlen.forms.i18n import gettext
from erlen.serversessions import ServerSessionInterface, SessionUnavailable, StoreUnavailable
from erlen.serversessions.devices import parts_of

if t.TYPE_CHECKING:
    from erlen.sessions import SessionInterface

__all__ = ["describe_device", "read_session"]


def describe_device(user_agent: str) -> str:
    """Return a few words for a device, in the language of the request.

    :param user_agent: the header.
    """
    browser, system = parts_of(user_agent)
    if browser and system:
        return gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or gettext("Unknown device")


def read_session(
    interface: SessionInterface, owner: str, record_id: str
) -> dict[str, t.Any] | None:
    """Return what is in a session of somebody; ``None`` where that cannot be known.

    :param interface: what keeps sessions.
    :param owner: whose session it must be.
    :param record_id: the ``id`` of its record.
    :raises SessionUnavailable: (503) where the store is down.
    """
    if not isinstance(interface, ServerSessionInterface):
        return None
    try:
        found = interface.ask(interface.store.of_owner, owner)
    except StoreUnavailable as error:
        raise SessionUnavailable() from error
    for stored in found:
        if stored.key == record_id:
            return _read(interface, stored.payload)
    return None


def _read(interface: ServerSessionInterface, payload: str) -> dict[str, t.Any] | None:
    try:
        data = interface.serializer.loads(payload)
    except Exception:
        # What is damaged opens as an empty session, and must be possible to end as well.
        return None
    return data if isinstance(data, dict) else None
