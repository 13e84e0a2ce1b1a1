"""JSON as JavaScript writes it.

Receivers check a signature over what ``JSON.stringify`` makes of the document they have parsed, so the body has to be
that text already: parsing and writing it again must change no byte.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_LARGEST_INTEGER: Final = 2**53 - 1
_LARGEST_INDEX: Final = 2**32 - 2
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LONGEST_PLAIN: Final = 21
_SMALLEST_PLAIN: Final = -6


def stringify(value: Any) -> str:  # noqa: ANN401, PLR0911 - any JSON value, a line per type
    """The text that ``JSON.stringify(JSON.parse(…))`` makes of a JSON value.

    Raises:
        TypeError: for what is no JSON value.
        ValueError: for what JavaScript would read as something else: integers from 2**53 on, numbers that are none,
            members that are called the same.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return _integer(value)
        case float():
            return _number(value)
        case str():
            return _text(value)
        case Mapping():
            return "{" + ",".join(f"{_text(name)}:{stringify(each)}" for name, each in _members(value)) + "}"
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            return "[" + ",".join(stringify(each) for each in value) + "]"
        case _:
            raise TypeError(f"{type(value).__name__} is no JSON value")


def _integer(value: int) -> str:
    if abs(value) > _LARGEST_INTEGER:
        raise ValueError("JavaScript does not know this integer exactly")
    return str(int(value))


def _number(value: float) -> str:
    """A number as ECMAScript writes it; Python finds the same digits, but sets them differently."""
    if not math.isfinite(value):
        raise ValueError("JSON has no such number")
    if value == 0:
        return "0"  # of either sign
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction.rstrip("0")
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    return sign + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """The digits of 0.``digits`` times ten to the power of ``point``."""
    if len(digits) <= point <= _LONGEST_PLAIN:
        return digits.ljust(point, "0")
    if 0 < point <= _LONGEST_PLAIN:
        return f"{digits[:point]}.{digits[point:]}"
    if _SMALLEST_PLAIN < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"


def _text(value: str) -> str:
    # A pair of surrogates is one character; one without the other cannot be sent and is written as an escape.
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(_paired(value), ensure_ascii=False))


def _paired(value: str) -> str:
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _members(value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Members in the order of JavaScript: what looks like the index of an array first, by its number."""
    members: dict[str, Any] = {}
    for name, each in value.items():
        if not isinstance(name, str):
            raise TypeError("a member's name is a text")
        paired = _paired(name)
        if paired in members:
            raise ValueError("two members are called the same")
        members[paired] = each
    indexes = sorted((name for name in members if _is_index(name)), key=int)
    for name in [*indexes, *(name for name in members if not _is_index(name))]:
        yield name, members[name]


def _is_index(name: str) -> bool:
    return _INDEX.fullmatch(name) is not None and int(name) <= _LARGEST_INDEX
