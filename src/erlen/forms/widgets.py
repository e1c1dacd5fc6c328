"""Widgets, from WTForms, with types: what turns a field into HTML."""

# pyright knows an older WTForms by its own stubs; ours are those beside this file.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from wtforms.widgets.core import Button as Button
from wtforms.widgets.core import CheckboxInput as CheckboxInput
from wtforms.widgets.core import ColorInput as ColorInput
from wtforms.widgets.core import DataListWidget as DataListWidget
from wtforms.widgets.core import DateInput as DateInput
from wtforms.widgets.core import DateTimeInput as DateTimeInput
from wtforms.widgets.core import DateTimeLocalInput as DateTimeLocalInput
from wtforms.widgets.core import EmailInput as EmailInput
from wtforms.widgets.core import FileInput as FileInput
from wtforms.widgets.core import HiddenInput as HiddenInput
from wtforms.widgets.core import Input as Input
from wtforms.widgets.core import ListWidget as ListWidget
from wtforms.widgets.core import MonthInput as MonthInput
from wtforms.widgets.core import NumberInput as NumberInput
from wtforms.widgets.core import Option as Option
from wtforms.widgets.core import PasswordInput as PasswordInput
from wtforms.widgets.core import RadioInput as RadioInput
from wtforms.widgets.core import RangeInput as RangeInput
from wtforms.widgets.core import SearchInput as SearchInput
from wtforms.widgets.core import Select as Select
from wtforms.widgets.core import SubmitInput as SubmitInput
from wtforms.widgets.core import TableWidget as TableWidget
from wtforms.widgets.core import TelInput as TelInput
from wtforms.widgets.core import TextArea as TextArea
from wtforms.widgets.core import TextInput as TextInput
from wtforms.widgets.core import TimeInput as TimeInput
from wtforms.widgets.core import URLInput as URLInput
from wtforms.widgets.core import WeekInput as WeekInput
from wtforms.widgets.core import html_params as html_params

__all__ = [
    "Button",
    "CheckboxInput",
    "ColorInput",
    "DataListWidget",
    "DateInput",
    "DateTimeInput",
    "DateTimeLocalInput",
    "EmailInput",
    "FileInput",
    "HiddenInput",
    "Input",
    "ListWidget",
    "MonthInput",
    "NumberInput",
    "Option",
    "PasswordInput",
    "RadioInput",
    "RangeInput",
    "SearchInput",
    "Select",
    "SubmitInput",
    "TableWidget",
    "TelInput",
    "TextArea",
    "TextInput",
    "TimeInput",
    "URLInput",
    "WeekInput",
    "html_params",
]
