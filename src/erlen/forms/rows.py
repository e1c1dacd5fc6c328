"""Rows that people add to and remove, with and without JavaScript."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator

from .base import BaseForm, Field, UnboundField
from .fields import FieldList, FormField

#: What the buttons that add a row are called; the value is the name of the rows.
ADD_BUTTON = "_add_row"
#: What the buttons that remove a row are called; the value is the name of the row.
REMOVE_BUTTON = "_remove_row"

_MAX_DIGITS = 9


class Rows(FieldList):
    """A list of fields, or of forms, that people can make longer and shorter.

    Each row has a button that removes it, and there is one that adds a row. They are ordinary
    buttons of the form: pressing one submits it, and the page comes back with a row more or less
    and all that was typed. Such a request is never valid, so that nothing is saved by it, and it
    shows no errors. Rows may be inside of rows.

    :param unbound_field: the field of a row; for several, ``FormField(RowForm)``.
    :param label: the label of all rows together.
    :param validators: validators of the whole list.
    :param min_entries: how many rows there are at least.
    :param max_entries: how many rows there may be; what is sent beyond is left out.
    :param add_label: what the button that adds a row says.
    :param remove_label: what the buttons that remove one say.
    :param kwargs: further arguments of :class:`wtforms.FieldList`.

    .. code-block:: python

        class BookForm(FlaskForm):
            authors = Rows(StringField("Author"), "Authors", min_entries=1, max_entries=8)
    """

    def __init__(
        self,
        unbound_field: UnboundField | Field,
        label: str | None = None,
        validators: t.Sequence[t.Any] | None = None,
        *,
        min_entries: int = 0,
        max_entries: int = 50,
        add_label: str | None = None,
        remove_label: str | None = None,
        **kwargs: t.Any,
    ) -> None:
        super().__init__(
            t.cast(t.Any, unbound_field),
            label,
            validators,
            min_entries=min_entries,
            max_entries=max_entries,
            **kwargs,
        )
        self.add_label = add_label or self.gettext("Add another")
        self.remove_label = remove_label or self.gettext("Remove")
        #: Whether this request added or removed a row.
        self.changed = False
        #: The row that this request added.
        self.added: Field | None = None

    def process(self, formdata: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        """Take the rows, and do what the buttons say.

        :param formdata: what was sent.
        :param args: as for :class:`wtforms.FieldList`.
        :param kwargs: as for :class:`wtforms.FieldList`.
        """
        super().process(formdata, *args, **kwargs)
        if not formdata:
            return
        for name in formdata.getlist(REMOVE_BUTTON):
            self._remove(formdata, str(name))
        if self.name in formdata.getlist(ADD_BUTTON):
            self.changed = True
            if self.can_add:
                self.added = self.append_entry()

    def _remove(self, formdata: Iterable[str], name: str) -> None:
        index = self._index_of(name)
        if index is None or name != f"{self.name}-{index}":
            # It may name a row of the rows inside of this one.
            return
        # WTForms may have numbered the rows anew; the order is that of the numbers sent.
        sent = sorted({found for key in formdata if (found := self._index_of(key)) is not None})
        position = sent.index(index) if index in sent else len(self.entries)
        self.changed = True
        if position < len(self.entries):
            self.pop_entry(position)
        while len(self.entries) < self.min_entries:
            self.append_entry()

    def _index_of(self, key: str) -> int | None:
        """Return the number of the row that a key belongs to."""
        prefix = f"{self.name}-"
        if not key.startswith(prefix):
            return None
        number = key[len(prefix) :].partition("-")[0]
        is_number = number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS
        return int(number) if is_number else None

    @property
    def can_add(self) -> bool:
        """Whether there may be another row."""
        return not self.max_entries or len(self.entries) < self.max_entries

    @property
    def can_remove(self) -> bool:
        """Whether there may be a row less."""
        return len(self.entries) > self.min_entries


def find_rows(form: BaseForm) -> Iterator[Rows]:
    """Yield all rows of a form, those inside of others too.

    :param form: the form.
    """
    for field in form:
        yield from _find_in(field)


def _find_in(field: Field) -> Iterator[Rows]:
    if isinstance(field, FormField):
        yield from find_rows(field.form)
    elif isinstance(field, FieldList):
        if isinstance(field, Rows):
            yield field
        for entry in field.entries:
            yield from _find_in(entry)
