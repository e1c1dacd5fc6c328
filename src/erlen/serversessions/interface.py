"""How sessions on the server are opened, saved, listed and ended."""

from __future__ import annotations

import time
import typing as t
from datetime import UTC, datetime
from functools import partial
from itertools import count

from erlen import has_request_context, has_websocket_context, request
from erlen import session as current_session
from erlen.sessions import SessionInterface, SessionRecord, session_json_serializer

from .devices import device_of
from .merging import merge
from .record import StoredSession, key_of, new_token
from .session import ServerSession, SessionUnavailable, SessionValueError, UnavailableSession
from .settings import Lifetimes, is_anonymous_while_unavailable, read_lifetimes
from .store import StoreUnavailable
from .waiting import in_time, on_loop

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from erlen import Request, Response
    from erlen.sessions import SessionMixin
    from erlen.typing import Application

    from .store import SessionStore

P = t.ParamSpec("P")
T = t.TypeVar("T")

#: Seconds for which a request with the old identifier of a renewed session is told from one with a
#: made-up identifier. Such a request was on its way; its answer must not replace the new cookie.
GRACE = 60
# Seconds after which a failure counts as slow, and for which a store is left alone after several.
_SLOW = 0.25
_REST = 0.5
# Each so many new sessions, some that have ended are deleted, out of so many.
_PRUNE_EVERY = 100
_PRUNE_LIMIT = 100
_FAILED = "erlen.session_store_failed"
_LONGEST_AGENT = 200
# How often a change is tried while others change the same session.
_ROUNDS = 200


class ServerSessionInterface(SessionInterface):
    """Keeps sessions in a store on the server; the cookie has a random identifier only.

    ``SESSION_BACKEND`` makes one for the stores that come with Erlen. For a store of your own, set
    ``app.session_interface`` to one.

    :param store: the store.
    """

    keeps_sessions = True
    #: A session is opened when it is first used.
    opens_lazily = True
    #: A session that nobody used is not saved.
    saves_used_only = True
    #: Writes sessions as text: JSON with tags for more types.
    serializer: t.Any = session_json_serializer
    #: The class of the sessions.
    session_class = ServerSession

    def __init__(self, store: SessionStore) -> None:
        self.store = store
        self._lifetimes: tuple[t.Any, int, Lifetimes] | None = None
        self._creations = count(1)
        self._slow_failures = 0
        self._rests_until = 0.0

    # --- Opening ------------------------------------------------------------------------------

    def open_session(self, app: Application, request: Request) -> ServerSession:
        """Return the session that the request's cookie leads to, or a new one.

        :param app: the application.
        :param request: the request.
        :raises SessionUnavailable: (503) where the store is down, unless visitors are anonymous
            then.
        """
        return self.open_with_token(app, request, request.cookies.get(self.get_cookie_name(app)))

    def open_with_token(
        self, app: Application, request: Request, token: str | None
    ) -> ServerSession:
        """Return the session that a token leads to, or a new one.

        :param app: the application.
        :param request: the request.
        :param token: the cookie's value, if there is one.
        """
        key = key_of(token) if token else None
        if key is None:
            return self.session_class()
        try:
            stored = self.ask(self.store.load, key)
        except StoreUnavailable as error:
            return self._open_unavailable(app, request, error)
        session = self._open_stored(app, stored)
        if session.stored is not None:
            session.token = token
        return session

    def _open_stored(self, app: Application, stored: StoredSession | None) -> ServerSession:
        if stored is None or self._has_ended(app, stored):
            return self.session_class()
        if stored.has_moved:
            session = self.session_class()
            session.is_detached = True
            return session
        data = self._read(stored.payload)
        return self.session_class() if data is None else self.session_class(data, stored)

    def _open_unavailable(
        self, app: Application, request: Request, error: StoreUnavailable
    ) -> ServerSession:
        seen = request.environ.get(_FAILED)
        request.environ[_FAILED] = True
        if seen or is_anonymous_while_unavailable(app.config):
            # The page that says what is wrong may look at the session, too.
            if not seen:
                self._report(app, error)
            return UnavailableSession()
        self._report(app, error)
        raise SessionUnavailable() from error

    def _has_ended(self, app: Application, stored: StoredSession) -> bool:
        now = time.time()
        if stored.expires <= now:
            return True
        absolute = self.lifetimes(app).absolute
        return absolute is not None and stored.created + absolute <= now

    # --- Saving -------------------------------------------------------------------------------

    def save_session(self, app: Application, session: SessionMixin, response: Response) -> None:
        """Store what was changed, and set the cookie where the browser needs another one.

        Where the store is down, the response becomes a 503: it must not say that something was
        done which was not kept.

        :param app: the application.
        :param session: what :meth:`open_session` returned.
        :param response: the response.
        :raises SessionValueError: for a value that cannot be stored.
        """
        if session.accessed:
            self.vary_on_cookie(response)
        if not isinstance(session, ServerSession):
            raise TypeError(
                f"A session of the class {type(session).__name__!r} cannot be kept on the server:"
                " it was not opened by this session interface."
            )
        if session.is_detached or isinstance(session, UnavailableSession):
            return
        try:
            self.store_session(app, session, response)
        except StoreUnavailable as error:
            self._report(app, error)
            self._answer_unavailable(app, response)

    def store_session(self, app: Application, session: ServerSession, response: Response) -> None:
        """Store a session where that is needed.

        :param app: the application.
        :param session: the session.
        :param response: the response.
        """
        stored = session.stored
        if stored is None:
            # Nothing is stored of a session that nobody put anything into.
            if session and session.modified:
                self.create(app, session, response)
        elif not session and session.modified:
            self.ask(self.store.delete, stored.key)
            session.is_detached = True
            self.drop_cookie(app, response)
        elif session.is_renewed:
            self._renew(app, session, stored, response)
        elif session.modified or session.may_have_changed_inside:
            payload = self._write(session)
            if payload == stored.payload and session.owner == stored.owner:
                self._touch(app, session, stored, response)
            else:
                self._change(app, session, stored, payload, response)
        else:
            self._touch(app, session, stored, response)

    def create(self, app: Application, session: ServerSession, response: Response) -> None:
        """Store a new session and set its cookie.

        :param app: the application.
        :param session: the session.
        :param response: the response.
        """
        self._store_new(app, session, self._write(session), time.time())
        self._send_token(app, session, response)
        if next(self._creations) % _PRUNE_EVERY == 0:
            self._prune_some()

    def _store_new(
        self, app: Application, session: ServerSession, payload: str, created: float
    ) -> StoredSession:
        """Store a session under a new key."""
        token = new_token()
        key = key_of(token)
        assert key is not None
        now = time.time()
        end = self.lifetimes(app).end(created, now)
        new = StoredSession(key, payload, 1, session.owner, created, now, end, *_client())
        self.ask(self.store.save, new, None)
        self._note_saved(session, new)
        session.token = token
        return new

    def _renew(
        self, app: Application, session: ServerSession, old: StoredSession, response: Response
    ) -> None:
        """Let a session go on under a new identifier, and the old one lead nowhere.

        The new record comes first. Somebody who ends all sessions of the owner in between finds
        one of the two, at any time; the old record is then missing, and the new one is withdrawn.
        """
        begins_anew, has_changed_hands = session.begins_anew, session.owner != old.owner
        # Who has just proved who they are begins a session of full length.
        created = time.time() if begins_anew or has_changed_hands else old.created
        mine = dict(session)
        new = self._store_new(app, session, self._write(session), created)
        merged = self.retire(app, mine, old)
        if begins_anew:
            merged = mine
        elif merged is None and not (has_changed_hands and session.owner is not None):
            self.ask(self.store.delete, new.key)
            session.is_detached = True
            return
        if merged is not None and merged != mine:
            payload = self._write(merged)
            more = new._replace(payload=payload, version=new.version + 1)
            self.ask(self.store.save, more, new.version)
            self._note_saved(session, more)
        self._send_token(app, session, response)

    def retire(
        self, app: Application, mine: dict[str, t.Any], old: StoredSession
    ) -> dict[str, t.Any] | None:
        """Make a stored session lead nowhere, and return what is to go on elsewhere.

        :param app: the application.
        :param mine: what this request made of the session.
        :param old: what it began with.
        :returns: that, with what other requests changed meanwhile; ``None`` where the session has
            ended meanwhile.
        """

        def grave(stored: StoredSession, merged: dict[str, t.Any]) -> StoredSession:
            until = time.time() + GRACE
            return stored._replace(
                payload="", version=stored.version + 1, owner=None, expires=until
            )

        found = self._replace(app, mine, old, grave)
        return None if found is None else found[1]

    def _change(
        self,
        app: Application,
        session: ServerSession,
        old: StoredSession,
        payload: str,
        response: Response,
    ) -> None:
        """Store a session that was changed."""
        lifetimes = self.lifetimes(app)
        has_changed_hands = session.owner != old.owner
        mine = dict(session)

        def changed(stored: StoredSession, merged: dict[str, t.Any]) -> StoredSession:
            now = time.time()
            address, user_agent = _client()
            return stored._replace(
                payload=payload if merged is mine else self._write(merged),
                version=stored.version + 1,
                owner=session.owner if has_changed_hands else stored.owner,
                last_seen=now,
                expires=lifetimes.end(stored.created, now),
                address=address,
                user_agent=user_agent,
            )

        found = self._replace(app, mine, old, changed)
        if found is None:
            session.is_detached = True
            return
        self._note_saved(session, found[0])
        # One that was permanent, and is not now, ends with the browser's session again.
        if session.permanent or '"_permanent":true' in old.payload:
            self._send_token(app, session, response)

    def _replace(
        self,
        app: Application,
        mine: dict[str, t.Any],
        old: StoredSession,
        successor: Callable[[StoredSession, dict[str, t.Any]], StoredSession],
    ) -> tuple[StoredSession, dict[str, t.Any]] | None:
        """Store the successor of a session, made of what it is at that moment.

        :param app: the application.
        :param mine: what this request made of the session.
        :param old: what it began with.
        :param successor: called with what is stored and with what that and *mine* are together.
        :returns: what was stored, and the data in it; ``None`` where the session has ended.
        """
        stored, merged = old, mine
        # One of those that write at a time succeeds, so each round has one less.
        for _ in range(_ROUNDS):
            new = successor(stored, merged)
            if self.ask(self.store.save, new, stored.version):
                return new, merged
            present = self.ask(self.store.load, old.key)
            if present is None or present.has_moved or self._has_ended(app, present):
                return None
            stored = present
            merged = merge(self._read(old.payload) or {}, mine, self._read(stored.payload) or {})
        raise StoreUnavailable("the session is changed by other requests all the time")

    def _touch(
        self, app: Application, session: ServerSession, stored: StoredSession, response: Response
    ) -> None:
        """Note at intervals that a session is in use."""
        now, lifetimes = time.time(), self.lifetimes(app)
        self._note_saved(session, stored)
        if now - stored.last_seen < lifetimes.touch:
            return
        address, user_agent = _client()
        touched = stored._replace(
            last_seen=now,
            expires=lifetimes.end(stored.created, now),
            address=address,
            user_agent=user_agent,
        )
        try:
            self.ask(self.store.save, touched, stored.version)
        except StoreUnavailable as error:
            # Nothing that the visitor did is lost.
            self._report(app, error)
            return
        self._note_saved(session, touched)
        if session.permanent and app.config["SESSION_REFRESH_EACH_REQUEST"]:
            self._send_token(app, session, response)

    def _send_token(self, app: Application, session: ServerSession, response: Response) -> None:
        assert session.token is not None
        self.send_cookie(app, response, session.token, self.get_expiration_time(app, session))

    @staticmethod
    def _note_saved(session: ServerSession, stored: StoredSession) -> None:
        """Let later changes count from here; a WebSocket's session is saved twice."""
        session.stored = stored
        session.modified = session.is_renewed = session.begins_anew = False

    def _answer_unavailable(self, app: Application, response: Response) -> None:
        """Turn a response into the one for a store that is down."""
        error = SessionUnavailable()
        if has_websocket_context() or not has_request_context():
            raise error
        request.environ[_FAILED] = True
        response.close()
        answer = app.make_response(app.handle_user_exception(error))
        for name, value in (app.config.get("DEFAULT_RESPONSE_HEADERS") or {}).items():
            answer.headers.setdefault(name, value)
        response.status = answer.status
        response.headers = answer.headers
        response.response = answer.response

    # --- Listing and ending -------------------------------------------------------------------

    def sessions_of(self, app: Application, owner: str) -> list[SessionRecord]:
        """Return the sessions of a user, the last used first.

        :param app: the application.
        :param owner: whose; what ``session.owner`` was set to.
        :raises SessionUnavailable: (503) where the store is down.
        """
        current = _current_key()
        found = sorted(self._of_owner(app, owner), key=lambda stored: -stored.last_seen)
        return [_to_record(stored, owner, stored.key == current) for stored in found]

    def revoke(self, app: Application, owner: str, record_id: str) -> bool:
        """End one session of a user, at once and in all workers.

        :param app: the application.
        :param owner: whose session it must be.
        :param record_id: the ``id`` of its :class:`~erlen.sessions.SessionRecord`.
        :returns: whether that user had such a session.
        :raises SessionUnavailable: (503) where the store is down.
        """
        keys = [stored.key for stored in self._of_owner(app, owner)]
        return record_id in keys and self._insist(app, self.store.delete, record_id)

    def revoke_all(self, app: Application, owner: str, except_current: bool = False) -> int:
        """End the sessions of a user, at once and in all workers.

        :param app: the application.
        :param owner: whose.
        :param except_current: keep the session of the current request.
        :returns: how many there were.
        :raises SessionUnavailable: (503) where the store is down.
        """
        current = _current_key() if except_current else None
        keys = [stored.key for stored in self._of_owner(app, owner) if stored.key != current]
        return sum(self._insist(app, self.store.delete, key) for key in keys)

    def prune(self, app: Application) -> int:
        """Delete what is stored of sessions that have ended by themselves.

        :param app: the application.
        :returns: how many there were.
        :raises SessionUnavailable: (503) where the store is down.
        """
        return self._insist(app, self.store.prune, time.time(), None)

    def _of_owner(self, app: Application, owner: str) -> list[StoredSession]:
        found = self._insist(app, self.store.of_owner, owner)
        return [one for one in found if not (one.has_moved or self._has_ended(app, one))]

    def _prune_some(self) -> None:
        try:
            self.ask(self.store.prune, time.time(), _PRUNE_LIMIT)
        except StoreUnavailable:  # the next one will do it
            pass

    # --- The store and the settings -----------------------------------------------------------

    def ask(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the store, without stopping an event loop.

        A store that has let several calls wait in vain is left alone for half a second, so that
        not all requests wait for it.

        :param method: the method.
        :param args: its arguments.
        :param kwargs: its named arguments.
        :raises StoreUnavailable: where it cannot be asked.
        """
        began = time.monotonic()
        if began < self._rests_until:
            raise StoreUnavailable("it did not answer a moment ago")
        try:
            if self.store.blocks and on_loop():
                result = in_time(partial(method, *args, **kwargs))
            else:
                result = method(*args, **kwargs)
        except StoreUnavailable:
            now = time.monotonic()
            self._slow_failures = self._slow_failures + 1 if now - began > _SLOW else 0
            if self._slow_failures > 1:
                self._rests_until = now + _REST
            raise
        self._slow_failures = 0
        return result

    def _insist(
        self, app: Application, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a method of the store for a view, to which 503 is the answer where it is down."""
        try:
            return self.ask(method, *args, **kwargs)
        except StoreUnavailable as error:
            self._report(app, error)
            raise SessionUnavailable() from error

    def _report(self, app: Application, error: StoreUnavailable) -> None:
        name = type(self.store).__name__
        app.logger.error("The store of sessions (%s) is unavailable: %s", name, error)

    def lifetimes(self, app: Application) -> Lifetimes:
        """Return how long sessions live, by the configuration.

        :param app: the application.
        """
        config, kept = app.config, self._lifetimes
        if kept is not None and kept[0] is config and kept[1] == config.version:
            return kept[2]
        found = read_lifetimes(config)
        self._lifetimes = (config, config.version, found)
        return found

    def _write(self, data: t.Mapping[str, t.Any]) -> str:
        try:
            text: str = self.serializer.dumps(dict(data))
        except (TypeError, ValueError, RecursionError) as error:
            raise self._value_error(data, error) from error
        return text

    def _value_error(self, data: t.Mapping[str, t.Any], error: Exception) -> SessionValueError:
        for key, value in data.items():
            try:
                self.serializer.dumps({key: value})
            except (TypeError, ValueError, RecursionError):
                return SessionValueError(
                    f"session[{key!r}] cannot be stored: {error}. Sessions hold text, numbers,"
                    " booleans, None, bytes, lists, tuples, dictionaries, dates with a time, UUIDs"
                    " and Markup. Store the value elsewhere and its id in the session, or register"
                    " a tag for its type with app.session_interface.serializer."
                )
        return SessionValueError(f"The session cannot be stored: {error}")

    def _read(self, payload: str) -> dict[str, t.Any] | None:
        """Return the data in a payload; ``None`` where it is damaged."""
        try:
            data = self.serializer.loads(payload)
        except Exception:
            return None
        return data if isinstance(data, dict) else None


def _client() -> tuple[str | None, str]:
    """Return the address of the client of the current request, and what it calls itself."""
    if not has_request_context():
        return None, ""
    agent = request.environ.get("HTTP_USER_AGENT", "")[:_LONGEST_AGENT]
    # PERF: for ASCII this is the test that the generator makes letter by letter.
    if not (agent.isascii() and agent.isprintable()):
        agent = "".join(c if " " <= c <= "~" else "?" for c in agent)
    return request.remote_addr, agent


def _current_key() -> str | None:
    """Return the key of the current request's session."""
    if not has_request_context():
        return None
    stored = getattr(current_session, "stored", None)
    return None if stored is None else t.cast("StoredSession", stored).key


def _to_record(stored: StoredSession, owner: str, current: bool) -> SessionRecord:
    return SessionRecord(
        id=stored.key,
        owner=owner,
        created=datetime.fromtimestamp(stored.created, UTC),
        last_seen=datetime.fromtimestamp(stored.last_seen, UTC),
        address=stored.address,
        user_agent=stored.user_agent,
        device=device_of(stored.user_agent),
        current=current,
    )
