"""A store in Redis, or in another server that speaks its protocol."""

from __future__ import annotations

import asyncio
import re
import time
import typing as t
import weakref
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from erlen import await_
from erlen.exceptions import ConfigError

from .record import StoredSession, digest_of, from_text, to_text
from .store import SessionStore, StoreUnavailable
from .waiting import PATIENCE, on_loop
from .wire import Command, Lines

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator

T = t.TypeVar("T")

# Yields commands that are sent together, is sent their replies, and returns a result.
Talk = t.Generator[list[Command], list[t.Any], T]

#: Seconds for making a connection, and for an answer on it. Two answers are waited for where a
#: connection is made first.
TIMEOUT = 0.5
_PROTOCOL = re.compile(r"([?&])protocol=\w*&?")
# How many requests of one event loop talk to the server at a time.
_SLOTS = 32

# Replaces a session's text where it begins with the version that is expected. A step of the server
# that no other command comes between.
_REPLACE = """\
local present = redis.call('GET', KEYS[1])
if not present or string.match(present, '^%d+') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
# Adds a session to an owner's, drops what has ended, and lets the list live as long as the last.
_ENLIST = """\
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
"""


class RedisStore(SessionStore):
    """Keeps each session under a key of its own, which the server drops when the session ends.

    A request that runs on an event loop uses an asynchronous client.

    :param url: the server, as ``redis://user:password@host:6379/0``, ``rediss://…`` for TLS, or
        ``unix://…``.
    :param client: a client to use instead of a URL; its timeouts are yours to set.
    :param prefix: what all keys begin with; applications that share a server need different ones.
    :raises ConfigError: for a URL that is none, and for an asynchronous client.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        client: redis.Redis | redis.asyncio.Redis | None = None,
        prefix: str = "session:",
    ) -> None:
        self.prefix = prefix
        # The version of the protocol is the store's business.
        url = self._url = None if url is None else _PROTOCOL.sub(r"\1", url)
        # A client that was given can only wait.
        self.blocks = client is not None
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _ClientOfLoop]
        self._loops = WeakKeyDictionary()
        # Not all methods of the clients have types.
        self.client: t.Any
        self._lines: Lines | None
        if client is not None:
            if isinstance(client, redis.asyncio.Redis):
                raise ConfigError(
                    "SESSION_REDIS is an asynchronous client. Set SESSION_REDIS_URL instead: the"
                    " store makes clients of both kinds from it."
                )
            self.client = client
            self._lines = None
            return
        if url is None:
            raise ConfigError(
                "Sessions in Redis need the server's URL: set SESSION_REDIS_URL, for example to"
                ' "redis://localhost:6379/0".'
            )
        try:
            self.client = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **_OPTIONS)
        except ValueError as error:
            raise ConfigError(f"SESSION_REDIS_URL is no URL of a Redis server: {error}") from error
        self._lines = Lines(self.client.connection_pool)

    def load(self, key: str) -> StoredSession | None:
        """Return the session with a key, or ``None``."""
        return self._run(self._load(key))

    def save(self, session: StoredSession, expected: int | None) -> bool:
        """Store a session, unless another version is there."""
        return self._run(self._save(session, expected))

    def delete(self, key: str) -> bool:
        """Delete the session with a key."""
        return self._run(self._delete(key))

    def of_owner(self, owner: str) -> list[StoredSession]:
        """Return the sessions of an owner."""
        return self._run(self._of_owner(owner))

    def prune(self, now: float, limit: int | None) -> int:
        """Return 0: the server drops sessions itself when they end."""
        return 0

    # --- What is said to the server -----------------------------------------------------------

    def _load(self, key: str) -> Talk[StoredSession | None]:
        (text,) = yield [("GET", self.prefix + key)]
        return _from_reply(key, text)

    def _save(self, session: StoredSession, expected: int | None) -> Talk[bool]:
        name, text = self.prefix + session.key, to_text(session)
        now = time.time()
        lasts = max(1, int((session.expires - now) * 1000))
        commands: list[Command] = []
        if session.owner is not None:
            index = self._index(session.owner)
            # First, so that no session of an owner is ever missing from the list.
            commands.append(
                ("EVAL", _ENLIST, 1, index, session.key, session.expires, now, lasts),
            )
        if expected is None:
            commands.append(("SET", name, text, "PX", lasts, "NX"))
        else:
            commands.append(("EVAL", _REPLACE, 1, name, expected, text, lasts))
        *_, reply = yield commands
        return bool(reply)

    def _delete(self, key: str) -> Talk[bool]:
        (count,) = yield [("DEL", self.prefix + key)]
        return bool(count)

    def _of_owner(self, owner: str) -> Talk[list[StoredSession]]:
        index = self._index(owner)
        (members,) = yield [("ZRANGEBYSCORE", index, time.time(), "+inf")]
        keys = [member.decode() if isinstance(member, bytes) else member for member in members]
        if not keys:
            return []
        texts = yield [("GET", self.prefix + key) for key in keys]
        found = []
        gone: list[str] = []
        for key, text in zip(keys, texts, strict=True):
            session = _from_reply(key, text)
            if session is None or session.owner != owner:
                gone.append(key)
            else:
                found.append(session)
        if gone:
            yield [("ZREM", index, *gone)]
        return found

    def _index(self, owner: str) -> str:
        return f"{self.prefix}of:{digest_of(owner)}"

    # --- How it is said -----------------------------------------------------------------------

    def _run(self, talk: Talk[T]) -> T:
        try:
            if not self.blocks and on_loop():
                return await_(self._run_on_loop(talk))
            return _drive(talk, self._send)
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(str(error)) from error

    def close(self) -> None:
        """Close the connections that are not in use."""
        if self._lines is not None:
            self._lines.close()
            self.client.close()
        for loop, found in list(self._loops.items()):
            _close_soon(loop, found.client)

    def _send(self, commands: list[Command]) -> list[t.Any]:
        if self._lines is not None:
            return self._lines.ask(commands)
        if len(commands) == 1:
            return [self.client.execute_command(*commands[0])]
        with self.client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[t.Any] = pipeline.execute()
            return replies

    async def _run_on_loop(self, talk: Talk[T]) -> T:
        found = self._find_client()
        began = time.monotonic()
        async with found.slots:
            # Those who waited for a slot do not try in turn what has just failed for others.
            if found.failed_at > began:
                raise StoreUnavailable("it did not answer others")
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._talk_on_loop(found.client, talk)
            except (RedisError, OSError, TimeoutError):
                found.failed_at = time.monotonic()
                raise

    async def _talk_on_loop(self, client: redis.asyncio.Redis, talk: Talk[T]) -> T:
        try:
            commands = next(talk)
            while True:
                commands = talk.send(await self._send_on_loop(client, commands))
        except StopIteration as stop:
            return t.cast(T, stop.value)

    async def _send_on_loop(self, client: t.Any, commands: list[Command]) -> list[t.Any]:
        if len(commands) == 1:
            return [await client.execute_command(*commands[0])]
        async with client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[t.Any] = await pipeline.execute()
            return replies

    def _find_client(self) -> _ClientOfLoop:
        """Return the client of the running loop, which its connections belong to."""
        loop = asyncio.get_running_loop()
        found = self._loops.get(loop)
        if found is None:
            assert self._url is not None
            found = self._loops[loop] = _ClientOfLoop(self._url)
            # A store that goes away, as in tests, closes what it has opened on this loop.
            weakref.finalize(self, _close_soon, loop, found.client).atexit = False
        return found


class _ClientOfLoop:
    """An asynchronous client that is closed with its event loop."""

    def __init__(self, url: str) -> None:
        self.client = redis.asyncio.Redis.from_url(
            url, retry=AsyncRetry(NoBackoff(), 0), **_OPTIONS
        )
        # More at a time would not be faster, and each takes a connection.
        self.slots = asyncio.Semaphore(_SLOTS)
        self.failed_at = 0.0
        # The loop closes the generators that were begun on it before it ends itself.
        self._keeper = _close_at_end(self.client)
        try:
            t.cast(t.Any, self._keeper.__anext__()).send(None)
        except StopIteration:
            pass


_OPTIONS: dict[str, t.Any] = {
    "socket_timeout": TIMEOUT,
    "socket_connect_timeout": TIMEOUT,
    "protocol": 2,
}


def _close_soon(loop: asyncio.AbstractEventLoop, client: redis.asyncio.Redis) -> None:
    """Have a client closed on its loop, where that goes on; called from any thread."""
    if loop.is_running():
        asyncio.run_coroutine_threadsafe(client.aclose(), loop)


async def _close_at_end(client: redis.asyncio.Redis) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await client.aclose()


def _drive(talk: Talk[T], send: t.Callable[[list[Command]], list[t.Any]]) -> T:
    try:
        commands = next(talk)
        while True:
            commands = talk.send(send(commands))
    except StopIteration as stop:
        return t.cast(T, stop.value)


def _from_reply(key: str, reply: t.Any) -> StoredSession | None:
    if reply is None:
        return None
    # A client that was given may decode by itself.
    text = reply.decode("ascii", "replace") if isinstance(reply, bytes) else str(reply)
    return from_text(key, text)
