"""Looking at migrations with the rules of :mod:`.rules`, before they run or on demand."""

from __future__ import annotations

import ast
import re
import typing as t
from contextlib import suppress
from pathlib import Path

import click
import sqlalchemy as sa
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from ..globals import current_app
from .environment import Database, get_databases
from .output import plural, say
from .recording import Recorded, record
from .rules import RULES, SEVERITIES, Facts, Severity
from .running import read_heads

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from alembic.migration import MigrationContext
    from alembic.operations import ops

    from .extension import Config

_allowed = re.compile(r"#\s*erlen:\s*allow\s+([\w-]+(?:\s*,\s*[\w-]+)*)")


class Finding(t.NamedTuple):
    """Something that a rule found in a migration."""

    path: str
    line: int
    severity: Severity
    rule: str
    message: str

    def __str__(self) -> str:
        with suppress(ValueError):
            path = str(Path(self.path).relative_to(Path.cwd()))
            return f"{path}:{self.line}: {self.severity}: {self.message} ({self.rule})"
        return f"{self.path}:{self.line}: {self.severity}: {self.message} ({self.rule})"


def get_severities(given: Iterable[str] = ()) -> dict[str, Severity]:
    """Return how bad each rule's findings are.

    :param given: ``rule=severity``, before what ``MIGRATE_LINT`` in the configuration says.
    :raises CommandError: when a rule or a severity is not known.
    """
    severities: dict[str, Severity] = {name: rule.severity for name, rule in RULES.items()}
    configured = current_app.config.get("MIGRATE_LINT")
    wanted = dict(configured) if isinstance(configured, dict) else {}
    for text in given:
        name, _, severity = text.partition("=")
        wanted[name] = severity
    for name, severity in wanted.items():
        if name not in RULES:
            raise CommandError(f"There is no rule {name!r}; there are {', '.join(RULES)}.")
        if severity not in SEVERITIES:
            raise CommandError(f"{name}={severity}: it can be {', '.join(SEVERITIES)}.")
        severities[name] = severity
    return severities


def make_review(
    wanted: bool | None,
) -> Callable[[list[t.Any], MigrationContext], None] | None:
    """Return what looks at the steps of an upgrade before it begins.

    :param wanted: whether to; ``None`` leaves it to ``MIGRATE_LINT``.
    """
    configured = current_app.config.get("MIGRATE_LINT")
    if wanted is None:
        wanted = configured is not None and configured is not False
    return _review if wanted else None


def _review(steps: list[t.Any], context: MigrationContext) -> None:
    """Tell what the rules find in pending migrations, and stop at an error."""
    connection = context.connection
    assert connection is not None
    databases = get_databases()
    name = next((x.name for x in databases if x.engine is connection.engine), "")
    metadata = next((x.metadata for x in databases if x.engine is connection.engine), None)
    scripts = [step.revision for step in steps]
    findings = find_all(
        scripts, connection, metadata, get_severities(), name if len(databases) > 1 else None
    )
    for finding in findings:
        say(str(finding))
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        raise CommandError(
            f"Nothing was done: lint found {plural(errors, 'error')}. Change the migration, write"
            " '# erlen: allow RULE' at the line if it is right as it is, or use --no-lint."
        )


def find_all(
    scripts: list[Script],
    connection: sa.Connection,
    metadata: sa.MetaData | None,
    severities: dict[str, Severity],
    engine_name: str | None = None,
) -> list[Finding]:
    """Return what the rules find in migrations.

    :param scripts: the migrations, in the order in which they run.
    :param connection: a connection to the database; a table without rows cannot be locked for
        long, nor lose anything.
    :param metadata: the tables that the models map.
    :param severities: how bad each rule's findings are.
    :param engine_name: the bind key of the database; ``None`` where there is one database.
    """
    made: set[str] = set()
    known: dict[str, bool] = {}

    def is_empty(table: str) -> bool:
        if table in made:
            return True
        if table not in known:
            known[table] = _has_no_rows(connection, table)
        return known[table]

    findings = []
    for script in scripts:
        recorded, error = record(script, connection.dialect, engine_name)
        facts = Facts(_dialect_name(connection), metadata, is_empty)
        allowed = _Allowed(script.path)
        for item in recorded:
            _note_tables(item.op, made, known)
            findings += _find(script, item, facts, severities, allowed)
            facts.before.append(item)
        if error is not None:
            say(
                f"{script.revision} needs rows to go on ({type(error).__name__}: {error}); lint saw"
                f" {plural(len(recorded), 'operation')} of it."
            )
    return findings


def _find(
    script: Script,
    item: Recorded,
    facts: Facts,
    severities: dict[str, Severity],
    allowed: _Allowed,
) -> list[Finding]:
    found = []
    for name, rule in RULES.items():
        severity = severities[name]
        if severity == "off" or allowed.has(name, item.line):
            continue
        message = rule.check(facts, item)
        if message is not None:
            found.append(Finding(script.path, item.line, severity, name, message))
    return found


def _note_tables(op: t.Any, made: set[str], known: dict[str, bool]) -> None:
    """Follow tables that the migrations make and rename."""
    kind = type(op).__name__
    if kind == "CreateTableOp":
        made.add(t.cast("ops.CreateTableOp", op).table_name)
    elif kind == "RenameTableOp":
        rename = t.cast("ops.RenameTableOp", op)
        if rename.table_name in made:
            made.add(rename.new_table_name)
        elif rename.table_name in known:
            known[rename.new_table_name] = known[rename.table_name]


def _dialect_name(connection: sa.Connection) -> str:
    name = connection.dialect.name
    return "mysql" if name == "mariadb" else name


def _has_no_rows(connection: sa.Connection, table: str) -> bool:
    if not table or not connection.dialect.has_table(connection, table):
        # Not made yet here; or an operation that names no table, an enum's for one.
        return bool(table)
    query = sa.select(sa.literal(1)).select_from(sa.table(table)).limit(1)
    return connection.execute(query).first() is None


class _Allowed:
    """The findings that a migration's comments accept.

    A comment counts for the statement that it is in or before; above the first function, for the
    whole file.
    """

    def __init__(self, path: str) -> None:
        source = Path(path).read_text(encoding="utf-8")
        tree = ast.parse(source)
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        first = min((node.lineno for node in functions), default=0)
        self.statements = sorted(
            (node.lineno, node.end_lineno or node.lineno)
            for node in ast.walk(tree)
            if isinstance(node, ast.stmt) and not isinstance(node, (ast.FunctionDef, ast.With))
        )
        self.everywhere: set[str] = set()
        self.lines: dict[int, set[str]] = {}
        for number, line in enumerate(source.splitlines(), 1):
            match = _allowed.search(line)
            if match is None:
                continue
            names = set(re.split(r"\s*,\s*", match[1]))
            if number < first:
                self.everywhere |= names
            self.lines[number] = names

    def has(self, rule: str, line: int) -> bool:
        """Whether a rule's finding at a line is accepted."""
        if rule in self.everywhere:
            return True
        begin, end = self._find_statement(line)
        return any(rule in self.lines.get(number, ()) for number in range(begin - 1, end + 1))

    def _find_statement(self, line: int) -> tuple[int, int]:
        around = [(a, b) for a, b in self.statements if a <= line <= b]
        return max(around, default=(line, line))


def report(config: Config, revision: str | None, given: Iterable[str]) -> None:
    """Print what the rules find.

    :param config: Alembic's configuration.
    :param revision: a revision or a range; ``None`` for what is pending, or else the newest.
    :param given: severities, each ``rule=severity``.
    :raises CommandError: when there is an error among it.
    """
    severities = get_severities(given)
    script = ScriptDirectory.from_config(config)
    databases = get_databases()
    findings: list[Finding] = []
    count = 0
    for database in databases:
        scripts = _choose(script, database, revision)
        count = max(count, len(scripts))
        with database.engine.connect() as connection:
            name = database.name if len(databases) > 1 else None
            findings += find_all(scripts, connection, database.metadata, severities, name)
    for finding in findings:
        click.echo(str(finding))
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    looked_at = plural(count, "migration")
    click.echo(f"{looked_at}: {plural(errors, 'error')}, {plural(warnings, 'warning')}.")
    if errors:
        raise CommandError(
            "Change the migration, or write '# erlen: allow RULE' at a line that is right as it is."
        )


def _choose(script: ScriptDirectory, database: Database, revision: str | None) -> list[Script]:
    """Return the migrations to look at, in the order in which they run."""
    if revision is not None:
        low, _, high = revision.rpartition(":")
        if ":" not in revision:
            return list(script.get_revisions(high))
        found = script.walk_revisions(low or "base", high or "heads")
        below = script.get_revision(low).revision if low and low != "base" else None
        return [item for item in reversed(list(found)) if item.revision != below]
    steps: list[t.Any] = script._upgrade_revs("heads", t.cast(t.Any, read_heads(database)))
    if steps:
        return [step.revision for step in steps]
    return list(script.get_revisions("heads"))
