"""What the placeholders of a rule accept, and how text becomes a value and back.

The classes are Werkzeug's, so that what extensions subclass and test for stays the same. The two
for numbers are stricter: ASCII digits only, and not endlessly many.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

from werkzeug.routing import AnyConverter as AnyConverter
from werkzeug.routing import BaseConverter as BaseConverter
from werkzeug.routing import FloatConverter as _FloatConverter
from werkzeug.routing import IntegerConverter as _IntegerConverter
from werkzeug.routing import PathConverter as PathConverter
from werkzeug.routing import UnicodeConverter as UnicodeConverter
from werkzeug.routing import UUIDConverter as UUIDConverter
from werkzeug.routing import ValidationError as ValidationError
from werkzeug.routing.converters import NumberConverter as NumberConverter

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The most characters of a number in a URL. Enough for 256 bits in decimal, and for no more than
#: a float can hold, so that no path turns into infinity.
MAX_DIGITS = 128

ANY_TEXT = frozenset({"[^/]+", "[^/]{1,}"})
ANY_PATH = PathConverter.regex
DIGITS = "[0-9]+"
DECIMAL = r"[0-9]+\.[0-9]+"
UUID = UUIDConverter.regex

#: What may stand unquoted in a path segment, by https://url.spec.whatwg.org/#url-path-segment-string.
SEGMENT_SAFE = "!$&'()*+,/:;=@"
_is_safe = re.compile(r"[A-Za-z0-9_.\-~!$&'()*+,/:;=@]*").fullmatch


def _check_digits(converter: NumberConverter, value: str) -> None:
    if len(value) > max(MAX_DIGITS, converter.fixed_digits) or not value.isascii():
        raise ValidationError()


class IntegerConverter(_IntegerConverter):
    """Accepts a whole number of ASCII digits, at most :data:`MAX_DIGITS` of them.

    ::

        Rule("/page/<int:page>")
        Rule("/floor/<int(signed=True):number>")

    :param map: the map of the rule.
    :param fixed_digits: the exact number of digits in the URL, zeros in front counted.
    :param min: the smallest number that matches.
    :param max: the largest number that matches.
    :param signed: also accept a minus sign in front.
    """

    regex = DIGITS

    def to_python(self, value: str) -> t.Any:
        _check_digits(self, value)
        return super().to_python(value)


class FloatConverter(_FloatConverter):
    """Accepts a number with a decimal point, in at most :data:`MAX_DIGITS` ASCII characters.

    ::

        Rule("/probability/<float:value>")
        Rule("/offset/<float(signed=True):value>")

    :param map: the map of the rule.
    :param min: the smallest number that matches.
    :param max: the largest number that matches.
    :param signed: also accept a minus sign in front.
    """

    regex = DECIMAL

    def to_python(self, value: str) -> t.Any:
        _check_digits(self, value)
        return super().to_python(value)


#: Which name in a rule means which converter, unless a map says otherwise.
DEFAULT_CONVERTERS: Mapping[str, type[BaseConverter]] = {
    "default": UnicodeConverter,
    "string": UnicodeConverter,
    "any": AnyConverter,
    "path": PathConverter,
    "int": IntegerConverter,
    "float": FloatConverter,
    "uuid": UUIDConverter,
}


def quote_segment(value: object) -> str:
    """Return a value as text for a URL's path, percent-encoded where it must be.

    :param value: anything that :class:`str` takes; slashes stay as they are.
    """
    text = str(value)
    # PERF: most values need no quoting, and finding that out takes a third of quote().
    return text if _is_safe(text) else quote(text, safe=SEGMENT_SAFE)


def python_cast(converter: BaseConverter) -> Callable[[str], t.Any] | None:
    """Return what makes a value from the matched text, or ``None`` where the text is the value.

    :param converter: the converter of one placeholder.
    """
    if _inherits(converter, "to_python", BaseConverter):
        return None
    # The matcher bounds the digits before it calls this.
    return int if _is_plain_integer(converter) else converter.to_python


def url_cast(converter: BaseConverter) -> Callable[[t.Any], str]:
    """Return what makes text for a URL from a value.

    :param converter: the converter of one placeholder.
    """
    if _inherits(converter, "to_url", BaseConverter):
        return quote_segment
    if _is_plain_integer(converter) and _inherits(converter, "to_url", _IntegerConverter):
        return _integer_text
    return converter.to_url


def _integer_text(value: t.Any) -> str:
    return str(int(value))


def _inherits(converter: BaseConverter, method: str, base: type[BaseConverter]) -> bool:
    unpatched = method not in vars(converter)
    return unpatched and getattr(type(converter), method) is getattr(base, method)


def _is_plain_integer(converter: BaseConverter) -> bool:
    return (
        isinstance(converter, IntegerConverter)
        and _inherits(converter, "to_python", IntegerConverter)
        and converter.regex == DIGITS
        and converter.num_convert is int
        and not converter.fixed_digits
        and converter.min is None
        and converter.max is None
    )
