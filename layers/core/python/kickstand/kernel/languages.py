"""Languages, as BCP 47 names them."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator

_LANGUAGE_TAG: Final = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,8}")


def _language_tag(text: str) -> str:
    if not _LANGUAGE_TAG.fullmatch(text):
        raise ValueError("not a language tag, such as nb or pt-BR")
    return text


Locale = Annotated[str, AfterValidator(_language_tag)]
"""A language tag of BCP 47, as far as its form goes; apps write underscores too."""
