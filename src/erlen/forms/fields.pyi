import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from enum import Enum

from markupsafe import Markup
from typing_extensions import TypeVar

from .base import BaseForm, CSRFTokenField, Field, Flags, Label, _Options, _Text, _Validator
from .file import FileField, MultipleFileField

__all__ = [
    "BooleanField",
    "ButtonField",
    "CSRFTokenField",
    "Choice",
    "ColorField",
    "DataList",
    "DataListChoice",
    "DateField",
    "DateTimeField",
    "DateTimeLocalField",
    "DecimalField",
    "DecimalRangeField",
    "EmailField",
    "Field",
    "FieldList",
    "FileField",
    "Flags",
    "FloatField",
    "FormField",
    "HiddenField",
    "IntegerField",
    "IntegerRangeField",
    "Label",
    "MonthField",
    "MultipleFileField",
    "PasswordField",
    "RadioField",
    "SearchField",
    "SelectChoice",
    "SelectField",
    "SelectFieldBase",
    "SelectMultipleField",
    "StringField",
    "SubmitField",
    "TelField",
    "TextAreaField",
    "TimeField",
    "URLField",
    "WeekField",
    "enum_choices",
    "enum_coerce",
    "enum_datalist",
]

_T = TypeVar("_T", default=str)
_E = TypeVar("_E", bound=Enum)
_FieldT = TypeVar("_FieldT", bound=Field, default=Field)
_FormT = TypeVar("_FormT", bound=BaseForm, default=BaseForm)

class StringField(Field):
    data: str | None

class TextAreaField(StringField): ...
class PasswordField(StringField): ...
class HiddenField(StringField): ...
class SearchField(StringField): ...
class TelField(StringField): ...
class URLField(StringField): ...
class EmailField(StringField): ...
class ColorField(StringField): ...
class ButtonField(StringField): ...

class BooleanField(Field):
    data: bool
    false_values: Sequence[t.Any]
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        false_values: Sequence[t.Any] | None = None,
        **kwargs: t.Unpack[_Options],
    ) -> None: ...

class SubmitField(BooleanField): ...

class IntegerField(Field):
    data: int | None
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        **kwargs: t.Unpack[_Options],
    ) -> None: ...

class IntegerRangeField(IntegerField): ...

class FloatField(Field):
    data: float | None
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        **kwargs: t.Unpack[_Options],
    ) -> None: ...

class DecimalField(Field):
    data: Decimal | None
    places: int | None
    rounding: str | None
    use_locale: bool
    number_format: str | None
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        places: int | None = ...,
        rounding: str | None = None,
        **kwargs: t.Unpack[_Options],
    ) -> None: ...

class DecimalRangeField(DecimalField): ...

class _DateTimeBase(Field):
    format: list[str]
    strptime_format: list[str]

class DateTimeField(_DateTimeBase):
    data: t.Any
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        format: str | list[str] = "%Y-%m-%d %H:%M:%S",
        **kwargs: t.Unpack[_Options],
    ) -> None: ...

class DateTimeLocalField(DateTimeField):
    data: datetime | None
    tz: tzinfo | Callable[[], tzinfo | None] | None
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        format: str | list[str] = ...,
        *,
        tz: tzinfo | Callable[[], tzinfo | None] | None = None,
        **kwargs: t.Unpack[_Options],
    ) -> None: ...

class DateField(DateTimeField):
    data: date | None
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        format: str | list[str] = "%Y-%m-%d",
        **kwargs: t.Unpack[_Options],
    ) -> None: ...

class TimeField(DateTimeField):
    data: time | None
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        format: str | list[str] = "%H:%M",
        **kwargs: t.Unpack[_Options],
    ) -> None: ...

class MonthField(DateField):
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        format: str | list[str] = "%Y-%m",
        **kwargs: t.Unpack[_Options],
    ) -> None: ...

class WeekField(DateField):
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        format: str | list[str] = "%Y-W%W",
        **kwargs: t.Unpack[_Options],
    ) -> None: ...

class Choice(t.NamedTuple):
    value: str
    label: str
    selected: bool
    render_kw: dict[str, t.Any]

@dataclass
class SelectChoice:
    value: t.Any
    label: t.Any = ...
    render_kw: dict[str, t.Any] = ...
    optgroup: str | None = ...
    def __iter__(self) -> Iterator[t.Any]: ...
    @classmethod
    def from_input(cls, input: t.Any, optgroup: str | None = None) -> SelectChoice: ...

_Choices: t.TypeAlias = (
    Sequence[str] | Sequence[SelectChoice] | Sequence[tuple[t.Any, ...]] | Mapping[str, t.Any]
)
_GivenChoices: t.TypeAlias = _Choices | Callable[..., _Choices | None] | None

class SelectFieldBase(Field):
    option_widget: t.Any
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        option_widget: Callable[..., object] | None = None,
        **kwargs: t.Unpack[_Options],
    ) -> None: ...
    def iter_choices(self) -> t.Iterable[Choice]: ...
    def has_groups(self) -> bool: ...
    def iter_groups(self) -> t.Iterable[tuple[str | None, t.Iterable[Choice]]]: ...
    def __iter__(self) -> Iterator[t.Any]: ...

class _Select(SelectFieldBase, t.Generic[_T]):
    coerce: Callable[[t.Any], _T]
    validate_choice: bool
    invalid_choice_message: t.Any
    @property
    def choices(self) -> t.Any: ...
    @choices.setter
    def choices(self, value: _GivenChoices) -> None: ...
    @t.overload
    def __init__(
        self: _Select[str],
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        *,
        choices: _GivenChoices = None,
        validate_choice: bool = True,
        invalid_choice_message: _Text | None = None,
        option_widget: Callable[..., object] | None = None,
        **kwargs: t.Unpack[_Options],
    ) -> None: ...
    @t.overload
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        *,
        coerce: Callable[[t.Any], _T],
        choices: _GivenChoices = None,
        validate_choice: bool = True,
        invalid_choice_message: _Text | None = None,
        option_widget: Callable[..., object] | None = None,
        **kwargs: t.Unpack[_Options],
    ) -> None: ...
    @t.overload
    def __init__(
        self,
        label: _Text | None,
        validators: Sequence[_Validator] | None,
        coerce: Callable[[t.Any], _T],
        choices: _GivenChoices = None,
        validate_choice: bool = True,
        *,
        invalid_choice_message: _Text | None = None,
        option_widget: Callable[..., object] | None = None,
        **kwargs: t.Unpack[_Options],
    ) -> None: ...

class SelectField(_Select[_T]):
    data: _T | None

class RadioField(SelectField[_T]): ...

class SelectMultipleField(_Select[_T]):
    data: list[_T] | None

def enum_choices(
    enum_cls: type[_E], *, by: str = "value", label: Callable[[_E], object] | None = None
) -> list[SelectChoice]: ...
def enum_coerce(enum_cls: type[_E], *, by: str = "value") -> Callable[[t.Any], _E]: ...

@dataclass
class DataListChoice:
    value: str
    label: str | None = ...
    render_kw: dict[str, t.Any] = ...
    def __iter__(self) -> Iterator[t.Any]: ...
    @classmethod
    def from_input(cls, input: t.Any) -> DataListChoice: ...

_Suggestions: t.TypeAlias = Sequence[str] | Sequence[DataListChoice] | Mapping[str, str]

class DataList:
    widget: t.Any
    render_kw: dict[str, t.Any]
    id: str | None
    def __init__(
        self,
        choices: _Suggestions | Callable[..., _Suggestions | None] | None = None,
        *,
        render_kw: dict[str, t.Any] | None = None,
        widget: Callable[..., object] | None = None,
    ) -> None: ...
    def iter_choices(self, field: Field | None = None) -> list[DataListChoice]: ...
    def __call__(self, field: Field | None = None, **kwargs: t.Any) -> Markup: ...

def enum_datalist(
    enum_cls: type[_E], *, by: str = "value", label: Callable[[_E], object] | None = None
) -> list[DataListChoice]: ...

class FormField(Field, t.Generic[_FormT]):
    form: _FormT
    form_class: type[_FormT]
    separator: str
    @property
    def data(self) -> dict[str, t.Any]: ...
    @property
    def errors(self) -> dict[str, t.Any]: ...  # type: ignore[override]
    def __init__(
        self,
        form_class: type[_FormT],
        label: _Text | None = None,
        validators: None = None,
        separator: str = "-",
        **kwargs: t.Unpack[_Options],
    ) -> None: ...
    def __iter__(self) -> Iterator[Field]: ...
    def __getitem__(self, name: str) -> t.Any: ...
    def __getattr__(self, name: str) -> t.Any: ...

class FieldList(Field, t.Generic[_FieldT]):
    entries: list[_FieldT]
    min_entries: int
    max_entries: int | None
    last_index: int
    unbound_field: t.Any
    @property
    def data(self) -> list[t.Any]: ...
    def __init__(
        self,
        unbound_field: _FieldT,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        min_entries: int = 0,
        max_entries: int | None = None,
        separator: str = "-",
        **kwargs: t.Unpack[_Options],
    ) -> None: ...
    def append_entry(self, data: t.Any = ...) -> _FieldT: ...
    def insert_entry(self, index: int, data: t.Any = ...) -> _FieldT: ...
    def pop_entry(self, index: int = -1) -> _FieldT: ...
    def __iter__(self) -> Iterator[_FieldT]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> _FieldT: ...
