import typing as t
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from markupsafe import Markup

__all__ = [
    "CSRF",
    "BaseForm",
    "CSRFTokenField",
    "DefaultMeta",
    "Field",
    "Flags",
    "Form",
    "Label",
    "PlainFileField",
    "PlainMultipleFileField",
    "UnboundField",
    "messages_path",
]

# Text, or an object that is turned into text when it is shown (a lazy translation).
@t.type_check_only
class _HasHtml(t.Protocol):
    def __html__(self) -> str: ...

_Text: t.TypeAlias = str | _HasHtml
_Validator: t.TypeAlias = Callable[[t.Any, t.Any], object]
_Filter: t.TypeAlias = Callable[[t.Any], t.Any]
_Widget: t.TypeAlias = Callable[..., object]

@t.type_check_only
class _MultiDict(t.Protocol):
    def __iter__(self) -> Iterator[str]: ...
    def __contains__(self, key: t.Any, /) -> bool: ...
    def getlist(self, key: str, /) -> list[t.Any]: ...

@t.type_check_only
class _Translations(t.Protocol):
    def gettext(self, string: str, /) -> str: ...
    def ngettext(self, singular: str, plural: str, n: int, /) -> str: ...

class Flags:
    def __getattr__(self, name: str) -> t.Any: ...
    def __contains__(self, name: str) -> bool: ...

class Label:
    field_id: str
    text: t.Any
    def __init__(self, field_id: str, text: _Text) -> None: ...
    def __call__(self, text: _Text | None = None, **kwargs: t.Any) -> Markup: ...
    def __html__(self) -> str: ...

class UnboundField:
    creation_counter: int
    field_class: type[Field]
    args: tuple[t.Any, ...]
    name: str | None
    kwargs: dict[str, t.Any]
    def __init__(
        self, field_class: type[Field], *args: t.Any, name: str | None = None, **kwargs: t.Any
    ) -> None: ...
    def bind(
        self,
        form: BaseForm,
        name: str,
        prefix: str = "",
        translations: _Translations | None = None,
        **kwargs: t.Any,
    ) -> Field: ...

# What each field takes beside a label and validators.
@t.type_check_only
class _Options(t.TypedDict, total=False):
    filters: Sequence[_Filter]
    description: _Text
    id: str | None
    default: t.Any
    invalid_value_message: _Text | None
    widget: _Widget | None
    render_kw: Mapping[str, t.Any] | None
    name: str | None
    datalist: t.Any

class Field:
    name: str
    short_name: str
    id: str
    type: str
    label: Label
    description: t.Any
    data: t.Any
    object_data: t.Any
    default: t.Any
    raw_data: Sequence[t.Any] | None
    errors: Sequence[t.Any]
    process_errors: Sequence[str]
    validators: Sequence[_Validator]
    filters: Sequence[_Filter]
    flags: Flags
    meta: DefaultMeta
    widget: t.Any
    render_kw: dict[str, t.Any] | None
    invalid_value_message: t.Any
    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        filters: Sequence[_Filter] = (),
        description: _Text = "",
        id: str | None = None,
        default: t.Any = None,
        invalid_value_message: _Text | None = None,
        widget: _Widget | None = None,
        render_kw: Mapping[str, t.Any] | None = None,
        name: str | None = None,
        datalist: t.Any = None,
        _form: BaseForm | None = None,
        _prefix: str = "",
        _translations: _Translations | None = None,
        _meta: DefaultMeta | None = None,
    ) -> None: ...
    def __html__(self) -> str: ...
    def __call__(self, **kwargs: t.Any) -> Markup: ...
    def datalist(self, **kwargs: t.Any) -> Markup: ...
    @classmethod
    def check_validators(cls, validators: Iterable[_Validator] | None) -> None: ...
    def gettext(self, string: str) -> str: ...
    def ngettext(self, singular: str, plural: str, n: int) -> str: ...
    def validate(self, form: t.Any, extra_validators: Iterable[_Validator] = ()) -> bool: ...
    def pre_validate(self, form: t.Any) -> None: ...
    def post_validate(self, form: t.Any, validation_stopped: bool) -> None: ...
    def process(
        self,
        formdata: _MultiDict | None,
        data: t.Any = ...,
        extra_filters: Sequence[_Filter] | None = None,
    ) -> None: ...
    def post_process(self, formdata: _MultiDict | None = None) -> None: ...
    def process_data(self, value: t.Any) -> None: ...
    def process_formdata(self, valuelist: list[t.Any]) -> None: ...
    def populate_obj(self, obj: object, name: str) -> None: ...

class PlainFileField(Field): ...
class PlainMultipleFileField(PlainFileField): ...

class CSRFTokenField(Field):
    data: str | None
    current_token: str | None
    csrf_impl: CSRF

class CSRF:
    field_class: type[CSRFTokenField]
    def setup_form(self, form: BaseForm) -> list[tuple[str, t.Any]]: ...
    def generate_csrf_token(self, csrf_token_field: CSRFTokenField) -> str: ...
    def validate_csrf_token(self, form: BaseForm, field: CSRFTokenField) -> None: ...

class DefaultMeta:
    csrf: t.Any
    csrf_field_name: t.Any
    csrf_secret: t.Any
    csrf_context: t.Any
    csrf_class: t.Any
    locales: t.Any
    cache_translations: t.Any
    def bind_field(
        self, form: BaseForm, unbound_field: UnboundField, options: dict[str, t.Any]
    ) -> Field: ...
    def wrap_formdata(self, form: BaseForm, formdata: t.Any) -> _MultiDict | None: ...
    def render_field(self, field: Field, render_kw: dict[str, t.Any]) -> Markup: ...
    def build_csrf(self, form: BaseForm) -> CSRF: ...
    def get_translations(self, form: BaseForm) -> _Translations | None: ...
    def update_values(self, values: Mapping[str, t.Any]) -> None: ...

class BaseForm:
    meta: t.Any
    form_errors: list[str]
    _fields: OrderedDict[str, Field]
    _prefix: str
    def __init__(
        self,
        fields: Mapping[str, t.Any] | Iterable[tuple[str, t.Any]],
        prefix: str = "",
        meta: t.Any = ...,
    ) -> None: ...
    def __iter__(self) -> Iterator[Field]: ...
    def __contains__(self, name: str) -> bool: ...
    def __getitem__(self, name: str) -> t.Any: ...
    def __setitem__(self, name: str, value: t.Any) -> None: ...
    def __delitem__(self, name: str) -> None: ...
    def populate_obj(self, obj: object) -> None: ...
    def process(
        self,
        formdata: t.Any = None,
        obj: object | None = None,
        data: Mapping[str, t.Any] | None = None,
        extra_filters: Mapping[str, Sequence[_Filter]] | None = None,
        **kwargs: t.Any,
    ) -> None: ...
    def post_process(self, formdata: _MultiDict | None = None) -> None: ...
    def validate(
        self, extra_validators: Mapping[str, Sequence[_Validator]] | None = None
    ) -> bool: ...
    @property
    def data(self) -> dict[str, t.Any]: ...
    @property
    def errors(self) -> dict[str, t.Any]: ...

class Form(BaseForm):
    Meta: t.ClassVar[t.Any]
    _unbound_fields: t.ClassVar[list[tuple[str, UnboundField]] | None]
    def __init__(
        self,
        formdata: t.Any = None,
        obj: object | None = None,
        prefix: str = "",
        data: Mapping[str, t.Any] | None = None,
        meta: Mapping[str, t.Any] | None = None,
        **kwargs: t.Any,
    ) -> None: ...

def messages_path() -> str: ...
