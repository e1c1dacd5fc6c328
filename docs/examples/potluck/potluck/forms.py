"""What people fill in."""

from erlen.forms import FlaskForm
from erlen.forms.fields import DateField, StringField
from erlen.forms.validators import DataRequired, InputRequired, Length


class EventForm(FlaskForm):
    """A dinner to plan."""

    title = StringField("Title", [DataRequired(), Length(max=80)])
    day = DateField("Day", [InputRequired()])
