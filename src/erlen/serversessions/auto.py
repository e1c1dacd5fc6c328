"""Sessions in a signed cookie while they are small and nobody's, and on the server else."""

from __future__ import annotations

import typing as t

from itsdangerous import BadData

from erlen.sessions import SecureCookieSessionInterface

from .interface import ServerSessionInterface
from .session import ServerSession

if t.TYPE_CHECKING:
    from erlen import Request, Response
    from erlen.typing import Application

    from .store import SessionStore

#: Browsers keep cookies of up to so many bytes (RFC 6265, section 6.1).
_LARGEST = 4093
# What the attributes of a cookie take beside its name and value, and more.
_ATTRIBUTES = 250
# How full a cookie may be for a session to come back into it; near the limit, it would go to and
# fro.
_SMALL = 0.5


class AutoSessionInterface(ServerSessionInterface):
    """Keeps a session in a signed cookie, until that grows too large or the session has an owner.

    So visitors cost no storage, and the sessions of users can be listed and ended. A session comes
    back into the cookie when it has no owner and fills half of a cookie at most.

    :param store: where sessions are kept that a cookie does not hold.
    """

    def __init__(self, store: SessionStore) -> None:
        super().__init__(store)
        self._cookies = SecureCookieSessionInterface()

    def open_session(self, app: Application, request: Request) -> ServerSession:
        """Return the session that is in the request's cookie or that it leads to, or a new one.

        :param app: the application.
        :param request: the request.
        """
        value = request.cookies.get(self.get_cookie_name(app))
        # What is signed has dots, a token has none.
        if not value or "." not in value:
            return self.open_with_token(app, request, value)
        return self.session_class(self._load_cookie(app, value))

    def _load_cookie(self, app: Application, value: str) -> dict[str, t.Any]:
        signing = self._cookies.get_signing_serializer(app)
        if signing is None:
            return {}
        max_age = int(app.permanent_session_lifetime.total_seconds())
        try:
            data = signing.loads(value, max_age=max_age)
        except BadData:
            return {}
        return data if isinstance(data, dict) else {}

    def store_session(self, app: Application, session: ServerSession, response: Response) -> None:
        """Put a session where it belongs.

        :param app: the application.
        :param session: the session.
        :param response: the response.
        """
        if session.stored is None:
            self._save_from_cookie(app, session, response)
        elif (
            session.modified
            and session
            and session.owner is None
            and self._fits(app, session, _SMALL)
        ):
            self._move_back(app, session, response)
        else:
            super().store_session(app, session, response)

    def _save_from_cookie(
        self, app: Application, session: ServerSession, response: Response
    ) -> None:
        if not session:
            if session.modified:
                self.drop_cookie(app, response)
        elif session.modified and (session.owner is not None or not self._fits(app, session, 1)):
            self.create(app, session, response)
        elif self.should_set_cookie(app, session):
            self._send(app, session, response)

    def _move_back(self, app: Application, session: ServerSession, response: Response) -> None:
        assert session.stored is not None
        data = self.retire(app, dict(session), session.stored)
        if session.begins_anew:
            data = dict(session)
        if data is None:
            session.is_detached = True
            return
        session.stored, session.token = None, None
        dict.clear(session)
        session.update(data)
        if self._fits(app, session, 1):
            self._send(app, session, response)
        else:
            self.create(app, session, response)

    def _send(self, app: Application, session: ServerSession, response: Response) -> None:
        signing = self._cookies.get_signing_serializer(app)
        assert signing is not None, "checked when the interface was made"
        value = signing.dumps(dict(session))
        self.send_cookie(app, response, value, self.get_expiration_time(app, session))

    def _fits(self, app: Application, session: ServerSession, share: float) -> bool:
        """Tell whether a session fills no more than a share of a cookie."""
        signing = self._cookies.get_signing_serializer(app)
        assert signing is not None, "checked when the interface was made"
        # In time, a value that cannot be stored is named.
        self._write(session)
        taken = len(self.get_cookie_name(app)) + len(signing.dumps(dict(session))) + _ATTRIBUTES
        return taken <= (app.config["MAX_COOKIE_SIZE"] or _LARGEST) * share
