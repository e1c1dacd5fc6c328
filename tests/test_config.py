"""The configuration: where its values come from, what wrong ones say, and how changes show."""

from __future__ import annotations

import copy
import json
import pickle
import tomllib
import typing as t
from pathlib import Path

import pytest

from erlen import Config, Erlen, Flask
from erlen.config import ConfigAttribute
from erlen.defaults import ERLEN_DEFAULTS, FLASK_DEFAULTS
from erlen.exceptions import ConfigError


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """An empty configuration that reads files from ``tmp_path``."""
    return Config(tmp_path)


def write(folder: Path, name: str, text: str) -> str:
    """Write a file and return its name."""
    (folder / name).write_text(text, encoding="utf-8")
    return name


# Objects and mappings


def test_from_object_takes_uppercase_attributes(config: Config) -> None:
    """Of a class, the uppercase attributes are taken, inherited ones too."""

    class Base:
        INHERITED = 1
        helper = 2

    class Settings(Base):
        OWN = 3

    config.from_object(Settings)
    assert config == {"INHERITED": 1, "OWN": 3}


def test_from_object_imports_a_name(config: Config, modules: Path) -> None:
    """A string is the name of a module, or of an object in one."""
    write(modules, "some_settings.py", "A = 1\nclass Test:\n    B = 2\n")
    config.from_object("some_settings")
    config.from_object("some_settings.Test")
    assert config == {"A": 1, "B": 2}


def test_from_object_reads_properties_of_an_instance(config: Config) -> None:
    """An instance gives the values of its properties."""

    class Settings:
        HOST = "db"

        @property
        def URL(self) -> str:
            return f"sqlite://{self.HOST}"

    config.from_object(Settings())
    assert config["URL"] == "sqlite://db"


def test_from_object_with_a_wrong_name(config: Config) -> None:
    """A name that cannot be imported is an ImportError."""
    with pytest.raises(ImportError, match="no_such_settings"):
        config.from_object("no_such_settings")


@pytest.mark.parametrize("source", [{"A": 1, "b": 2}, [("A", 1), ("b", 2)]])
def test_from_mapping_takes_uppercase_keys(config: Config, source: t.Any) -> None:
    """A mapping, pairs and keyword arguments all serve; lowercase keys are left out."""
    assert config.from_mapping(source, C=3, d=4)
    assert config == {"A": 1, "C": 3}


def test_from_mapping_lets_keywords_win(config: Config) -> None:
    """A keyword argument wins over the same key in the mapping."""
    config.from_mapping({"A": 1}, A=2)
    assert config["A"] == 2


def test_get_namespace(config: Config) -> None:
    """The keys with a common beginning come as a dictionary, made for keyword arguments."""
    config.update(STORE_PATH="/srv", STORE_KIND="disk", OTHER=1)
    assert config.get_namespace("STORE_") == {"path": "/srv", "kind": "disk"}
    assert config.get_namespace("STORE_", lowercase=False) == {"PATH": "/srv", "KIND": "disk"}
    assert config.get_namespace("STORE_", trim_namespace=False) == {
        "store_path": "/srv",
        "store_kind": "disk",
    }


# Files


def test_from_pyfile_runs_the_file(config: Config, tmp_path: Path) -> None:
    """The file is Python, found in the root path; lowercase names are its own."""
    name = write(tmp_path, "settings.cfg", "import os\nbase = 2\nTWICE = base * 2\n")
    assert config.from_pyfile(name)
    assert config == {"TWICE": 4}


def test_from_pyfile_sets_the_files_name(config: Config, tmp_path: Path) -> None:
    """The file knows where it is."""
    config.from_pyfile(write(tmp_path, "settings.cfg", "WHERE = __file__\n"))
    assert config["WHERE"] == str(tmp_path / "settings.cfg")


def test_from_pyfile_heeds_the_declared_encoding(config: Config, tmp_path: Path) -> None:
    """The file may say which encoding it is in, as any Python file."""
    text = "# -*- coding: latin-1 -*-\nNAME = 'föö'\n"
    (tmp_path / "settings.cfg").write_bytes(text.encode("latin-1"))
    config.from_pyfile("settings.cfg")
    assert config["NAME"] == "föö"


@pytest.mark.parametrize("name", ["missing.cfg", ".", "file/inside.cfg"])
def test_missing_pyfile(config: Config, tmp_path: Path, name: str) -> None:
    """A missing file is an error that says what was tried, or silence if asked for."""
    write(tmp_path, "file", "")
    assert not config.from_pyfile(name, silent=True)
    with pytest.raises(OSError, match=r"Unable to load configuration file \(") as caught:
        config.from_pyfile(name)
    assert Path(caught.value.filename) == tmp_path / name


def test_silence_does_not_cover_the_files_own_errors(config: Config, tmp_path: Path) -> None:
    """What goes wrong inside the file is told, even where the file itself may be missing."""
    name = write(tmp_path, "settings.cfg", "SECRET = open('no such file').read()\n")
    with pytest.raises(FileNotFoundError, match="no such file"):
        config.from_pyfile(name, silent=True)


def test_from_file_as_text(config: Config, tmp_path: Path) -> None:
    """A loader for text reads the file."""
    assert config.from_file(write(tmp_path, "c.json", '{"A": 1, "b": 2}'), load=json.load)
    assert config == {"A": 1}


def test_from_file_as_bytes(config: Config, tmp_path: Path) -> None:
    """A loader for bytes reads the file, if told to."""
    name = write(tmp_path, "c.toml", 'A = 1\n[B]\nx = "ü"\n')
    assert config.from_file(name, load=tomllib.load, text=False)
    assert config == {"A": 1, "B": {"x": "ü"}}


def test_missing_data_file(config: Config) -> None:
    """A missing file is an error, or silence if asked for."""
    assert not config.from_file("missing.json", load=json.load, silent=True)
    with pytest.raises(FileNotFoundError, match="Unable to load configuration file"):
        config.from_file("missing.json", load=json.load)


def test_from_envvar(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable names the file."""
    monkeypatch.setenv("SHOP_SETTINGS", write(tmp_path, "settings.cfg", "A = 1\n"))
    assert config.from_envvar("SHOP_SETTINGS")
    assert config == {"A": 1}


def test_from_envvar_without_the_variable(config: Config) -> None:
    """A variable that is not set is an error that names it, or silence if asked for."""
    assert not config.from_envvar("SHOP_SETTINGS", silent=True)
    with pytest.raises(RuntimeError, match="'SHOP_SETTINGS' is not set"):
        config.from_envvar("SHOP_SETTINGS")


# The environment


def test_environment_values_are_json_or_text(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reads as JSON is taken so; all else stays text."""
    monkeypatch.setenv("FLASK_NUMBER", "1")
    monkeypatch.setenv("FLASK_FLAG", "true")
    monkeypatch.setenv("FLASK_LIST", "[1, 2]")
    monkeypatch.setenv("FLASK_WORD", "True")
    monkeypatch.setenv("OTHER_WORD", "no")
    assert config.from_prefixed_env()
    assert config == {"NUMBER": 1, "FLAG": True, "LIST": [1, 2], "WORD": "True"}


def test_environment_with_another_prefix_and_loader(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prefix and the loader can be chosen."""
    monkeypatch.setenv("SHOP_NUMBER", "1")
    config.from_prefixed_env("SHOP", loads=str)
    assert config == {"NUMBER": "1"}


def test_environment_sets_nested_keys(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Double underscores lead into dictionaries, those that exist and those that must be made."""
    config["MAIL"] = {"HOST": "a", "TLS": {"ON": False}}
    monkeypatch.setenv("FLASK_MAIL__HOST", "b")
    monkeypatch.setenv("FLASK_MAIL__TLS__ON", "true")
    monkeypatch.setenv("FLASK_NEW__DEEP__KEY", "1")
    config.from_prefixed_env()
    assert config == {"MAIL": {"HOST": "b", "TLS": {"ON": True}}, "NEW": {"DEEP": {"KEY": 1}}}


def test_environment_extends_an_object_from_the_environment(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that holds an object and one for a key inside it go together."""
    monkeypatch.setenv("FLASK_MAIL", '{"HOST": "a", "PORT": 25}')
    monkeypatch.setenv("FLASK_MAIL__HOST", "b")
    config.from_prefixed_env()
    assert config["MAIL"] == {"HOST": "b", "PORT": 25}


def test_conflict_between_two_variables(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two variables that contradict each other are both named, but their values are not shown."""
    monkeypatch.setenv("FLASK_MAIL", "s3cret")
    monkeypatch.setenv("FLASK_MAIL__PORT", "25")
    with pytest.raises(ConfigError) as caught:
        config.from_prefixed_env()
    assert str(caught.value) == (
        "The environment variable 'FLASK_MAIL__PORT' sets a key inside 'MAIL', but 'FLASK_MAIL'"
        " sets that to a value of type str. Unset one of the two variables, or give 'FLASK_MAIL'"
        " a JSON object, such as {}."
    )


def test_conflict_deep_inside(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that set an outer object is named where the contradiction is inside it."""
    monkeypatch.setenv("FLASK_MAIL", '{"TLS": [1]}')
    monkeypatch.setenv("FLASK_MAIL__TLS__ON", "1")
    with pytest.raises(ConfigError, match="inside 'MAIL__TLS', but 'FLASK_MAIL' sets that to a"):
        config.from_prefixed_env()


def test_conflict_with_a_value_of_the_application(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no other variable is to blame, the message speaks of the configuration."""
    config["MAIL"] = None
    monkeypatch.setenv("FLASK_MAIL__PORT", "25")
    with pytest.raises(ConfigError, match="the configuration holds a value of type NoneType"):
        config.from_prefixed_env()


def test_config_error_is_what_flask_raises(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that expects Flask's TypeError catches ours."""
    monkeypatch.setenv("FLASK_A", "1")
    monkeypatch.setenv("FLASK_A__B", "1")
    with pytest.raises(TypeError):
        config.from_prefixed_env()


# The dictionary


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.__setitem__("B", 2),
        lambda c: c.__delitem__("A"),
        lambda c: c.__ior__({"B": 2}),
        lambda c: c.update(B=2),
        lambda c: c.update({"B": 2}),
        lambda c: c.setdefault("B", 2),
        lambda c: c.pop("A"),
        lambda c: c.popitem(),
        lambda c: c.clear(),
        lambda c: c.from_mapping(B=2),
        lambda c: c.from_object(type("Settings", (), {"B": 2})),
    ],
)
def test_each_change_raises_the_version(
    config: Config, change: t.Callable[[Config], object]
) -> None:
    """Whoever keeps what follows from the configuration can see that it changed."""
    config["A"] = 1
    before = config.version
    change(config)
    assert config.version > before


def test_nested_environment_raises_the_version(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change inside a value, made from the environment, shows too."""
    config["MAIL"] = {}
    before = config.version
    monkeypatch.setenv("FLASK_MAIL__PORT", "25")
    config.from_prefixed_env()
    assert config.version > before


def test_failed_changes_raise_what_dict_raises(config: Config) -> None:
    """The methods that note changes answer as those of ``dict`` do."""
    with pytest.raises(KeyError):
        del config["A"]
    with pytest.raises(KeyError):
        config.pop("A")
    assert config.pop("A", 1) == 1
    assert config.setdefault("A", 2) == 2
    config |= {"B": 3}
    assert config == {"A": 2, "B": 3}
    assert type(config) is Config


def test_reading_is_the_dictionarys_own() -> None:
    """Reading a key takes no Python call."""
    for name in ("__getitem__", "get", "__contains__", "__iter__", "items"):
        assert getattr(Config, name) is getattr(dict, name)


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))]
)
def test_copies_are_configurations(config: Config, clone: t.Callable[[Config], Config]) -> None:
    """A copy has the same keys and the same root path."""
    config["A"] = [1]
    twin = clone(config)
    assert twin == config
    assert twin.root_path == config.root_path


def test_repr(config: Config) -> None:
    """It shows its class and its keys."""
    config["A"] = 1
    assert repr(config) == "<Config {'A': 1}>"


def test_attribute_reads_and_writes_a_key() -> None:
    """An attribute stands for a key, by way of a converter if it has one."""

    class App:
        def __init__(self) -> None:
            self.config = {"PORT": "80"}

        port = ConfigAttribute[int]("PORT", int)
        raw = ConfigAttribute[str]("PORT")

    app = App()
    assert app.port == 80
    app.raw = "81"
    assert app.config == {"PORT": "81"}
    assert isinstance(App.port, ConfigAttribute)


# The defaults


def test_flask_starts_with_flasks_defaults() -> None:
    """A drop-in application sees Flask's configuration, key by key."""
    assert Flask("app").config == {**FLASK_DEFAULTS, "DEBUG": False}
    assert len(FLASK_DEFAULTS) == 29


def test_erlen_starts_with_all_of_flasks_keys() -> None:
    """A new application has the same keys, and better values."""
    assert FLASK_DEFAULTS.keys() <= ERLEN_DEFAULTS.keys()
    assert Erlen("app").config == {**ERLEN_DEFAULTS, "DEBUG": False}


def test_defaults_are_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one application changes inside a default value does not show in another."""
    monkeypatch.setenv("FLASK_DEFAULT_RESPONSE_HEADERS__X-Own", "1")
    first, second = Erlen("first"), Erlen("second")
    first.config.from_prefixed_env()
    assert first.config["DEFAULT_RESPONSE_HEADERS"]["X-Own"] == 1
    assert "X-Own" not in second.config["DEFAULT_RESPONSE_HEADERS"]
