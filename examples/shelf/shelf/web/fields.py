"""Reading what people send: each field checked, all complaints collected and given at once."""

import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from werkzeug.exceptions import BadRequest


class Invalid(BadRequest):
    """Some fields are wrong: ``errors`` says, for each, what is."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("Some fields are missing or wrong.")
        self.errors = errors


class Fields:
    """The fields of a form, a query string or a JSON object.

    Ask for each field by its kind. For a bad one a complaint is noted and something harmless
    returned; ``check()`` raises ``Invalid`` if there were complaints::

        fields = Fields(request.form)
        name = fields.text("name", limit=80)
        fields.check()

    :param values: the fields as they came.
    :param typed: whether numbers come as numbers, as in JSON, and not as text.
    """

    def __init__(self, values: Mapping[str, Any], *, typed: bool = False) -> None:
        self.values = values
        self.typed = typed
        self.errors: dict[str, str] = {}

    def check(self) -> None:
        """Raise ``Invalid`` if any field asked for was wrong."""
        if self.errors:
            raise Invalid(self.errors)

    def only(self, *names: str) -> None:
        """Complain about each field whose name is none of ``names``."""
        for name in self.values:
            if name not in names:
                self.errors[name] = "There is no such field."

    def text(self, name: str, *, limit: int) -> str:
        """Return the text of a field, as one line."""
        text = self.optional_text(name, limit=limit)
        if name not in self.errors and not any(letter.isalnum() for letter in text):
            self.errors[name] = "This needs a letter or a digit." if text else "This is needed."
        return text

    def optional_text(self, name: str, *, limit: int) -> str:
        """Return the text of a field, as one line; an empty one if it is absent."""
        value = self._given(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.errors[name] = "This must be text."
            return ""
        text = unicodedata.normalize("NFC", " ".join(value.split()))
        if len(text) > limit:
            self.errors[name] = f"This must be at most {limit} characters long."
        elif any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
            self.errors[name] = "This must not contain control characters."
        return text

    def number(self, name: str, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``."""
        number = self.optional_number(name, low, high)
        if number is None:
            self.errors.setdefault(name, "This is needed.")
        return number or 0

    def optional_number(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number from ``low`` to ``high``; None if it is absent."""
        value = self._given(name)
        if value is None:
            return None
        number = _whole(value, self.typed)
        if number is None or not low <= number <= high:
            self.errors[name] = f"Give a whole number from {low} to {high}."
        return number

    def choice(self, name: str, choices: Collection[str]) -> str:
        """Return one of ``choices``."""
        choice = self.optional_choice(name, choices)
        if choice is None:
            self.errors.setdefault(name, "This is needed.")
        return choice or ""

    def optional_choice(self, name: str, choices: Collection[str]) -> str | None:
        """Return one of ``choices``; None if it is absent."""
        value = self._given(name)
        if value is None:
            return None
        if not isinstance(value, str) or value not in choices:
            self.errors[name] = f"Choose one of: {', '.join(choices)}."
            return None
        return value

    def _given(self, name: str) -> Any:
        """Return the value of a field, or None if there is nothing in it."""
        value = self.values.get(name)
        return (value.strip() or None) if isinstance(value, str) else value


def _whole(value: Any, typed: bool) -> int | None:
    """Return the whole number that ``value`` is or, unless ``typed``, spells in digits."""
    if typed:
        return value if type(value) is int else None  # not bool, which is an int too
    # Eighteen digits are more than any number here has; thousands of them are slow to read.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    return None
