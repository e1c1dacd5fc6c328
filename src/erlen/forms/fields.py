"""The kinds of fields, from WTForms, with types: ``form.title.data`` is ``str | None``.

The classes are those of WTForms, except ``FileField`` and ``MultipleFileField``, whose data are
uploaded files. Types are in the stub beside this file.
"""

# pyright knows an older WTForms by its own stubs; ours are those beside this file.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from wtforms.csrf.core import CSRFTokenField as CSRFTokenField
from wtforms.datalist import DataList as DataList
from wtforms.datalist import DataListChoice as DataListChoice
from wtforms.datalist import enum_datalist as enum_datalist
from wtforms.fields.choices import Choice as Choice
from wtforms.fields.choices import RadioField as RadioField
from wtforms.fields.choices import SelectChoice as SelectChoice
from wtforms.fields.choices import SelectField as SelectField
from wtforms.fields.choices import SelectFieldBase as SelectFieldBase
from wtforms.fields.choices import SelectMultipleField as SelectMultipleField
from wtforms.fields.choices import enum_choices as enum_choices
from wtforms.fields.choices import enum_coerce as enum_coerce
from wtforms.fields.datetime import DateField as DateField
from wtforms.fields.datetime import DateTimeField as DateTimeField
from wtforms.fields.datetime import DateTimeLocalField as DateTimeLocalField
from wtforms.fields.datetime import MonthField as MonthField
from wtforms.fields.datetime import TimeField as TimeField
from wtforms.fields.datetime import WeekField as WeekField
from wtforms.fields.form import FormField as FormField
from wtforms.fields.list import FieldList as FieldList
from wtforms.fields.numeric import DecimalField as DecimalField
from wtforms.fields.numeric import DecimalRangeField as DecimalRangeField
from wtforms.fields.numeric import FloatField as FloatField
from wtforms.fields.numeric import IntegerField as IntegerField
from wtforms.fields.numeric import IntegerRangeField as IntegerRangeField
from wtforms.fields.simple import BooleanField as BooleanField
from wtforms.fields.simple import ButtonField as ButtonField
from wtforms.fields.simple import ColorField as ColorField
from wtforms.fields.simple import EmailField as EmailField
from wtforms.fields.simple import HiddenField as HiddenField
from wtforms.fields.simple import PasswordField as PasswordField
from wtforms.fields.simple import SearchField as SearchField
from wtforms.fields.simple import StringField as StringField
from wtforms.fields.simple import SubmitField as SubmitField
from wtforms.fields.simple import TelField as TelField
from wtforms.fields.simple import TextAreaField as TextAreaField
from wtforms.fields.simple import URLField as URLField

from .base import Field as Field
from .base import Flags as Flags
from .base import Label as Label
from .file import FileField as FileField
from .file import MultipleFileField as MultipleFileField

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
