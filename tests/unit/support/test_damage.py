import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from kickstand.fleet.model import Category
from kickstand.kernel.languages import Locale
from kickstand.support import catalogue, rules
from kickstand.support.errors import InvalidDamageReport
from kickstand.support.model import SEVERITIES, Severity

SCOOTER = catalogue.of(Category.SCOOTER)
BRAKES, LIGHTS, BELL, SADDLE = 1, 6, 7, 8


@pytest.mark.parametrize("category", Category)
def test_every_category_has_damages_of_every_severity(category: Category) -> None:
    damages = catalogue.of(category)
    assert {each.severity for each in damages.values()} == set(Severity)
    assert all(number == each.id for number, each in damages.items())


@pytest.mark.parametrize("category", Category)
def test_every_damage_has_a_name_of_its_own_in_every_language(category: Category) -> None:
    for language in catalogue.LANGUAGES:
        names = [each.names[language] for each in catalogue.of(category).values()]
        assert len(set(names)) == len(names)
        assert all(name == name.strip() and name[0].isupper() for name in names)


def test_a_damage_is_the_same_whatever_has_it() -> None:
    for number in {each for category in Category for each in catalogue.of(category)}:
        kinds = [catalogue.of(category)[number] for category in Category if number in catalogue.of(category)]
        assert all(each == kinds[0] for each in kinds)


def test_what_a_vehicle_does_not_have_cannot_break() -> None:
    assert BELL in SCOOTER
    assert SADDLE not in SCOOTER
    seat = catalogue.of(Category.E_BIKE_CHILD_SEAT).keys() - catalogue.of(Category.E_BIKE).keys()
    assert len(seat) == 2


# ── Languages ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("locale", "name"),
    [
        ("en", "Flat tyre"),
        ("en-US", "Flat tyre"),
        ("nb", "Punktert dekk"),
        ("nb-NO", "Punktert dekk"),
        ("no", "Punktert dekk"),
        ("nn-NO", "Punktert dekk"),
        ("sv_SE", "Punktering"),
        ("DE-at", "Platter Reifen"),
        ("pt-BR", "Pneu furado"),
        ("zh-Hant-TW", "Flat tyre"),
        ("tlh", "Flat tyre"),
        ("x-klingon", "Flat tyre"),
    ],
)
def test_a_damage_is_called_what_people_call_it(locale: str, name: str) -> None:
    assert SCOOTER[2].name_in(locale) == name


@pytest.mark.parametrize("locale", ["nb", "en-GB", "sv_SE", "zh-Hant-TW", "sl-rozaj-biske-1994", "de-CH-1996"])
def test_tags_of_languages_are_taken(locale: str) -> None:
    TypeAdapter(Locale).validate_python(locale)


@pytest.mark.parametrize(
    "locale", ["", "n", "nb NO", "nb-", "-nb", "nb--NO", "norsk-bokmaalsformen", "nb\n", "nb;q=1", "ñb"]
)
def test_what_is_no_tag_of_a_language_is_not(locale: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Locale).validate_python(locale)


# ── Reports ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_report_is_as_bad_as_its_worst_damage() -> None:
    assert rules.diagnosed(SCOOTER, [BELL]) == ((BELL,), Severity.MINOR)
    assert rules.diagnosed(SCOOTER, [BELL, LIGHTS, BELL]) == ((BELL, LIGHTS), Severity.MAJOR)
    assert rules.diagnosed(SCOOTER, [LIGHTS, BRAKES, BELL]) == ((LIGHTS, BRAKES, BELL), Severity.CRITICAL)


@pytest.mark.parametrize("reported", [[], [SADDLE], [BELL, 999], [0], [-1], list(range(1, 33)), [BELL] * 21])
def test_a_report_names_what_such_a_vehicle_can_have(reported: list[int]) -> None:
    with pytest.raises(InvalidDamageReport):
        rules.diagnosed(SCOOTER, reported)


@given(st.lists(st.sampled_from(SEVERITIES), min_size=1))
def test_the_worst_is_never_better_than_another(severities: list[Severity]) -> None:
    worst = rules.worst(severities)
    assert worst in severities
    assert all(SEVERITIES.index(each) <= SEVERITIES.index(worst) for each in severities)


def test_only_critical_damage_keeps_riders_away_at_once() -> None:
    assert [rules.withdraws(each) for each in SEVERITIES] == [False, False, True]


# ── Customer relations ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_token_is_the_hmac_of_rfc_4231() -> None:
    token = rules.identity_token("what do ya want for nothing?", "Jefe")
    assert token == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
