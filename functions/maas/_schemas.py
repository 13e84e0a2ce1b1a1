"""What several resources of this API share on the wire."""

import re
import unicodedata
from datetime import UTC
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    Strict,
    WithJsonSchema,
    validate_email,
)
from pydantic.alias_generators import to_camel

from kickstand.http.surface import Loads
from kickstand.identity import service as identity

_LONGEST_TEXT: Final = 255
_LONGEST_COMMENT: Final = 1_000
_FIRST_NO_ID: Final = 2**53
_UNDECODED: Final = "\N{REPLACEMENT CHARACTER}"  # API Gateway hands paths over decoded, with this for what is no text


class Wire(BaseModel):
    """Anything on the wire; members are called as in the reference, in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Body(Wire):
    """A request's body. JSON types are taken at their word: a number in quotes is not a number."""

    model_config = ConfigDict(strict=True)


def _readable(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"longer than {_LONGEST_TEXT} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValueError("control characters are not text")
    return text


def _named(text: str) -> str:
    if not text:
        raise ValueError("it is empty")
    if _UNDECODED in text:
        raise ValueError("it is not UTF-8")
    return _readable(text)


Text = Annotated[str, AfterValidator(_readable)]
"""Something that people read: at most 255 characters, none of them a control character."""

UserId = Annotated[str, AfterValidator(_named), Loads(identity.expect_external, of_client=True)]
"""A client's own id of a user: 1 to 255 characters, none of them a control or replacement character."""


def _commented(text: str) -> str:
    if len(text) > _LONGEST_COMMENT:
        raise ValueError(f"longer than {_LONGEST_COMMENT} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\r\t" for character in text):
        raise ValueError("control characters are not text")
    return text


Comment = Annotated[str, AfterValidator(_commented)]
"""What somebody has to say: at most 1,000 characters, in lines."""


def _mail_address(text: str) -> str:
    if "<" in text:
        raise ValueError("an address stands alone, without a name")
    return validate_email(text)[1]


Email = Annotated[str, AfterValidator(_mail_address)]
"""An address for mails."""


def _possible(number: int) -> int:
    if not 0 < number < _FIRST_NO_ID:
        raise ValueError("no id is like this")
    return number


NumericId = Annotated[int, AfterValidator(_possible), WithJsonSchema({"type": "number"})]
"""An id of ours where the reference has a number, in JSON."""


def _decimal(text: str) -> str:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:17]) < _FIRST_NO_ID) or text.startswith("0"):
        raise ValueError("no id is like this")
    return text


TextualId = Annotated[str, AfterValidator(_decimal)]
"""An id of ours where the reference has text: its decimal digits."""

PathId = Annotated[int, BeforeValidator(_decimal), WithJsonSchema({"type": "number"})]
"""An id of ours in a path, where the reference has a number: its decimal digits, written in one way only."""

Number = Annotated[int, WithJsonSchema({"type": "number"})]
"""A whole number where the reference says number."""

Time = Annotated[
    AwareDatetime,
    PlainSerializer(lambda at: f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z", "str"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment, in UTC and to the millisecond."""

_WRITTEN_OUT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}(:?\d{2})?)", re.ASCII
)


def _written_out(given: object) -> object:
    if not isinstance(given, str) or not _WRITTEN_OUT.fullmatch(given):
        raise ValueError("not like 2026-01-31T12:00:00Z")  # a number would be taken for seconds since 1970
    return given


Moment = Annotated[Time, Strict(False), BeforeValidator(_written_out)]
"""A moment that a client names as ISO 8601 has it, with its offset from UTC."""
