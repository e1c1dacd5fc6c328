"""Errors and log entries that explain a mistake to the person who is developing an application.

All of it shows itself in debug mode only, or on request of a configuration key. Whatever is said
here costs a correct application nothing.
"""

from __future__ import annotations

import difflib
import os
import typing as t

import jinja2

from .local import _cv_request

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jinja2 import BaseLoader

    from .typing import Application

    #: A loader, after what it belongs to: the application or a blueprint.
    OwnedLoader = tuple[t.Any, BaseLoader]
    #: What a Jinja loader answers: the source, its file if it has one, and a check for changes.
    TemplateSource = tuple[str, str | None, Callable[[], bool] | None]
    #: A loader that was asked, who it belongs to, and what it found.
    LoadingAttempt = tuple[BaseLoader, t.Any, TemplateSource | None]

TEMPLATE_FOLDERS_PAGE = "https://flask.palletsprojects.com/blueprints/#templates"


class UnexpectedUnicodeError(AssertionError, UnicodeError):
    """Text was given where only bytes make sense, or bytes where only text does."""


class DebugFilesKeyError(KeyError, AssertionError):
    """A view asked for an uploaded file, and the form that was sent cannot carry files.

    It is a :exc:`KeyError`, and so answers 400 as any missing key does, whose text says what the
    HTML of the form lacks.

    :param request: the request that came without the file.
    :param key: the name under which the view looked for it.
    """

    def __init__(self, request: t.Any, key: str) -> None:
        self.msg = _describe_missing_file(request, key)
        super().__init__(self.msg)

    # KeyError would show the repr() of its argument, with the line breaks escaped.
    def __str__(self) -> str:
        return self.msg


def _describe_missing_file(request: t.Any, key: str) -> str:
    sentences = [
        f"The view read request.files[{key!r}], and this request has no such file."
        f" Its content type is {request.mimetype!r}, not 'multipart/form-data',"
        " so no file contents were transmitted."
        ' Add enctype="multipart/form-data" to the <form> tag:\n\n'
        '    <form method="post" enctype="multipart/form-data">'
    ]
    names = request.form.getlist(key)
    if names:
        shown = ", ".join(repr(name) for name in names)
        sentences.append(
            "Without it a browser sends the name of the chosen file alone."
            f" This was submitted: {shown}"
        )
    return "\n\n".join(sentences)


class FormDataRoutingRedirect(AssertionError):
    """Routing would answer a form with a redirect on which browsers drop the form's data.

    Raised in debug mode, for methods other than GET, HEAD and OPTIONS, when the status of the
    redirect is neither 307 nor 308.

    :param request: the request whose ``routing_exception`` is the redirect.
    """

    def __init__(self, request: t.Any) -> None:
        super().__init__(_describe_lossy_redirect(request))


def _describe_lossy_redirect(request: t.Any) -> str:
    redirect = request.routing_exception
    sentences = [
        f"This {request.method} request went to {request.url!r}, and routing answers it with a"
        f" redirect ({redirect.code}) to the canonical URL {redirect.new_url!r}."
        f" Browsers follow such a redirect with a GET request and drop the data."
    ]
    if redirect.new_url.partition("?")[0] == f"{request.base_url}/":
        sentences.append(
            "The route ends with a slash and the request's URL does not. Add the slash where the"
            " URL is written, or better write url_for() there."
        )
    else:
        sentences.append("Send the form to the canonical URL.")
    sentences.append(
        "Redirects with status 307 or 308 would keep the data. Outside debug mode there is no such"
        " error: the redirect is sent and the data is lost."
    )
    return "\n\n".join(sentences)


def attach_enctype_error_multidict(request: t.Any) -> None:
    """Let ``request.files[name]`` explain itself when the form was sent without its ``enctype``.

    The class of ``request.files`` is exchanged for a subclass that raises
    :exc:`DebugFilesKeyError` for a name that the form, though not the files, contains.

    :param request: a request whose form has been parsed.
    """
    files_class: type[t.Any] = type(request.files)

    def __getitem__(self: t.Any, key: str) -> t.Any:
        try:
            return files_class.__getitem__(self, key)
        except KeyError as error:
            if key not in request.form:
                raise
            explained = DebugFilesKeyError(request, key)
            raise explained.with_traceback(error.__traceback__) from None

    request.files.__class__ = type(
        files_class.__name__,
        (files_class,),
        {"__getitem__": __getitem__, "__module__": files_class.__module__},
    )


class TemplateNotFound(jinja2.TemplateNotFound):
    """No loader of an application has a template of a name.

    As Jinja's exception, of which it is one, it shows the name. In debug mode it goes on with the
    folders that were searched, and with names that are spelled alike.

    :param name: the name that was asked for.
    :param app: the application that renders the template.
    :param loaders: the loaders that were asked, each after its owner.
    """

    def __init__(
        self, name: str, app: Application = None, loaders: Sequence[OwnedLoader] = ()
    ) -> None:
        super().__init__(name)
        self._app = app
        self._loaders = loaders

    # Made when it is shown. Most of these exceptions are not: of a list of templates those that do
    # not exist are passed over.
    def __str__(self) -> str:
        text = super().__str__()
        if self._app is None or not self._app.debug:
            return text
        return "\n".join([text, "", *self._explain()])

    def _explain(self) -> Iterator[str]:
        yield "There is no template of this name in:"
        for owner, loader in self._loaders:
            for place in _describe_places(loader):
                yield f"  {place}, of {_describe_owner(self._app, owner)}"
        if not self._loaders:
            yield "  (neither the application nor a blueprint has a template folder)"
        alike = _names_like(str(self.name), self._known_names())
        if alike:
            yield f"Did you mean {' or '.join(map(repr, alike))}?"

    def _known_names(self) -> set[str]:
        names: set[str] = set()
        for _, loader in self._loaders:
            try:
                names.update(loader.list_templates())
            except TypeError:
                # This is how loaders say that they cannot list what they have.
                continue
        return names


def _names_like(name: str, known: set[str]) -> list[str]:
    """Return the names that may be meant: the same file in a subfolder, or one letter off."""
    deeper = sorted(other for other in known if other.endswith(f"/{name}"))
    close = difflib.get_close_matches(name, known, cutoff=0.8)
    return list(dict.fromkeys([*deeper, *close]))[:3]


def _describe_places(loader: BaseLoader) -> Iterator[str]:
    if not isinstance(loader, jinja2.FileSystemLoader):
        yield f"{type(loader).__module__}.{type(loader).__name__}"
        return
    for folder in loader.searchpath:
        yield folder if os.path.isdir(folder) else f"{folder} (which does not exist)"


def explain_template_loading_attempts(
    app: Application, template: str, attempts: Sequence[LoadingAttempt]
) -> None:
    """Log where a template was looked for, what was found, and what is suspicious about it.

    One entry at level INFO of the application's logger. Called for each template that is loaded
    while the configuration has ``EXPLAIN_TEMPLATE_LOADING``.

    :param app: the application that renders the template.
    :param template: the name that was asked for.
    :param attempts: for each loader in order: the loader, the application or blueprint that it
        belongs to, and what it returned (``None`` when it has no such template).
    """
    lines = [f"Locating template {template!r}:"]
    for number, attempt in enumerate(attempts, 1):
        lines += _explain_attempt(app, number, attempt)

    found = sum(result is not None for _, _, result in attempts)
    if found == 0:
        lines.append("Error: the template could not be found.")
    elif found > 1:
        lines.append(
            f"Warning: {found} loaders have a template of this name. The first of them is used."
        )
    if found != 1:
        lines += _explain_blueprint_folder()

    app.logger.info("\n".join(lines))


def _explain_attempt(app: Application, number: int, attempt: LoadingAttempt) -> Iterator[str]:
    loader, owner, result = attempt
    yield f"{number:5}: trying loader of {_describe_owner(app, owner)}"
    for line in _dump_loader_info(loader):
        yield f"       {line}"
    if result is None:
        yield "       -> no match"
    else:
        yield f"       -> found ({result[1] or '<string>'!r})"


def _describe_owner(app: Application, owner: t.Any) -> str:
    if owner is app:
        return f"application {owner.import_name!r}"
    if hasattr(owner, "import_name"):
        return f"blueprint {owner.name!r} ({owner.import_name})"
    return repr(owner)


def _explain_blueprint_folder() -> Iterator[str]:
    context = _cv_request.get(None)
    blueprint = context.request.blueprint if context is not None else None
    if blueprint is None:
        return
    yield (
        "  The template was looked up from an endpoint that belongs to the blueprint"
        f" {blueprint!r}."
    )
    yield (
        "  Is it in the folder that the blueprint names as its template_folder? All templates share"
        " one"
    )
    yield "  space of names, so a blueprint's are best kept in a subfolder of its own."
    yield f"  See {TEMPLATE_FOLDERS_PAGE}"


def _dump_loader_info(loader: BaseLoader) -> Iterator[str]:
    """Describe a loader, line by line: its class, and its plain public attributes."""
    cls = type(loader)
    yield f"class: {cls.__module__}.{cls.__name__}"
    for name, value in sorted(vars(loader).items()):
        if name.startswith("_"):
            continue
        if isinstance(value, str | int | float):
            yield f"{name}: {value!r}"
        elif isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            yield f"{name}:"
            for item in value:
                yield f"  - {item}"
