"""Databases: SQLAlchemy, with sessions and engines that follow the application.

.. code-block:: python

    from erlen import Erlen
    from erlen.db import Model, SQLAlchemy
    from sqlalchemy.orm import Mapped, mapped_column

    db = SQLAlchemy(model_class=Model)

    class Book(Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]

    app = Erlen(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///books.db"
    db.init_app(app)
"""

from __future__ import annotations

from .base import Model as Model
from .extension import SQLAlchemy as SQLAlchemy
from .pagination import Pagination as Pagination
from .query import Query as Query
from .record_queries import get_recorded_queries as get_recorded_queries
from .session import Session as Session
