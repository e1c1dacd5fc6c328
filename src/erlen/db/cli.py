"""What ``erlen shell`` has of the database."""

from __future__ import annotations

import typing as t

from erlen import current_app


def add_models_to_shell() -> dict[str, t.Any]:
    """Return ``db`` and all its models, for the shell.

    :meth:`.SQLAlchemy.init_app` registers this, unless ``add_models_to_shell=False``.
    """
    db = current_app.extensions["sqlalchemy"]
    models = [mapper.class_ for mapper in db.Model.registry.mappers]
    return {**{model.__name__: model for model in models}, "db": db}
