"""The extension object: ``db = SQLAlchemy()``."""

from __future__ import annotations

import asyncio
import types
import typing as t
import warnings
from weakref import WeakKeyDictionary, finalize

import sqlalchemy as sa
from sqlalchemy import event, orm
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound, UnboundExecutionError

from erlen import abort, current_app, has_app_context, in_fiber

from . import asynchronous, base, engines, replicas, scope, track_modifications
from . import model as models
from .cli import add_models_to_shell
from .errors import Cause, find_cause
from .pagination import UNSET, Pagination, SelectPagination
from .query import Query as BaseQuery
from .session import Session
from .table import _Table, make_table_class
from .toolbox import Toolbox

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_scoped_session

    from erlen import Flask

T = t.TypeVar("T")

_DECLARATIVE = (orm.DeclarativeBase, orm.DeclarativeBaseNoMeta)
# What Python makes for each class anew.
_OF_THE_CLASS_ITSELF = ("__dict__", "__weakref__")
_get_app = current_app._get_current_object


class SQLAlchemy(Toolbox):
    """SQLAlchemy in an application: engines by configuration, a session for each context.

    One object serves any number of applications; models, tables and metadata are shared by them,
    engines are not. Names of ``sqlalchemy`` and ``sqlalchemy.orm`` are found on it too, as
    ``db.String`` or ``db.select``.

    :param app: an application to call :meth:`init_app` with.
    :param metadata: the metadata of tables without a bind key, where *model_class* is not a
        declarative class with one of its own.
    :param session_options: arguments for :class:`sqlalchemy.orm.sessionmaker`, ``class_`` among
        them, and ``scopefunc``, which returns what tells one scope of :attr:`session` from
        another.
    :param query_class: the class of ``Model.query`` and of dynamic relationships.
    :param model_class: what :attr:`Model` is, or is made from: :class:`erlen.db.Model` or an
        abstract subclass of it, a subclass of SQLAlchemy's ``DeclarativeBase``, or a plain class.
    :param engine_options: arguments for :func:`sqlalchemy.create_engine`, for every engine; the
        configuration comes before them.
    :param add_models_to_shell: have ``db`` and the models in ``erlen shell``.
    :param disable_autonaming: leave it to the models to name their tables.

    .. code-block:: python

        db = SQLAlchemy(model_class=Model)

        def create_app() -> Erlen:
            app = Erlen(__name__)
            app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///books.db"
            db.init_app(app)
            return app
    """

    #: The session of the current application context: any method of
    #: :class:`sqlalchemy.orm.Session`, and the session itself when called. It is closed, and its
    #: connection returned, when the context ends.
    session: orm.scoped_session[Session]
    #: The metadata of each bind key; ``None`` is that of models and tables without one.
    metadatas: dict[str | None, sa.MetaData]
    #: The class that models derive from.
    Model: type[models.Model]
    #: A class of tables that need not be given their metadata; it takes ``bind_key``.
    Table: type[_Table]
    #: The class of ``Model.query``.
    Query: type[BaseQuery[t.Any]]

    def __init__(
        self,
        app: Flask | None = None,
        *,
        metadata: sa.MetaData | None = None,
        session_options: dict[str, t.Any] | None = None,
        query_class: type[BaseQuery[t.Any]] = BaseQuery,
        model_class: type[t.Any] = models.Model,
        engine_options: dict[str, t.Any] | None = None,
        add_models_to_shell: bool = True,
        disable_autonaming: bool = False,
    ) -> None:
        self.Query = query_class
        self._session_options = dict(session_options or {})
        self.session = self._make_scoped_session({} if session_options is None else session_options)
        self.metadatas = {}
        if metadata is not None:
            self._take_metadata(metadata, model_class)
        self.Table = self._make_table_class()
        self.Model = self._make_declarative_base(model_class, disable_autonaming)
        self._engine_options = engine_options or {}
        self._app_engines: WeakKeyDictionary[Flask, dict[str | None, Engine]]
        self._app_engines = WeakKeyDictionary()
        self._app_options: WeakKeyDictionary[Flask, dict[str | None, dict[str, t.Any]]]
        self._app_options = WeakKeyDictionary()
        self._async_engines = asynchronous.AsyncEngines(self)
        self._async_scope: async_scoped_session[AsyncSession] | None = None
        self._add_models_to_shell = add_models_to_shell
        self._make_tools()
        if app is not None:
            self.init_app(app)

    def __repr__(self) -> str:
        name = type(self).__name__
        if not has_app_context():
            return f"<{name}>"
        found = self.engines
        others = f" +{len(found) - 1}" if len(found) > 1 else ""
        return f"<{name} {self.engine.url}{others}>"

    # --- Setting up ---------------------------------------------------------------------------

    def init_app(self, app: Flask) -> None:
        """Make an application's engines, and end the session with each of its contexts.

        Call it when the application is configured: later changes of the configuration have no
        effect on the engines.

        :param app: the application.
        :raises RuntimeError: where the application has such an object already, and where no
            database is configured.
        """
        if "sqlalchemy" in app.extensions:
            raise RuntimeError(
                "A 'SQLAlchemy' instance has already been registered on this Flask app."
                " Import and use that instance instead."
            )
        app.extensions["sqlalchemy"] = self
        app.teardown_appcontext(self._teardown_session)
        if self._add_models_to_shell:
            app.shell_context_processor(add_models_to_shell)
        self._make_engines(app)
        if app.config.setdefault("SQLALCHEMY_TRACK_MODIFICATIONS", False):
            track_modifications._listen(self.session)
        self._equip(app)

    def _make_engines(self, app: Flask) -> None:
        """Make the engines of an application, in place of those that it may have."""
        app.config.setdefault("SQLALCHEMY_RECORD_QUERIES", False)
        binds = engines.read_options(app, self._engine_options)
        made = self._app_engines.get(app)
        if made is None:
            made = self._app_engines[app] = {}
            # An application that is let go takes its connections along.
            finalize(app, _dispose_all, made).atexit = False
        for engine in made.values():
            self._dispose(engine)
        made.clear()
        self._async_engines.forget(app)
        self._app_options[app] = binds
        for key, options in binds.items():
            self._make_metadata(key)
            copies = options.pop("replicas", ())
            made[key] = self._build_engine(key, options, app)
            self._make_replicas(key, made[key], options, copies, app)

    def _build_engine(self, bind_key: str | None, options: dict[str, t.Any], app: Flask) -> Engine:
        """Return a new engine that behaves as the configuration says.

        :param bind_key: its bind key.
        :param options: arguments for :func:`sqlalchemy.engine_from_config`; they are completed.
        :param app: the application.
        """
        engines.apply_new_defaults(options, app)
        self._apply_driver_defaults(options, app)
        engine = self._make_engine(bind_key, engines.make_synchronous(options), app)
        self._prepare_engine(engine, app)
        return engine

    def _prepare_engine(self, engine: Engine, app: Flask) -> None:
        """Give an engine the behaviour that the configuration says.

        :param engine: the engine; of an asynchronous one, its ``sync_engine``.
        :param app: the application.
        """
        engines.prepare(engine, app)
        self._equip_engine(engine, app)

    def _make_scoped_session(self, options: dict[str, t.Any]) -> orm.scoped_session[Session]:
        """Return what :attr:`session` is.

        :param options: the *session_options*.
        """
        scopefunc = options.pop("scopefunc", None)
        return scope.make_scope(self, self._make_session_factory(options), scopefunc)

    def _make_session_factory(self, options: dict[str, t.Any]) -> orm.sessionmaker[Session]:
        """Return what makes sessions.

        :param options: arguments for the sessions.
        """
        options.setdefault("class_", Session)
        options.setdefault("query_cls", self.Query)
        return orm.sessionmaker(db=self, **options)

    def _teardown_session(self, exc: BaseException | None) -> None:
        """Close the session of a context that ends.

        :param exc: what ended it, if not success.
        """
        session = scope.take(self.session)
        try:
            if session is not None:
                self._close(session)
        finally:
            if self._async_scope is not None and self._async_scope.registry.has():
                outer = self._async_scope.registry()
                self._async_scope.registry.clear()
                self._close(outer.sync_session)

    @staticmethod
    def _close(session: orm.Session) -> None:
        """Close a session, where its connections belong to an event loop, there."""
        if "info" in session.__dict__:
            replicas.forget(session)
        loop = getattr(session, "_loop", None)
        try:
            if loop is None:
                session.close()
            else:
                asynchronous.close(session, loop)
        except DBAPIError as error:
            # The connection died since it was used; the request itself has its answer.
            if find_cause(error) is not Cause.UNAVAILABLE:
                raise
            session.invalidate()

    def _take_metadata(self, metadata: sa.MetaData, model_class: type[t.Any]) -> None:
        """Use a metadata object that was given, unless the model class has one."""
        if _get_declarative(model_class):
            warnings.warn(
                "The metadata passed to SQLAlchemy() is ignored: a 'model_class' that derives from"
                " SQLAlchemy's DeclarativeBase has its own. Set 'metadata' on that class.",
                DeprecationWarning,
                stacklevel=3,
            )
            return
        metadata.info["bind_key"] = None
        self.metadatas[None] = metadata

    def _make_metadata(self, bind_key: str | None) -> sa.MetaData:
        """Return the metadata of a bind key, making it where there is none.

        :param bind_key: the key.
        """
        return base.make_metadata(self.metadatas, bind_key)

    def _make_table_class(self) -> type[_Table]:
        """Return what :attr:`Table` is."""
        return make_table_class(self._make_metadata)

    def _make_declarative_base(
        self, model_class: type[t.Any], disable_autonaming: bool = False
    ) -> type[t.Any]:
        """Return what :attr:`Model` is.

        :param model_class: the class that was given.
        :param disable_autonaming: leave it to the models to name their tables.
        """
        if issubclass(model_class, base.Model):
            return self._adopt_model(model_class)
        made: t.Any = self._derive_base(model_class, disable_autonaming)
        if None not in self.metadatas:
            made.metadata.info["bind_key"] = None
            self.metadatas[None] = made.metadata
        else:
            made.metadata = self.metadatas[None]
        made.query_class = self.Query
        made.query = models._QueryProperty()
        made.__fsa__ = self
        return t.cast("type[t.Any]", made)

    def _adopt_model(self, model_class: type[base.Model]) -> type[base.Model]:
        """Use a base that can be imported as it is, and its metadata."""
        self.metadatas = model_class.__fsa__.metadatas
        if self.Query is not BaseQuery:
            model_class.query_class = self.Query
        return model_class

    def _derive_base(self, model_class: type[t.Any], disable_autonaming: bool) -> type[t.Any]:
        """Return a declarative class with the abilities of a class that was given."""
        found = _get_declarative(model_class)
        if len(found) > 1:
            raise ValueError(
                "Only one declarative base can be passed to SQLAlchemy."
                f" Got: {model_class.__bases__}"
            )
        if found:
            naming = () if disable_autonaming else (models.NameMixin,)
            own = {
                name: value
                for name, value in vars(model_class).items()
                # SQLAlchemy 2.1 refuses a class that is a dataclass before it has made it one.
                if not name.startswith("__dataclass_") and name not in _OF_THE_CLASS_ITSELF
            }
            return types.new_class(
                model_class.__name__,
                (models.BindMixin, *naming, models.Model, *model_class.__bases__),
                {"metaclass": type(found[0])},
                lambda namespace: namespace.update(own, __fsa__=self),
            )
        if isinstance(model_class, orm.DeclarativeMeta):
            return model_class
        made: type[t.Any] = orm.declarative_base(
            metadata=self._make_metadata(None),
            cls=model_class,
            name="Model",
            metaclass=models.DefaultMetaNoName if disable_autonaming else models.DefaultMeta,
        )
        return made

    def _apply_driver_defaults(self, options: dict[str, t.Any], app: Flask) -> None:
        """Complete an engine's options; see :func:`.engines.apply_driver_defaults`.

        :param options: the options; they are changed.
        :param app: the application.
        """
        engines.apply_driver_defaults(options, app)

    def _make_engine(self, bind_key: str | None, options: dict[str, t.Any], app: Flask) -> Engine:
        """Return a new engine.

        :param bind_key: its bind key.
        :param options: arguments for :func:`sqlalchemy.engine_from_config`.
        :param app: the application.
        """
        return sa.engine_from_config(options, prefix="")

    # --- Engines ------------------------------------------------------------------------------

    @property
    def metadata(self) -> sa.MetaData:
        """The metadata of models and tables without a bind key."""
        return self.metadatas[None]

    @property
    def engines(self) -> Mapping[str | None, Engine]:
        """The engines of the current application by bind key; ``None`` is the default one's."""
        return self._engines_of(_get_app())

    def _engines_of(self, app: Flask) -> dict[str | None, Engine]:
        """Return the engines of an application."""
        try:
            return self._app_engines[app]
        except KeyError:
            raise RuntimeError(
                "The current Flask app is not registered with this 'SQLAlchemy'"
                " instance. Did you forget to call 'init_app', or did you create"
                " multiple 'SQLAlchemy' instances?"
            ) from None

    @property
    def engine(self) -> Engine:
        """The default engine of the current application."""
        return self.engines[None]

    def _options_of(self, app: Flask) -> dict[str | None, dict[str, t.Any]]:
        """Return the options that an application's engines were made with."""
        return self._app_options[app]

    @property
    def async_engines(self) -> Mapping[str | None, AsyncEngine]:
        """The asynchronous engines of the current application, on the running event loop."""
        return self._async_engines.find(_get_app())

    @property
    def async_engine(self) -> AsyncEngine:
        """The default asynchronous engine of the current application."""
        return self.async_engines[None]

    @property
    def async_session(self) -> async_scoped_session[AsyncSession]:
        """The asynchronous session of the current application context.

        It has the methods of :class:`sqlalchemy.ext.asyncio.AsyncSession`; called, it gives the
        session itself. Objects do not expire when it commits. It is closed when the context ends,
        or at the end of an ``async with db.async_session():`` block.

        .. code-block:: python

            book = await db.async_session.get(Book, 1)
        """
        if self._async_scope is None:
            self._async_scope = asynchronous.make_scope(self)
        return self._async_scope

    def get_engine(self, bind_key: str | None = None, **kwargs: t.Any) -> Engine:
        """Return an engine. Deprecated: use :attr:`engines`.

        :param bind_key: its bind key.
        :param kwargs: *bind*, an older name of the same.
        """
        warnings.warn(
            "'get_engine' is deprecated and will be removed in Flask-SQLAlchemy 3.2. Use 'engine'"
            " or 'engines[key]' instead; with Flask-Migrate or Alembic, in 'env.py'.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.engines[kwargs.get("bind", bind_key)]

    def _choose_engines(
        self, app: Flask, asynchronously: bool
    ) -> tuple[Mapping[str | None, Engine], asyncio.AbstractEventLoop | None]:
        """Return an application's engines for a session, and the loop that they belong to.

        :param app: the application.
        :param asynchronously: whether the session is the inner side of an asynchronous one.
        """
        if asynchronously:
            return self._async_engines.find(app).strict, asyncio.get_running_loop()
        if in_fiber() and app.config.get("SQLALCHEMY_COOPERATIVE", False):
            return self._async_engines.find(app).lenient, asyncio.get_running_loop()
        return self._engines_of(app), None

    # --- Queries that can end a request -------------------------------------------------------

    def get_or_404(
        self,
        entity: type[T],
        ident: t.Any,
        *,
        description: str | None = None,
        **kwargs: t.Any,
    ) -> T:
        """Return the row with a primary key, or answer the request with 404.

        :param entity: the model.
        :param ident: the primary key.
        :param description: what the error page says.
        :param kwargs: more arguments for ``session.get()``.
        """
        found = self.session.get(entity, ident, **kwargs)
        if found is None:
            abort(404, description=description)
        return found

    def first_or_404(
        self,
        statement: sa.Select[T, *tuple[t.Any, ...]],
        *,
        description: str | None = None,
    ) -> T:
        """Return the first column of a statement's first row, or answer the request with 404.

        :param statement: a ``select()``.
        :param description: what the error page says.
        """
        found: T | None = self.session.execute(statement).scalar()
        if found is None:
            abort(404, description=description)
        return found

    def one_or_404(
        self,
        statement: sa.Select[T, *tuple[t.Any, ...]],
        *,
        description: str | None = None,
    ) -> T:
        """Return the first column of the only row, or answer the request with 404.

        :param statement: a ``select()``.
        :param description: what the error page says.
        """
        try:
            found: T = self.session.execute(statement).scalar_one()
        except (NoResultFound, MultipleResultsFound):
            abort(404, description=description)
        return found

    def paginate(
        self,
        select: sa.Select[T],
        *,
        page: int | None = None,
        per_page: int | None = None,
        max_per_page: int | None = UNSET,
        error_out: bool = True,
        count: bool = True,
    ) -> Pagination[T]:
        """Return one page of the rows of a statement that selects one model.

        :param select: the statement.
        :param page: the number of the page; by default what ``page`` is in the URL's query, or 1.
        :param per_page: how many rows a page has; by default what ``per_page`` is in the URL's
            query, or 20.
        :param max_per_page: the largest *per_page*, ``None`` for any. By default what the URL says
            is limited to 100, and what the program says is not.
        :param error_out: answer with 404 where the page has no rows and is not the first, and for
            numbers that are none or below 1.
        :param count: count all rows, with a query of its own.
        """
        return SelectPagination(
            select=select,
            session=self.session(),
            page=page,
            per_page=per_page,
            max_per_page=max_per_page,
            error_out=error_out,
            count=count,
        )

    # --- Tables -------------------------------------------------------------------------------

    def _call_for_binds(self, bind_key: str | list[str | None] | None, op_name: str) -> None:
        """Call a method of the metadata of some bind keys, with their engines.

        :param bind_key: one key, a list of them, or ``"__all__"``.
        :param op_name: the method's name.
        """
        keys: list[str | None]
        if bind_key == "__all__":
            keys = list(self.metadatas)
        elif bind_key is None or isinstance(bind_key, str):
            keys = [bind_key]
        else:
            keys = bind_key
        # Sessions that are kept in the database add their table when they are first asked for.
        _ = _get_app().session_interface
        found = self.engines
        for key in keys:
            if key not in found:
                hint = "" if key else "'SQLALCHEMY_DATABASE_URI' config is not set. "
                raise UnboundExecutionError(
                    f"{hint}Bind key '{key}' is not in 'SQLALCHEMY_BINDS' config."
                )
            getattr(self.metadatas[key], op_name)(bind=found[key])

    def create_all(self, bind_key: str | list[str | None] | None = "__all__") -> None:
        """Create the tables that do not exist. Those that do are left as they are.

        :param bind_key: one key, or a list; by default all.
        """
        self._call_for_binds(bind_key, "create_all")

    def drop_all(self, bind_key: str | list[str | None] | None = "__all__") -> None:
        """Drop all tables.

        :param bind_key: one key, or a list; by default all.
        """
        self._call_for_binds(bind_key, "drop_all")

    def reflect(self, bind_key: str | list[str | None] | None = "__all__") -> None:
        """Read the tables that the databases have into the metadata.

        :param bind_key: one key, or a list; by default all.
        """
        self._call_for_binds(bind_key, "reflect")

    # --- What SQLAlchemy has ------------------------------------------------------------------

    def _set_rel_query(self, kwargs: dict[str, t.Any]) -> None:
        """Let a relationship, and the way back from it, use the extension's query class."""
        kwargs.setdefault("query_class", self.Query)
        if "backref" in kwargs:
            backref = kwargs["backref"]
            name, options = (backref, {}) if isinstance(backref, str) else backref
            options.setdefault("query_class", self.Query)
            kwargs["backref"] = (name, options)

    def relationship(self, *args: t.Any, **kwargs: t.Any) -> orm.RelationshipProperty[t.Any]:
        """Return a :func:`sqlalchemy.orm.relationship` with the extension's query class.

        :param args: as there.
        :param kwargs: as there.
        """
        self._set_rel_query(kwargs)
        return orm.relationship(*args, **kwargs)

    def dynamic_loader(self, argument: t.Any, **kwargs: t.Any) -> orm.RelationshipProperty[t.Any]:
        """Return a :func:`sqlalchemy.orm.dynamic_loader` with the extension's query class.

        :param argument: as there.
        :param kwargs: as there.
        """
        self._set_rel_query(kwargs)
        return orm.dynamic_loader(argument, **kwargs)

    def _relation(self, *args: t.Any, **kwargs: t.Any) -> orm.RelationshipProperty[t.Any]:
        """Answer the name that SQLAlchemy once had for :meth:`relationship`."""
        return self.relationship(*args, **kwargs)

    def __getattr__(self, name: str) -> t.Any:
        if name == "relation":
            return self._relation
        if name == "event":
            return event
        if not name.startswith("_"):
            for module in (sa, orm):
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _get_declarative(model_class: type[t.Any]) -> list[type[t.Any]]:
    """Return the declarative bases of SQLAlchemy 2 that a class derives from directly."""
    return [parent for parent in model_class.__bases__ if issubclass(parent, _DECLARATIVE)]


def _dispose_all(made: dict[str | None, Engine]) -> None:
    """Close the connections in the pools of engines."""
    for engine in made.values():
        engine.dispose()
