"""What forms are built on, from WTForms. Types are in the stub beside this file."""

try:
    import wtforms  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "erlen.forms needs WTForms, which is not installed: pip install 'erlen[forms]'",
        name="wtforms",
    ) from error

from wtforms.csrf.core import CSRF as CSRF
from wtforms.csrf.core import CSRFTokenField as CSRFTokenField
from wtforms.fields.core import Field as Field
from wtforms.fields.core import Flags as Flags
from wtforms.fields.core import Label as Label
from wtforms.fields.core import UnboundField as UnboundField
from wtforms.fields.simple import FileField as PlainFileField
from wtforms.fields.simple import MultipleFileField as PlainMultipleFileField
from wtforms.form import BaseForm as BaseForm
from wtforms.form import Form as Form
from wtforms.i18n import messages_path as messages_path
from wtforms.meta import DefaultMeta as DefaultMeta

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
