"""Templates: the Jinja environment of an application, where it finds templates, and rendering."""

from __future__ import annotations

import operator
import typing as t
from collections import ChainMap

from jinja2 import BaseLoader, TemplateNotFound, TemplateSyntaxError, nodes
from jinja2 import Environment as BaseEnvironment
from jinja2 import Template as BaseTemplate
from jinja2.filters import FILTERS
from jinja2.runtime import new_context
from jinja2.tests import TESTS
from jinja2.utils import LRUCache

from . import debughelpers
from .helpers import (
    _default_template_ctx_processor as _default_template_ctx_processor,
)
from .helpers import stream_with_context
from .local import _cv_request, current_app
from .signals import before_render_template, template_rendered

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jinja2.runtime import Context

    from .debughelpers import TemplateSource
    from .typing import Application

    TemplateName = str | BaseTemplate | list[str | BaseTemplate]

# What every dict has, whatever its keys.
_DICT_ATTRIBUTES = frozenset(dir(dict))


class Template(BaseTemplate):
    """A compiled template of an application's :class:`Environment`."""

    # PERF: Jinja reads each global through a ChainMap, whose first map misses with an exception:
    # 5 µs for the dozen globals that an application has. Two updates of a plain dict take 0.5.
    def new_context(
        self,
        vars: dict[str, t.Any] | None = None,
        shared: bool = False,
        locals: Mapping[str, t.Any] | None = None,
    ) -> Context:
        flat: dict[str, t.Any] = {}
        for layer in _layers(self.globals):
            flat.update(layer)
        return new_context(self.environment, self.name, self.blocks, vars, shared, flat, locals)


def _layers(values: Mapping[str, t.Any]) -> Iterable[Mapping[str, t.Any]]:
    """Return the maps that *values* consists of, in the order in which to apply them."""
    return reversed(values.maps) if type(values) is ChainMap else (values,)


class Environment(BaseEnvironment):
    """A Jinja environment that finds templates in the folders of an application and its blueprints.

    :param app: the application.
    :param options: what :class:`jinja2.Environment` takes. Without a ``loader``, the application
        is asked for one (``app.create_global_jinja_loader()``).
    """

    template_class = Template

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        # What is done faster here must not hide what a class beside this one does differently:
        # Jinja's sandbox would let everything through.
        for name in ("getattr", "template_class"):
            beside = getattr(super(), name)
            is_ours = getattr(cls, name) is getattr(Environment, name)
            if is_ours and beside is not getattr(BaseEnvironment, name):
                setattr(cls, name, beside)

    def __init__(self, app: Application, **options: t.Any) -> None:
        if "loader" not in options:
            options["loader"] = app.create_global_jinja_loader()
        super().__init__(**options)
        self.app = app
        self._string_templates = StringTemplates()

    # PERF: templates read dicts, rows of JSON or of a query, as objects. For those Jinja tries the
    # attribute first, and the exception takes longer than all the rest: 0.5 of 0.7 µs each.
    def getattr(self, obj: t.Any, attribute: str) -> t.Any:
        """Return what ``obj.attribute`` is in a template: an attribute, or else an item.

        :param obj: any object.
        :param attribute: the name after the dot.
        """
        if type(obj) is not dict or attribute in _DICT_ATTRIBUTES:
            try:
                return getattr(obj, attribute)
            except AttributeError:
                pass
        try:
            return obj[attribute]
        except (TypeError, LookupError, AttributeError):
            return self.undefined(obj=obj, name=attribute)


class StringTemplates:
    """The templates that an environment compiled from strings, so that it does so once for each.

    Rendering a string must give what compiling it anew each time would give. So templates are kept
    only while the environment looks exactly as it did when they were compiled, and only if
    compiling them ran no code but Jinja's own; see :func:`_is_repeatable`.
    """

    #: How many templates to keep; those used longest ago go first.
    capacity = 128
    #: Longer sources (characters) are compiled each time: this bounds what a service may hold that
    #: renders strings made from its users' input.
    longest_source = 16_384

    def __init__(self) -> None:
        # Replaced as one, so that a thread that still compiles for an earlier state of the
        # environment cannot put its template among the later ones.
        self._kept: tuple[EnvironmentState, LRUCache] | None = None

    def get(self, environment: BaseEnvironment, source: str) -> BaseTemplate:
        """Return the template for *source*, compiled now or earlier.

        :param environment: the environment that compiles.
        :param source: the text of the template.
        """
        kept = self._kept
        if kept is None or not kept[0].is_of(environment):
            kept = self._kept = (EnvironmentState(environment), LRUCache(self.capacity))
        templates = kept[1]
        template: BaseTemplate | None = templates.get(source)
        if template is None:
            template, repeatable = _compile_string(environment, source)
            if repeatable and len(source) <= self.longest_source:
                templates[source] = template
        return template


class EnvironmentState:
    """What the outcome of compiling a template depends on, besides its source.

    That is every attribute of the environment, and the contents of the registries among them,
    which are edited in place.

    :param environment: the environment to remember the state of.
    """

    __slots__ = ("attributes", "autoescape", "environment", "registries")

    def __init__(self, environment: BaseEnvironment) -> None:
        self.environment = environment
        self.autoescape = _autoescapes_strings(environment)
        self.attributes = list(vars(environment).values())
        self.registries = tuple(registry.copy() for registry in _registries(environment))

    def is_of(self, environment: BaseEnvironment) -> bool:
        """Return whether *environment* is the one remembered and was not changed since."""
        attributes = list(vars(environment).values())
        return (
            environment is self.environment
            and len(attributes) == len(self.attributes)
            # Identity, since equality of arbitrary attributes may be slow, or lie.
            and all(map(operator.is_, attributes, self.attributes))
            and _registries(environment) == self.registries
            and _autoescapes_strings(environment) == self.autoescape
        )


def _registries(environment: BaseEnvironment) -> tuple[dict[str, t.Any], ...]:
    return environment.filters, environment.tests, environment.policies, environment.extensions


def _autoescapes_strings(environment: BaseEnvironment) -> bool:
    autoescape = environment.autoescape
    # A template made from a string has no name.
    return autoescape(None) if callable(autoescape) else autoescape


def _compile_string(environment: BaseEnvironment, source: str) -> tuple[BaseTemplate, bool]:
    """Compile *source*; say also whether doing it again would give the same."""
    try:
        tree = environment.parse(source)
        repeatable = _is_repeatable(environment, tree)
        return environment.from_string(tree), repeatable
    except TemplateSyntaxError:
        # Compiled from the text, the error shows the line that is wrong.
        return environment.from_string(source), False


def _is_repeatable(environment: BaseEnvironment, tree: nodes.Template) -> bool:
    """Say whether compiling *tree* runs only code that gives the same result each time.

    Jinja works out constant expressions while it compiles: ``{{ "%H:%M"|now }}`` calls the filter
    ``now`` then, and keeps the answer. Extensions and ``finalize`` may run there too.
    """
    if environment.finalize is not None:
        return False
    if any(type(e).__module__ != "jinja2.ext" for e in environment.extensions.values()):
        return False
    for kind, registered, own in (
        (nodes.Filter, environment.filters, FILTERS),
        (nodes.Test, environment.tests, TESTS),
    ):
        for node in tree.find_all(kind):
            if registered.get(node.name) is not own.get(node.name) and _may_be_constant(node):
                return False
    return True


def _may_be_constant(node: nodes.Node) -> bool:
    # A name is known at run time only; but a shortcut may come to a result without reading it.
    return node.find(nodes.Name) is None or any(
        map(node.find, (nodes.And, nodes.Or, nodes.CondExpr))
    )


class DispatchingJinjaLoader(BaseLoader):
    """Asks the loader of the application for a template, then those of its blueprints in order.

    With ``EXPLAIN_TEMPLATE_LOADING`` in the configuration it asks all of them, and logs what each
    one answered.

    :param app: the application.
    """

    def __init__(self, app: Application) -> None:
        self.app = app

    def get_source(self, environment: BaseEnvironment, template: str) -> TemplateSource:
        if self.app.config["EXPLAIN_TEMPLATE_LOADING"]:
            return self._get_source_explained(environment, template)
        return self._get_source_fast(environment, template)

    def _get_source_fast(self, environment: BaseEnvironment, template: str) -> TemplateSource:
        for _, loader in self._iter_loaders(template):
            source = _ask(loader, environment, template)
            if source is not None:
                return source
        raise self._not_found(template)

    def _get_source_explained(self, environment: BaseEnvironment, template: str) -> TemplateSource:
        attempts = [
            (loader, owner, _ask(loader, environment, template))
            for owner, loader in self._iter_loaders(template)
        ]
        debughelpers.explain_template_loading_attempts(self.app, template, attempts)
        for _, _, source in attempts:
            if source is not None:
                return source
        raise self._not_found(template)

    def _not_found(self, template: str) -> TemplateNotFound:
        return debughelpers.TemplateNotFound(template, self.app, list(self._iter_loaders(template)))

    def _iter_loaders(self, template: str) -> Iterator[tuple[t.Any, BaseLoader]]:
        for owner in (self.app, *self.app.iter_blueprints()):
            loader = owner.jinja_loader
            if loader is not None:
                yield owner, loader

    def list_templates(self) -> list[str]:
        names = (loader.list_templates() for _, loader in self._iter_loaders(""))
        return sorted(set().union(*names))


def _ask(loader: BaseLoader, environment: BaseEnvironment, name: str) -> TemplateSource | None:
    try:
        return loader.get_source(environment, name)
    except TemplateNotFound:
        return None


def _load(app: Application, name: TemplateName) -> BaseTemplate:
    return t.cast(BaseTemplate, app.jinja_env.get_or_select_template(name))


def _compile(app: Application, source: str) -> BaseTemplate:
    environment = app.jinja_env
    # A subclass may compile in a way of its own.
    if type(environment) is Environment:
        return environment._string_templates.get(environment, source)
    return t.cast(BaseTemplate, environment.from_string(source))


def _prepare(app: Application, template: BaseTemplate, context: dict[str, t.Any]) -> None:
    app.update_template_context(context)
    if before_render_template.receivers:
        before_render_template.send(
            app, _async_wrapper=app.ensure_sync, template=template, context=context
        )


def _announce(app: Application, template: BaseTemplate, context: dict[str, t.Any]) -> None:
    if template_rendered.receivers:
        template_rendered.send(
            app, _async_wrapper=app.ensure_sync, template=template, context=context
        )


def _render(app: Application, template: BaseTemplate, context: dict[str, t.Any]) -> str:
    _prepare(app, template, context)
    text = template.render(context)
    _announce(app, template, context)
    return text


def _stream(app: Application, template: BaseTemplate, context: dict[str, t.Any]) -> Iterator[str]:
    _prepare(app, template, context)

    def generate() -> Iterator[str]:
        yield from template.generate(context)
        _announce(app, template, context)

    if _cv_request.get(None) is None:
        return generate()
    return stream_with_context(generate())


def render_template(template_name_or_list: TemplateName, **context: t.Any) -> str:
    """Render the template of a name, and return the text.

    .. code-block:: python

        @app.get("/books/<int:number>")
        def book(number: int):
            return render_template("book.html", book=find_book(number))

    Besides *context*, the template sees ``request``, ``session``, ``g``, ``config``, ``url_for()``,
    ``get_flashed_messages()``, and what the application's context processors give. A value in
    *context* goes before one of theirs.

    :param template_name_or_list: a name, a template, or a list of them, of which the first that
        exists is rendered.
    :param context: the variables of the template.
    :returns: the rendered text.
    :raises jinja2.TemplateNotFound: if there is no such template. Set ``EXPLAIN_TEMPLATE_LOADING``
        in the configuration to see in the log where it was looked for.
    """
    app = current_app._get_current_object()
    return _render(app, _load(app, template_name_or_list), context)


def render_template_string(source: str, **context: t.Any) -> str:
    """Render a template that is given as a string.

    Values in *context* are escaped. Never build *source* itself from what users send: they could
    run code on the server.

    :param source: the text of the template.
    :param context: the variables of the template, as for :func:`render_template`.
    :returns: the rendered text.
    """
    app = current_app._get_current_object()
    return _render(app, _compile(app, source), context)


def stream_template(template_name_or_list: TemplateName, **context: t.Any) -> Iterator[str]:
    """Render the template of a name piece by piece.

    A view can return the iterator; the client then receives the beginning of the page while the
    rest is rendered. ``request`` and ``session`` stay usable in the template until its end.

    :param template_name_or_list: as for :func:`render_template`.
    :param context: the variables of the template.
    :returns: an iterator of the pieces of the text.

    """
    app = current_app._get_current_object()
    return _stream(app, _load(app, template_name_or_list), context)


def stream_template_string(source: str, **context: t.Any) -> Iterator[str]:
    """Render a template that is given as a string piece by piece.

    :param source: the text of the template, see :func:`render_template_string`.
    :param context: the variables of the template.
    :returns: an iterator of the pieces of the text, see :func:`stream_template`.
    """
    app = current_app._get_current_object()
    return _stream(app, _compile(app, source), context)
