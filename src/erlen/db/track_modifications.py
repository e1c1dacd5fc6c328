"""Signals about what a session writes (``SQLALCHEMY_TRACK_MODIFICATIONS``)."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from blinker import Namespace
from sqlalchemy import event

from erlen import current_app, has_app_context

if t.TYPE_CHECKING:
    from sqlalchemy.orm import scoped_session

    from .session import Session

_signals = Namespace()

#: Sent after a commit that wrote something, by the application, with ``changes``: a list of pairs
#: of an instance and ``"insert"``, ``"update"`` or ``"delete"``.
models_committed = _signals.signal("models-committed")
#: The same, sent before the commit.
before_models_committed = _signals.signal("before-models-committed")


def _listen(session: scoped_session[Session]) -> None:
    """Send the signals for the sessions of a scope.

    :param session: the scope.
    """
    event.listen(session, "before_flush", _record_changes, named=True)
    event.listen(session, "before_commit", _record_changes, named=True)
    event.listen(session, "before_commit", _before_commit)
    event.listen(session, "after_commit", _after_commit)
    event.listen(session, "after_rollback", _after_rollback)


def _is_tracked() -> bool:
    return has_app_context() and bool(current_app.config["SQLALCHEMY_TRACK_MODIFICATIONS"])


def _record_changes(session: Session, **kwargs: t.Any) -> None:
    if not _is_tracked():
        return
    changes = session._model_changes
    for targets, operation in (
        (session.new, "insert"),
        (session.dirty, "update"),
        (session.deleted, "delete"),
    ):
        for target in targets:
            state = sa.inspect(target)
            key = state.identity_key if state.has_identity else id(target)
            changes[key] = (target, operation)


def _before_commit(session: Session) -> None:
    if _is_tracked() and session._model_changes:
        changes = list(session._model_changes.values())
        before_models_committed.send(current_app._get_current_object(), changes=changes)


def _after_commit(session: Session) -> None:
    if _is_tracked() and session._model_changes:
        changes = list(session._model_changes.values())
        models_committed.send(current_app._get_current_object(), changes=changes)
        session._model_changes.clear()


def _after_rollback(session: Session) -> None:
    session._model_changes.clear()
