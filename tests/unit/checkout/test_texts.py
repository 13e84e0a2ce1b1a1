"""Which language a page has, and that no language lacks a sentence."""

import re
from dataclasses import fields

import pytest

from checkout._texts import LANGUAGES, Texts, texts_for

NAMES = [field.name for field in fields(Texts) if field.name != "language"]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("*", "en"),
        ("de", "en"),
        ("nb-NO,nb;q=0.9,no;q=0.8,nn;q=0.7,en;q=0.6", "nb"),
        ("no", "nb"),
        ("nn-NO", "nb"),
        ("fr-CA", "fr"),
        ("de, pl;q=0.5, sv;q=0.7", "sv"),
        ("en;q=0.1, FR ; q=0.2", "fr"),
        ("fr;q=0, pl;q=0.1", "pl"),
        ("fr;q=zero, pl;q=0.1", "pl"),
        ("fr;level=1;q=0", "fr"),
        (";,;q=;=,-,q=1;q=1", "en"),
        ("fr;q=nan", "en"),
    ],
)
def test_a_page_is_in_the_language_that_is_wanted_most(accepted: str, language: str) -> None:
    assert texts_for(accepted).language == language


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_language_has_every_sentence_with_the_same_gaps(language: str, name: str) -> None:
    sentence, english = getattr(LANGUAGES[language], name), getattr(LANGUAGES["en"], name)
    assert sentence.strip() == sentence != ""
    assert re.findall(r"{\w*}", sentence) == re.findall(r"{\w*}", english)


def test_no_language_has_borrowed_sentences() -> None:
    for name in NAMES:
        if name in {"cancel", "to_provider"}:
            continue
        sentences = [getattr(texts, name) for texts in LANGUAGES.values()]
        assert len(set(sentences)) >= len(sentences) - 1, name  # neighbours share a few words
