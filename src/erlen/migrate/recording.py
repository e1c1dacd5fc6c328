"""Running a migration without a database, to see what it would do."""

from __future__ import annotations

import io
import sys
import typing as t
from contextlib import contextmanager

import alembic.op
from alembic.migration import MigrationContext
from alembic.operations import BatchOperations, MigrateOperation, Operations, ops
from alembic.operations.batch import BatchOperationsImpl

from .running import call_migration

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.script import Script
    from sqlalchemy import Dialect


class Recorded(t.NamedTuple):
    """One operation of a migration.

    :param op: the operation.
    :param line: the line of the file that asks for it; 0 where that is not known.
    :param autocommit: whether it is outside of the transaction.
    """

    op: t.Any
    line: int
    autocommit: bool


class _Nothing:
    """Stands for a connection and all that it returns: no rows, whatever is asked."""

    def __getattr__(self, name: str) -> _Nothing:
        return self

    def __call__(self, *args: object, **kwargs: object) -> _Nothing:
        return self

    def __iter__(self) -> Iterator[t.Any]:
        return iter(())

    def __bool__(self) -> bool:
        return False

    def __enter__(self) -> _Nothing:
        return self

    def __exit__(self, *args: object) -> None:
        pass


class _Recorder(Operations):
    """Notes operations in place of performing them."""

    def __init__(self, context: MigrationContext, path: str) -> None:
        super().__init__(context)
        self.path = path
        self.found: list[Recorded] = []
        self.autocommit = False
        t.cast(t.Any, context).autocommit_block = self._autocommit_block

    @contextmanager
    def _autocommit_block(self) -> Iterator[None]:
        self.autocommit = True
        try:
            yield
        finally:
            self.autocommit = False

    def note(self, operation: MigrateOperation) -> t.Any:
        """Note an operation, and the line that asks for it.

        :param operation: the operation.
        """
        self.found.append(Recorded(operation, _find_line(self.path), self.autocommit))
        if isinstance(operation, ops.CreateTableOp):
            return operation.to_table(self.migration_context)
        return None

    def invoke(self, operation: t.Any) -> t.Any:
        return self.note(operation)

    def get_bind(self) -> t.Any:
        return _Nothing()

    @contextmanager
    def batch_alter_table(  # type: ignore[override]
        self, table_name: str, schema: str | None = None, **kw: t.Any
    ) -> Iterator[BatchOperations]:
        make_impl = t.cast(t.Any, BatchOperationsImpl)
        impl = make_impl(self, table_name, schema, "auto", None, (), {}, (), {}, None, ())
        yield _BatchRecorder(self, impl)


class _BatchRecorder(BatchOperations):
    def __init__(self, recorder: _Recorder, impl: BatchOperationsImpl) -> None:
        super().__init__(recorder.migration_context, impl=impl)
        self.recorder = recorder

    def invoke(self, operation: t.Any) -> t.Any:
        return self.recorder.note(operation)


def _find_line(path: str) -> int:
    frame: t.Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == path:
            return int(frame.f_lineno)
        frame = frame.f_back
    return 0


def record(
    script: Script, dialect: Dialect, engine_name: str | None = None
) -> tuple[list[Recorded], Exception | None]:
    """Return what a migration would do on its way up.

    Queries get no rows. Where its own code fails because of that, what it did before is returned,
    with the exception.

    :param script: the migration.
    :param dialect: the kind of database.
    :param engine_name: the bind key of the database; ``None`` where there is one database.
    """
    context = MigrationContext.configure(
        dialect=dialect, opts={"as_sql": True, "output_buffer": io.StringIO()}
    )
    recorder = _Recorder(context, script.path)
    module = t.cast(t.Any, alembic.op)
    # What `op` means to the migration. An upgrade that is going on has its own there.
    before = module.__dict__.get("_proxy")
    module._proxy = recorder
    try:
        arguments = {} if engine_name is None else {"engine_name": engine_name}
        call_migration(script.module.upgrade, arguments)
    except Exception as error:
        return recorder.found, error
    finally:
        module._proxy = before
    return recorder.found, None
