"""Bodies are what JavaScript would write; the vectors were made by node, see ``vectors.mjs``."""

import json
import struct
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kickstand.webhooks.stringify import stringify

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def test_numbers_are_written_as_in_javascript() -> None:
    written = {bits: stringify(struct.unpack(">d", bytes.fromhex(bits))[0]) for bits, _ in VECTORS["numbers"]}
    assert written == dict(VECTORS["numbers"])
    assert len(written) > 500


@pytest.mark.parametrize(("units", "expected"), VECTORS["texts"], ids=range(len(VECTORS["texts"])))
def test_texts_are_written_as_in_javascript(units: list[int], expected: str) -> None:
    assert stringify("".join(map(chr, units))).encode().hex() == expected


def test_a_pair_of_surrogates_is_the_character_that_it_stands_for() -> None:
    assert stringify("\ud83d\ude00") == '"😀"'
    assert stringify({"\ud83d\ude00": 1}) == '{"😀":1}'


@pytest.mark.parametrize("vector", VECTORS["documents"], ids=range(len(VECTORS["documents"])))
def test_documents_are_written_as_in_javascript(vector: dict[str, str]) -> None:
    assert stringify(json.loads(vector["given"])) == vector["written"]


@given(values)
def test_what_is_written_means_the_same_and_is_written_again_as_it_is(value: Any) -> None:
    text = stringify(value)
    read = json.loads(text, parse_int=float)  # as in JavaScript, which has no integers
    assert read == value
    assert stringify(read) == text
    text.encode()


@pytest.mark.parametrize(("value", "text"), [(2**53 - 1, "9007199254740991"), (1 - 2**53, "-9007199254740991")])
def test_integers_are_exact(value: int, text: str) -> None:
    assert stringify(value) == text
    for beyond in (2**53, -(2**53)):
        with pytest.raises(ValueError, match="exactly"):
            stringify([beyond])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="no such number"):
        stringify({"distance": value})


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), {1: "one"}])
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        stringify(value)


def test_members_that_become_one_are_refused() -> None:
    with pytest.raises(ValueError, match="called the same"):
        stringify({"😀": 1, "\ud83d\ude00": 2})


def test_enums_are_their_values() -> None:
    class Word(StrEnum):
        YES = "yes"

    class Number(IntEnum):
        TWO = 2

    assert stringify([Word.YES, Number.TWO]) == '["yes",2]'
