"""Validators, from WTForms, with types. Those for files are in :mod:`erlen.forms.file`."""

# pyright knows an older WTForms by its own stubs; ours are those beside this file.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from wtforms.validators import URL as URL
from wtforms.validators import UUID as UUID
from wtforms.validators import AnyOf as AnyOf
from wtforms.validators import DataRequired as DataRequired
from wtforms.validators import DateRange as DateRange
from wtforms.validators import Disabled as Disabled
from wtforms.validators import Email as Email
from wtforms.validators import EqualTo as EqualTo
from wtforms.validators import HostnameValidation as HostnameValidation
from wtforms.validators import InputRequired as InputRequired
from wtforms.validators import IPAddress as IPAddress
from wtforms.validators import Length as Length
from wtforms.validators import MacAddress as MacAddress
from wtforms.validators import NoneOf as NoneOf
from wtforms.validators import NumberRange as NumberRange
from wtforms.validators import Optional as Optional
from wtforms.validators import ReadOnly as ReadOnly
from wtforms.validators import Regexp as Regexp
from wtforms.validators import StopValidation as StopValidation
from wtforms.validators import ValidationError as ValidationError

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
