"""The servers that some tests need: PostgreSQL, MariaDB and Redis on this machine.

Where one does not answer, the tests that need it are skipped with a line that says so; with
``CI=true`` they fail instead. Each process of pytest-xdist gets databases of its own.
"""

from __future__ import annotations

import os
import socket
import typing as t
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Service:
    """A server that tests need.

    :param name: what to call it.
    :param port: its port on this machine.
    """

    name: str
    port: int
    host: str = "127.0.0.1"

    def require(self) -> None:
        """Skip the test where the server does not answer; with ``CI=true``, fail it."""
        try:
            socket.create_connection((self.host, self.port), timeout=5).close()
        except OSError as error:
            message = f"{self.name} does not answer at {self.host}:{self.port}: {error}"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)


POSTGRESQL = Service("PostgreSQL", 5432)
MARIADB = Service("MariaDB", 3306)
REDIS = Service("Redis", 6379)


def worker() -> str:
    """Return the name of this process of pytest-xdist; ``main`` where there is only one."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


def postgresql_url(database: str, driver: str = "psycopg") -> str:
    """Return the URL of a database on PostgreSQL, made empty for this process."""
    POSTGRESQL.require()
    import psycopg

    name = f"erlen_{database}_{worker()}"
    admin = psycopg.connect("host=127.0.0.1 user=postgres dbname=test", autocommit=True)
    with admin:
        admin.execute(t.cast(t.Any, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        admin.execute(t.cast(t.Any, f'CREATE DATABASE "{name}"'))
    return f"postgresql+{driver}://postgres@127.0.0.1:5432/{name}"


def mariadb_url(database: str, driver: str = "pymysql") -> str:
    """Return the URL of a database on MariaDB, made empty for this process."""
    MARIADB.require()
    import pymysql

    name = f"erlen_{database}_{worker()}"
    with pymysql.connect(host="127.0.0.1", user="root") as admin, admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    return f"mysql+{driver}://root@127.0.0.1:3306/{name}?charset=utf8mb4"
