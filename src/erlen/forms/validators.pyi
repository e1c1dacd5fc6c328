import re
import typing as t
from collections.abc import Callable, Collection, Iterable
from datetime import date
from decimal import Decimal

from .base import _Text

__all__ = [
    "URL",
    "UUID",
    "AnyOf",
    "DataRequired",
    "DateRange",
    "Disabled",
    "Email",
    "EqualTo",
    "HostnameValidation",
    "IPAddress",
    "InputRequired",
    "Length",
    "MacAddress",
    "NoneOf",
    "NumberRange",
    "Optional",
    "ReadOnly",
    "Regexp",
    "StopValidation",
    "ValidationError",
]

_Date: t.TypeAlias = date | Callable[[], date] | None
_Number: t.TypeAlias = float | Decimal | Callable[[], float | Decimal] | None

class ValidationError(ValueError):
    def __init__(self, message: _Text = "", *args: object, **kwargs: object) -> None: ...

class StopValidation(Exception):
    def __init__(self, message: _Text = "", *args: object, **kwargs: object) -> None: ...

@t.type_check_only
class _Base:
    field_flags: dict[str, t.Any]
    def __call__(self, form: t.Any, field: t.Any) -> None: ...

class EqualTo(_Base):
    fieldname: str
    message: t.Any
    def __init__(self, fieldname: str, message: _Text | None = None) -> None: ...

class Length(_Base):
    min: int
    max: int
    message: t.Any
    def __init__(self, min: int = -1, max: int = -1, message: _Text | None = None) -> None: ...

class NumberRange(_Base):
    min: _Number
    max: _Number
    message: t.Any
    def __init__(
        self, min: _Number = None, max: _Number = None, message: _Text | None = None
    ) -> None: ...

class DateRange(_Base):
    min: _Date
    max: _Date
    message: t.Any
    def __init__(
        self, min: _Date = None, max: _Date = None, message: _Text | None = None
    ) -> None: ...

class Optional(_Base):
    string_check: Callable[[str], str]
    def __init__(self, strip_whitespace: bool = True) -> None: ...

class DataRequired(_Base):
    message: t.Any
    def __init__(self, message: _Text | None = None) -> None: ...

class InputRequired(_Base):
    message: t.Any
    def __init__(self, message: _Text | None = None) -> None: ...

class Regexp(_Base):
    regex: re.Pattern[str]
    message: t.Any
    matcher: Callable[[re.Pattern[str], str], re.Match[str] | None]
    def __init__(
        self,
        regex: str | re.Pattern[str],
        flags: int = 0,
        message: _Text | None = None,
        matcher: Callable[[re.Pattern[str], str], re.Match[str] | None] = ...,
        html_pattern: bool | str | Callable[[re.Pattern[str]], bool | str] = False,
    ) -> None: ...
    def __call__(self, form: t.Any, field: t.Any, message: _Text | None = None) -> t.Any: ...

class Email(_Base):
    message: t.Any
    granular_message: bool
    check_deliverability: bool
    test_environment: bool | None
    allow_smtputf8: bool | None
    allow_empty_local: bool | None
    def __init__(
        self,
        message: _Text | None = None,
        granular_message: bool = False,
        check_deliverability: bool = False,
        test_environment: bool | None = None,
        allow_smtputf8: bool | None = None,
        allow_empty_local: bool | None = None,
    ) -> None: ...

class IPAddress(_Base):
    ipv4: bool
    ipv6: bool
    message: t.Any
    def __init__(
        self, ipv4: bool = True, ipv6: bool = False, message: _Text | None = None
    ) -> None: ...
    @classmethod
    def check_ipv4(cls, value: str | None) -> bool: ...
    @classmethod
    def check_ipv6(cls, value: str | None) -> bool: ...

class MacAddress(Regexp):
    def __init__(self, message: _Text | None = None) -> None: ...

class URL(_Base):
    allow_userinfo: bool
    schemes: Collection[str]
    message: t.Any
    validate_hostname: HostnameValidation
    def __init__(
        self,
        require_tld: bool = True,
        allow_ip: bool = True,
        allow_userinfo: bool = False,
        schemes: Collection[str] = ("http", "https"),
        message: _Text | None = None,
    ) -> None: ...

class UUID(_Base):
    message: t.Any
    def __init__(self, message: _Text | None = None) -> None: ...

class AnyOf(_Base):
    values: Collection[t.Any]
    message: t.Any
    values_formatter: Callable[[Iterable[t.Any]], str]
    def __init__(
        self,
        values: Collection[t.Any],
        message: _Text | None = None,
        values_formatter: Callable[[Iterable[t.Any]], str] | None = None,
    ) -> None: ...

class NoneOf(AnyOf): ...

class HostnameValidation:
    require_tld: bool
    allow_ip: bool
    def __init__(self, require_tld: bool = True, allow_ip: bool = False) -> None: ...
    def __call__(self, hostname: str) -> bool: ...

class ReadOnly(_Base): ...
class Disabled(_Base): ...
