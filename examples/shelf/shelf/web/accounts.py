"""What the library adds to the accounts' pages: a name, and that all begin as readers."""

from typing import TYPE_CHECKING, Any

from erlen.accounts import Pages
from erlen.accounts.forms import RegisterForm
from erlen.forms import FlaskForm
from erlen.forms.fields import StringField
from erlen.forms.validators import ValidationError

from .fields import Fields

if TYPE_CHECKING:
    from ..models import Account


class ReaderForm(RegisterForm):
    """A new account, with the name of its owner."""

    name = StringField(
        "Your name",
        description="Librarians see it beside what you borrow.",
        render_kw={"autocomplete": "name", "required": True},
    )
    field_order = ("name", "email", "password", "repeat")

    def validate_name(self, field: StringField) -> None:
        """Take one line of up to 60 characters."""
        fields = Fields({"name": field.data})
        name = fields.text("name", limit=60)
        if fields.errors:
            raise ValidationError(fields.errors["name"])
        field.data = name


class LibraryPages(Pages["Account"]):
    """The pages, with our form for registering."""

    register_form = ReaderForm

    def fill(self, user: "Account", form: FlaskForm) -> None:
        """Write down who has the account."""
        data: dict[str, Any] = form.data
        user.name = data["name"]
        user.set_roles({"reader"})
