"""What each store promises to the sessions that are kept in it."""

from __future__ import annotations

import os
import stat
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.serversessions.bench import Bench, token_of

from erlen.serversessions import MemoryStore, SessionStore, StoredSession
from erlen.serversessions.record import key_of, new_token

NOW = time.time()


def make(**values: t.Any) -> StoredSession:
    """Return a session with a key of its own."""
    key = key_of(new_token())
    assert key is not None
    session = StoredSession(
        key, '{"a":1}', 1, "ann", NOW, NOW, NOW + 1000, "192.0.2.1", "Mozilla/5.0"
    )
    return session._replace(**values)


@pytest.fixture
def store(bench: Bench) -> SessionStore:
    """One store after the other."""
    return bench.store()


def test_what_is_saved_is_loaded(store: SessionStore) -> None:
    """All of a session comes back as it was: odd text, no owner, and long payloads too."""
    for session in (
        make(),
        make(owner=None, address=None, user_agent=""),
        make(owner='Zoë "O\'Neil"\n\u2028 \U0001f40d', payload='{"a":"\\u0000\\n"}'),
        make(payload='{"a":"' + "x" * 200_000 + '"}', version=7),
    ):
        assert store.save(session, None)
        assert store.load(session.key) == session


def test_what_is_not_there_is_not_found(store: SessionStore) -> None:
    """A key that nobody stored leads to nothing, and cannot be changed or deleted."""
    session = make()
    assert store.load(session.key) is None
    assert store.save(session, 1) is False
    assert store.delete(session.key) is False
    assert store.load(session.key) is None


def test_only_the_expected_version_is_replaced(store: SessionStore) -> None:
    """Of two that write upon the same version, the second is told that it is too late."""
    first = make()
    store.save(first, None)
    assert store.save(first._replace(payload='{"b":1}', version=2), 1)
    assert not store.save(first._replace(payload='{"c":1}', version=2), 1)
    found = store.load(first.key)
    assert found is not None
    assert found.payload == '{"b":1}'


def test_deleted_is_deleted(store: SessionStore) -> None:
    """A session that was deleted is not found, not listed, and a late writer does not revive it."""
    session = make(owner="late writer")
    store.save(session, None)
    assert store.delete(session.key) is True
    assert store.save(session._replace(version=2), 1) is False
    assert store.load(session.key) is None
    assert store.of_owner("late writer") == []


def test_sessions_of_an_owner(store: SessionStore) -> None:
    """An owner's sessions are found by the exact name, not by one that looks alike."""
    owner = f"Ann {new_token()}"
    mine = [make(owner=owner) for _ in range(3)]
    others = [make(owner=owner.lower()), make(owner=f"{owner} "), make(owner=None)]
    for session in mine + others:
        store.save(session, None)
    assert sorted(store.of_owner(owner)) == sorted(mine)


def test_a_new_owner_has_the_session(store: SessionStore) -> None:
    """A session that changes hands is listed for its new owner only."""
    old, new = f"old {new_token()}", f"new {new_token()}"
    session = make(owner=old)
    store.save(session, None)
    changed = session._replace(owner=new, version=2)
    assert store.save(changed, 1)
    assert store.of_owner(old) == []
    assert store.of_owner(new) == [changed]


def test_ended_sessions_are_pruned(store: SessionStore) -> None:
    """Pruning takes what has ended, and leaves what has not."""
    store.prune(NOW, None)
    alive = make()
    ended = [make(expires=NOW - 10) for _ in range(3)]
    for session in (alive, *ended):
        store.save(session, None)
    # Redis has dropped them already.
    assert store.prune(NOW, None) in (0, 3)
    deadline = time.monotonic() + 30
    while any(store.load(session.key) for session in ended) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [store.load(session.key) for session in ended] == [None] * 3
    assert store.load(alive.key) == alive


def test_one_of_many_writers_wins(store: SessionStore) -> None:
    """Of eight threads that replace the same version, one is told that it did."""
    session = make()
    store.save(session, None)

    def write(number: int) -> bool:
        return store.save(session._replace(payload=f'{{"n":{number}}}', version=2), 1)

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(8)))
    assert sum(won) == 1
    found = store.load(session.key)
    assert found is not None
    assert found.payload == f'{{"n":{won.index(True)}}}'


def test_files_are_private(files: Bench) -> None:
    """Folders and files of sessions are readable by the application's user only."""
    client = files.client()
    client.get("/login/ann")
    modes = set()
    for folder, _, names in os.walk(files.folder / "sessions"):
        modes.add(stat.S_IMODE(os.stat(folder).st_mode))
        modes |= {stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) for name in names}
    assert modes == {0o700, 0o600}


@pytest.mark.parametrize("value", ["../../../etc/passwd", "a/b", "..", "%2e%2e", "x" * 43, "\x01"])
def test_no_path_comes_from_a_cookie(files: Bench, value: str) -> None:
    """Whatever a cookie says, no file is named by it."""
    client = files.client()
    client.get("/put/a/1")
    before = sorted(map(str, (files.folder / "sessions").rglob("*")))
    client.set_cookie("session", value)
    assert client.get("/").json == {}
    assert sorted(map(str, (files.folder / "sessions").rglob("*"))) == before


def test_a_damaged_file_is_no_session(files: Bench) -> None:
    """Half of a file, as a crash of the machine leaves it, is an empty session, not an error."""
    client = files.client()
    client.get("/put/a/1")
    path = _file_of(files, client)
    for content in (b"", b"1", b"1\n[", b"\xff\xfe", b'x\n[null,1,1,9e9,null,""]\n{}'):
        path.write_bytes(content)
        assert client.get("/").json == {}


def test_a_left_over_file_is_pruned(files: Bench) -> None:
    """What a crash left behind while a file was written goes when it is old."""
    client = files.client()
    client.get("/put/a/1")
    path = _file_of(files, client)
    left = path.with_name(path.name + ".new")
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    assert files.store().prune(time.time(), None) == 1
    assert not left.exists()
    assert path.exists()


def _file_of(files: Bench, client: t.Any) -> Path:
    token = token_of(client)
    assert token is not None
    key = key_of(token)
    assert key is not None
    return files.folder / "sessions" / key[:2] / key


def test_memory_is_bounded() -> None:
    """The store in memory keeps so many sessions, those that were used last."""
    store = MemoryStore(limit=3)
    sessions = [make() for _ in range(4)]
    for session in sessions[:3]:
        store.save(session, None)
    assert store.load(sessions[0].key) is not None
    store.save(sessions[3], None)
    left = [session for session in sessions if store.load(session.key) is not None]
    assert left == [sessions[0], sessions[2], sessions[3]]
