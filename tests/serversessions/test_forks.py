"""Workers that are forked from a process that has used its sessions already."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.serversessions.bench import REDIS_URL, database_url
from tests.services import REDIS

PROGRAM = textwrap.dedent(
    """\
    import json, os, sys
    from tests.serversessions.bench import add_views, new_extension
    from erlen import Erlen

    app = Erlen("forks", instance_path=sys.argv[1])
    app.config.update(SECRET_KEY="k", **json.loads(sys.argv[2]))
    add_views(app)
    if "SQLALCHEMY_DATABASE_URI" in app.config:
        db = new_extension(app)
        with app.app_context():
            db.create_all()
    client = app.test_client()
    client.get("/put/parent/1")
    children = []
    for number in range(2):
        child = os.fork()
        if not child:
            ok = all(
                client.get(f"/put/child{number}/{turn}").status_code == 200 for turn in range(8)
            )
            os._exit(0 if ok else 1)
        children.append(child)
    for turn in range(8):
        assert client.get(f"/put/turn/{turn}").status_code == 200
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 2
    expected = {f"child{number}": "7" for number in range(2)}
    assert client.get("/").json == {"parent": "1", "turn": "7", **expected}
    client.get("/logout")
    """
)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_forked_workers_speak_for_themselves(tmp_path: Path, kind: str) -> None:
    """Children use no connection of their parent's, and all of them write to one session."""
    import json

    config = {"SESSION_BACKEND": kind, "SESSION_REDIS_URL": REDIS_URL}
    if kind == "postgresql":
        url = database_url(kind, tmp_path)
        config = {"SESSION_BACKEND": "database", "SQLALCHEMY_DATABASE_URI": url}
    elif kind == "redis":
        REDIS.require()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(tmp_path), json.dumps(config)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
