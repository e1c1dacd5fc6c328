"""The forms of the pages. What a field may hold is checked as for JSON, in ``listing.py``."""

from typing import Any

from erlen.forms import FlaskForm
from erlen.forms.fields import BooleanField, SelectChoice, SelectField, StringField
from erlen.forms.rows import Rows
from erlen.forms.uploads import UploadField

from ..books import BookData, Search
from ..languages import LANGUAGES
from ..models import AUTHOR_SEPARATOR, Book
from .fields import Fields
from .listing import read_book, read_search

SORT_NAMES = {
    "title": "Title",
    "author": "Author",
    "oldest": "Oldest first",
    "newest": "Newest first",
}

COVER_SIZE = 2_000_000
NUMBER = {"inputmode": "numeric"}


class SearchForm(FlaskForm):
    """What to look for; sent in the address, so that a search can be linked."""

    class Meta:
        """A search changes nothing, so it needs no token."""

        csrf = False

    q = StringField("Title or author", render_kw={"type": "search"})
    language = SelectField("Language")
    first_year = StringField("From year", name="from", render_kw=NUMBER)
    last_year = StringField("To year", name="to", render_kw=NUMBER)
    sort = SelectField("Sort by", choices=[SelectChoice(*pair) for pair in SORT_NAMES.items()])
    available = BooleanField("On the shelf", render_kw={"value": "1"})

    def read(self, fields: Fields) -> Search:
        """Return the search, with what is wrong noted beside the fields."""
        search = read_search(fields)
        note_errors(self, fields)
        return search


class BookForm(FlaskForm):
    """What is known of a book."""

    title = StringField("Title", description="In the language it was written in.")
    english_title = StringField("English title", description="If it differs.")
    authors = Rows(
        StringField("Author"), "Authors", min_entries=1, max_entries=5, add_label="Add an author"
    )
    born = StringField("Born", description="The first author.", render_kw=NUMBER)
    died = StringField("Died", render_kw=NUMBER)
    year = StringField("First published", render_kw=NUMBER)
    copies = StringField("Copies", default="1", render_kw=NUMBER)
    language = SelectField("Language")
    cover = UploadField(
        "Cover",
        types=["image/*"],
        max_size=COVER_SIZE,
        max_pixels=25_000_000,
        description="A picture of up to 2 MB.",
    )
    remove_cover = BooleanField("Remove the cover")

    def __init__(self, book: Book | None = None) -> None:
        # What was sent stands for all of the book, fields that are missing too.
        known = None if book is None or self.is_submitted() else book
        super().__init__(data=known and {**vars(known), "authors": known.authors, "cover": None})
        self.language.choices = choices(LANGUAGES, "Choose")
        self.book: BookData | None = None
        if book is None or not book.cover:
            del self.remove_cover

    def validate(self, extra_validators: Any = None) -> bool:
        """Read the book into ``book``, with what is wrong noted beside the fields."""
        valid = super().validate(extra_validators)
        if self.rows_changed:
            return False
        authors = [name for name in (read_author(entry) for entry in self.authors) if name]
        data = {name: field.data for name, field in self._fields.items() if name != "authors"}
        fields = Fields({**data, "author": AUTHOR_SEPARATOR.join(authors)})
        self.book = read_book(fields)
        note_errors(self, fields, {"author": self.authors[0]})
        self.authors.errors = [entry.errors for entry in self.authors if entry.errors]
        return valid and not self.errors


def read_author(entry: Any) -> str:
    """Return the name in a row; an empty row is left out."""
    fields = Fields({"author": entry.data})
    name = fields.optional_text("author", limit=100)
    if name:
        fields.text("author", limit=100)
    if AUTHOR_SEPARATOR.strip() in name:
        fields.errors["author"] = "Give each author a row."
    entry.errors = list(fields.errors.values())
    return name


def note_errors(form: FlaskForm, fields: Fields, others: dict[str, Any] | None = None) -> None:
    """Put complaints beside the fields of a form.

    :param others: the fields that are called otherwise.
    """
    named = {field.name: field for field in form} | (others or {})
    for name, complaint in fields.errors.items():
        if name in named and not named[name].errors:
            named[name].errors = [complaint]


def choices(names: dict[str, str], empty: str) -> list[SelectChoice]:
    """Return choices with one in front that chooses nothing."""
    return [SelectChoice("", empty), *(SelectChoice(*pair) for pair in names.items())]
