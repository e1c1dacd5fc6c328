"""The configuration of an application: a dictionary that fills itself from many places."""

from __future__ import annotations

import errno
import json
import os
import types
import typing as t
from collections.abc import Callable, Iterable, Mapping, MutableMapping

from werkzeug.utils import import_string

from .exceptions import ConfigError

T = t.TypeVar("T")
F = t.TypeVar("F", bound=Callable[..., t.Any])

_MISSING_FILE = (errno.ENOENT, errno.EISDIR)
# A Python file's name may also run through a file that stands where a folder should.
_MISSING_PYFILE = (*_MISSING_FILE, errno.ENOTDIR)


class ConfigAttribute(t.Generic[T]):
    """An attribute of the application that reads and writes a key of ``app.config``.

    :param name: the key.
    :param get_converter: applied to the value when the attribute is read.
    """

    def __init__(self, name: str, get_converter: Callable[[t.Any], T] | None = None) -> None:
        self.__name__ = name
        self.get_converter = get_converter

    @t.overload
    def __get__(self, obj: None, owner: t.Any) -> t.Self: ...

    @t.overload
    def __get__(self, obj: t.Any, owner: t.Any) -> T: ...

    def __get__(self, obj: t.Any, owner: t.Any = None) -> T | t.Self:
        if obj is None:
            return self
        value = obj.config[self.__name__]
        if self.get_converter is None:
            return t.cast(T, value)
        return self.get_converter(value)

    def __set__(self, obj: t.Any, value: t.Any) -> None:
        obj.config[self.__name__] = value


def _counting(method: F) -> F:
    """Wrap a mutating method of ``dict`` so that it raises ``version``, even where it fails."""

    def wrapper(self: Config, *args: t.Any, **kwargs: t.Any) -> t.Any:
        try:
            return method(self, *args, **kwargs)
        finally:
            self.version += 1

    wrapper.__name__ = method.__name__
    wrapper.__qualname__ = f"Config.{method.__name__}"
    wrapper.__doc__ = method.__doc__
    return t.cast(F, wrapper)


class Config(dict[str, t.Any]):
    """A ``dict`` with methods to fill it from files, objects and the environment.

    All but :meth:`from_prefixed_env` take uppercase keys only, so that a settings file can have
    helpers of its own in lowercase.

    :param root_path: the folder that names of files are relative to.
    :param defaults: the first values. Dictionaries among them are copied, so that an edit in
        one application does not show in another.

    .. code-block:: python

        app.config["SECRET_KEY"] = "..."
        app.config.from_object("yourapplication.default_settings")
        app.config.from_file("config.toml", load=tomllib.load, text=False)
        app.config.from_prefixed_env()
    """

    #: Grows with each change of the dictionary, so that values worked out from the configuration
    #: can be kept as long as it stays the same. It does not see changes inside a value.
    version: int = 0

    def __init__(
        self, root_path: str | os.PathLike[str], defaults: Mapping[str, t.Any] | None = None
    ) -> None:
        super().__init__()
        self.root_path = root_path
        for key, value in (defaults or {}).items():
            self[key] = dict(value) if isinstance(value, dict) else value

    # PERF: reading stays dict's own; only changes take a Python call.
    __setitem__ = _counting(dict.__setitem__)
    __delitem__ = _counting(dict.__delitem__)
    __ior__ = _counting(dict.__ior__)
    clear = _counting(dict.clear)
    pop = _counting(dict.pop)
    popitem = _counting(dict.popitem)
    setdefault = _counting(dict.setdefault)
    update = _counting(dict.update)

    def from_envvar(self, variable_name: str, silent: bool = False) -> bool:
        """Load the Python file that an environment variable names.

        :param variable_name: the variable.
        :param silent: return ``False`` where the variable or the file is missing.
        :return: whether the file was loaded.
        :raises RuntimeError: if the variable is not set.
        """
        filename = os.environ.get(variable_name)
        if filename:
            return self.from_pyfile(filename, silent=silent)
        if silent:
            return False
        raise RuntimeError(
            f"The environment variable {variable_name!r} is not set and as such configuration"
            " could not be loaded. Set it to the path of a configuration file."
        )

    def from_prefixed_env(
        self, prefix: str = "FLASK", *, loads: Callable[[str], t.Any] = json.loads
    ) -> bool:
        """Load the environment variables whose names begin with a prefix.

        The rest of a name is the key. Double underscores in it lead into nested dictionaries,
        which are made where they are missing. Variables are taken in the order of their names.

        :param prefix: the prefix, without the underscore that follows it.
        :param loads: turns the text of a variable into its value. Where it raises an exception,
            the value is the text.
        :return: ``True``.
        :raises ConfigError: if a nested key leads through a value that is not a dictionary, as
            with ``FLASK_MAIL=smtp`` and ``FLASK_MAIL__PORT=25``.

        .. code-block:: python

            # FLASK_DEBUG=true FLASK_MAIL__PORT=25
            app.config.from_prefixed_env()
            app.config["MAIL"]["PORT"]  # 25
        """
        start = f"{prefix}_"
        for variable in sorted(os.environ):
            if variable.startswith(start):
                value = _parse_or_text(os.environ[variable], loads)
                self._set_nested(start, variable, value)
        return True

    def _set_nested(self, start: str, variable: str, value: t.Any) -> None:
        *parents, last = variable.removeprefix(start).split("__")
        target: t.Any = self
        path = start
        for parent in parents:
            path += parent
            if parent not in target:
                target[parent] = {}
            target = target[parent]
            if not isinstance(target, MutableMapping):
                raise ConfigError(_explain_conflict(start, variable, path, target))
            path += "__"
        target[last] = value
        if parents:
            self.version += 1

    def from_pyfile(self, filename: str | os.PathLike[str], silent: bool = False) -> bool:
        """Run a Python file and load the uppercase names that it sets.

        :param filename: the file, absolute or relative to the root path.
        :param silent: return ``False`` where the file is missing.
        :return: whether the file was loaded.
        :raises OSError: if the file cannot be read.
        """
        path = os.path.join(self.root_path, filename)
        source = _read(path, "rb", lambda file: file.read(), _MISSING_PYFILE if silent else ())
        if source is None:
            return False
        module = types.ModuleType("config")
        module.__file__ = path
        exec(compile(source, path, "exec"), module.__dict__)
        self.from_object(module)
        return True

    def from_object(self, obj: object | str) -> None:
        """Load the uppercase attributes of an object, most often a module or a class.

        Values are read as they are: make an instance first of a class that has properties. The
        keys of a ``dict`` are not attributes; use :meth:`from_mapping` for one.

        :param obj: the object, or the name to import it by.

        .. code-block:: python

            app.config.from_object("yourapplication.default_settings")
        """
        source = import_string(obj) if isinstance(obj, str) else obj
        for key in dir(source):
            if key.isupper():
                self[key] = getattr(source, key)

    def from_file(
        self,
        filename: str | os.PathLike[str],
        load: Callable[[t.IO[t.Any]], Mapping[str, t.Any]],
        silent: bool = False,
        text: bool = True,
    ) -> bool:
        """Load the uppercase keys of a data file.

        :param filename: the file, absolute or relative to the root path.
        :param load: reads the open file and returns a mapping, as ``json.load`` does.
        :param silent: return ``False`` where the file is missing.
        :param text: open the file as text; ``False`` for a *load* that takes bytes.
        :return: whether the file was loaded.
        :raises OSError: if the file cannot be read.

        .. code-block:: python

            app.config.from_file("config.json", load=json.load)
            app.config.from_file("config.toml", load=tomllib.load, text=False)
        """
        path = os.path.join(self.root_path, filename)
        mode = "r" if text else "rb"
        missing = object()
        loaded = _read(path, mode, load, _MISSING_FILE if silent else (), missing)
        return False if loaded is missing else self.from_mapping(loaded)

    def from_mapping(
        self,
        mapping: Mapping[str, t.Any] | Iterable[tuple[str, t.Any]] | None = None,
        **kwargs: t.Any,
    ) -> bool:
        """Load the uppercase keys of a mapping and of keyword arguments.

        :param mapping: a mapping, or pairs of keys and values.
        :return: ``True``.
        """
        values = {**dict(mapping or ()), **kwargs}
        for key, value in values.items():
            if key.isupper():
                self[key] = value
        return True

    def get_namespace(
        self, namespace: str, lowercase: bool = True, trim_namespace: bool = True
    ) -> dict[str, t.Any]:
        """Return the values whose keys begin with *namespace*, as a new dictionary.

        :param namespace: the common beginning of the keys.
        :param lowercase: return the keys in lowercase.
        :param trim_namespace: return the keys without the common beginning.

        .. code-block:: python

            app.config["STORE_PATH"] = "/srv/store"
            app.config.get_namespace("STORE_")  # {"path": "/srv/store"}
        """
        skip = len(namespace) if trim_namespace else 0
        found = {key[skip:]: value for key, value in self.items() if key.startswith(namespace)}
        return {key.lower(): value for key, value in found.items()} if lowercase else found

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {super().__repr__()}>"


def _parse_or_text(text: str, loads: Callable[[str], t.Any]) -> t.Any:
    try:
        return loads(text)
    except Exception:
        return text


def _explain_conflict(start: str, variable: str, path: str, value: object) -> str:
    """Say which setting stands in the way of a variable for a nested key, and what to do."""
    key = path.removeprefix(start)
    kind = type(value).__name__
    origin = path
    while origin not in os.environ and "__" in origin.removeprefix(start):
        origin = origin.rpartition("__")[0]
    if origin in os.environ:
        found = f"{origin!r} sets that to a value of type {kind}. Unset one of the two variables"
        remedy = f"give {origin!r} a JSON object, such as {{}}"
    else:
        found = f"the configuration holds a value of type {kind} there. Unset the variable"
        remedy = "make that value a dictionary"
    return (
        f"The environment variable {variable!r} sets a key inside {key!r}, but {found},"
        f" or {remedy}."
    )


def _read(
    path: str,
    mode: str,
    load: Callable[[t.IO[t.Any]], t.Any],
    forgiven: tuple[int, ...],
    missing: object = None,
) -> t.Any:
    """Open and load a file; return *missing* for an error whose number is in *forgiven*."""
    try:
        with open(path, mode) as file:
            return load(file)
    except OSError as error:
        if error.errno in forgiven:
            return missing
        error.strerror = f"Unable to load configuration file ({error.strerror})"
        raise
