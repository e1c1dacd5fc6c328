"""Running Alembic's environment: what an ``env.py`` has to do, as one function."""

from __future__ import annotations

import logging
import typing as t
from logging.config import fileConfig

from alembic import context

from ..globals import current_app

if t.TYPE_CHECKING:
    from sqlalchemy import Engine, MetaData

    from .extension import MigrateConfig

#: Tables in which a migration keeps how far it has come; they are nobody's model.
OWN_TABLES = frozenset({"erlen_migration_journal", "erlen_migration_position"})


class Database(t.NamedTuple):
    """One of the application's databases.

    :param name: its bind key; empty for the default one.
    :param engine: what connects to it.
    :param metadata: the tables that the models put into it.
    """

    name: str
    engine: Engine
    metadata: MetaData


def get_state() -> MigrateConfig:
    """Return what the application keeps about its migrations.

    :raises RuntimeError: when there is no :class:`erlen.migrate.Migrate` for it.
    """
    state: MigrateConfig | None = current_app.extensions.get("migrate")
    if state is None:
        raise RuntimeError(
            f"The application {current_app.name!r} has no migrations. Add Migrate(app, db) to it."
        )
    return state


def get_databases(db: t.Any = None) -> list[Database]:
    """Return the application's databases, the default one first.

    :param db: the database object; by default that of the application.
    """
    db = get_state().db if db is None else db
    engines: dict[str | None, t.Any] = dict(db.engines)
    keys = sorted(engines, key=lambda key: key or "")
    return [
        Database(key or "", getattr(engines[key], "sync_engine", engines[key]), metadata)
        for key in keys
        if (metadata := _get_metadata(db, key)) is not None
    ]


def _get_metadata(db: t.Any, key: str | None) -> MetaData | None:
    metadatas = getattr(db, "metadatas", None)
    if metadatas is None:
        metadata: MetaData = db.metadata
        return metadata
    # A bind without a single model has no metadata yet.
    return t.cast("MetaData | None", metadatas.get(key))


def get_names() -> list[str]:
    """Return the names for which a migration has its pair of functions: the default one's is empty.

    Templates of migrations ask for them.
    """
    return [database.name for database in get_databases()]


def run(**options: t.Any) -> None:
    """Do what Alembic was started for, on each database of the application.

    An ``env.py`` needs nothing but this call:

    .. code-block:: python

        from erlen.migrate.environment import run

        run(include_schemas=True)

    :param options: arguments for Alembic's ``EnvironmentContext.configure()``, before those that
        :class:`erlen.migrate.Migrate` was given.
    """
    config = context.config
    has_logging = config.config_file_name is not None and config.file_config.has_section("loggers")
    # An application that has set up its logging keeps it.
    if has_logging and not logging.root.handlers:
        fileConfig(str(config.config_file_name), disable_existing_loggers=False)
    databases = get_databases()
    several = len(databases) > 1
    for database in databases:
        arguments = {**get_state().configure_args, **options}
        arguments["include_name"] = _hide_own_tables(arguments.get("include_name"))
        if arguments.get("process_revision_directives") is None:
            arguments["process_revision_directives"] = _write_nothing_empty
        run_arguments = {}
        if several:
            arguments["upgrade_token"] = f"{database.name}_upgrades"
            arguments["downgrade_token"] = f"{database.name}_downgrades"
            run_arguments = {"engine_name": database.name}
        if context.is_offline_mode():
            _run_offline(database, arguments, run_arguments, several)
        else:
            _run_online(database, arguments, run_arguments)


def _run_offline(
    database: Database, arguments: dict[str, t.Any], run_arguments: dict[str, str], several: bool
) -> None:
    context.configure(
        url=database.engine.url,
        target_metadata=database.metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        **arguments,
    )
    if several:
        context.get_context().impl.static_output(f"-- Database: {database.name or '(default)'}")
    with context.begin_transaction():
        context.run_migrations(**run_arguments)


def _run_online(
    database: Database, arguments: dict[str, t.Any], run_arguments: dict[str, str]
) -> None:
    if database.engine.dialect.name == "sqlite":
        # True with the transactions that prepare.py sees to; Alembic does not expect it.
        arguments.setdefault("transactional_ddl", True)
    with database.engine.connect() as connection:
        context.configure(connection=connection, target_metadata=database.metadata, **arguments)
        with context.begin_transaction():
            context.run_migrations(**run_arguments)


def _write_nothing_empty(
    migration_context: t.Any, revision: t.Any, directives: list[t.Any]
) -> None:
    """Have Alembic write no migration where there is nothing to do on any database."""
    if not directives or not getattr(context.config.cmd_opts, "autogenerate", False):
        return
    found = directives[0].upgrade_ops_list
    if len(found) >= len(get_databases()) and all(ops.is_empty() for ops in found):
        directives.clear()


def _hide_own_tables(wanted: t.Any) -> t.Any:
    def include_name(name: str | None, kind: str, parents: t.Any) -> bool:
        if kind == "table" and name in OWN_TABLES:
            return False
        return wanted is None or bool(wanted(name, kind, parents))

    return include_name
