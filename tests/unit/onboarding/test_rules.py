"""How far a user is, what an acceptance changes, when a code is sent and taken, and what numbers look like."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from kickstand.clients.model import OnboardingPolicy, OnboardingStep
from kickstand.identity.model import Rider
from kickstand.onboarding import rules
from kickstand.onboarding.errors import CodeRefused, TooManyCodes, TooManyConsents, VersionNotCurrent
from kickstand.onboarding.model import (
    Acceptance,
    Address,
    Channel,
    Country,
    Gender,
    Line,
    Onboarding,
    PersonalNumber,
    PhoneNumber,
    Proof,
    User,
    Verification,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RIDER = 7
STATE, CODE = "a state that nobody guesses", "012345"
PRIVACY, TERMS = OnboardingStep.PRIVACY_POLICY, OnboardingStep.TERMS_AND_CONDITIONS
ADDRESS = Address(street_address="Storgata 1", postal_code="0182", city="Oslo", country="NO")


def user(rider: dict[str, Any] | None = None, **onboarding: Any) -> User:
    known = {"id": RIDER, "public_id": UUID(int=7), "client_id": 1, **(rider or {})}
    return User(Rider.model_validate(known), Onboarding(rider_id=RIDER, **onboarding))


def acceptance(document: OnboardingStep = PRIVACY, **more: Any) -> Acceptance:
    return Acceptance.model_validate({"id": 1, "rider_id": RIDER, "document": document, "at": NOON, **more})


def state_of(step: OnboardingStep, someone: User, **policy: Any) -> tuple[bool, bool, bool | None]:
    (found,) = [each for each in rules.steps(OnboardingPolicy(**policy), someone) if each.step is step]
    return found.completed, found.required, found.verified


# ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("step", "done"),
    [
        (OnboardingStep.NAME, user({"first_name": "Kari", "last_name": "Nordmann"})),
        (OnboardingStep.GENDER, user(gender=Gender.OTHER)),
        (OnboardingStep.PHONE_NUMBER, user({"phone_number": "+4712345678"})),
        (OnboardingStep.EMAIL, user({"email": "kari@mail.example"})),
        (OnboardingStep.STREET_ADDRESS, user(address=ADDRESS)),
        (OnboardingStep.PERSONAL_NUMBER, user(personal_number="sealed")),
        (PRIVACY, user(privacy_policy=acceptance())),
        (TERMS, user(terms_and_conditions=acceptance(TERMS))),
        (OnboardingStep.TUTORIAL, user(tutorial_at=NOON)),
    ],
)
def test_a_step_is_completed_by_its_answer_only(step: OnboardingStep, done: User) -> None:
    policy = OnboardingPolicy(verified=())
    assert [each.step for each in rules.steps(policy, done) if each.completed] == [step]
    assert not any(each.completed for each in rules.steps(policy, user()))


def test_half_a_name_is_none() -> None:
    assert not state_of(OnboardingStep.NAME, user({"first_name": "Kari"}))[0]


def test_the_partner_says_which_steps_there_are() -> None:
    policy = OnboardingPolicy(required=(TERMS,), optional=(OnboardingStep.GENDER,), verified=())
    assert [(each.step, each.required) for each in rules.steps(policy, user())] == [
        (TERMS, True),
        (OnboardingStep.GENDER, False),
    ]


@pytest.mark.parametrize(
    ("step", "told", "proved"),
    [
        (OnboardingStep.PHONE_NUMBER, {"phone_number": "+4712345678"}, Proof(value="+4712345678", at=NOON)),
        (OnboardingStep.EMAIL, {"email": "kari@mail.example"}, Proof(value="kari@mail.example", at=NOON)),
    ],
)
def test_what_has_to_be_verified_is_completed_by_its_proof(
    step: OnboardingStep, told: dict[str, str], proved: Proof
) -> None:
    assert state_of(step, user(told), verified=(step,)) == (False, True, False)
    assert state_of(step, user(told), verified=()) == (True, True, False)
    assert state_of(step, user(told, **{step: proved}), verified=(step,)) == (True, True, True)


def test_a_proof_is_worth_nothing_for_another_value() -> None:
    moved = user({"phone_number": "+4787654321"}, phone_number=Proof(value="+4712345678", at=NOON))
    assert state_of(OnboardingStep.PHONE_NUMBER, moved) == (False, True, False)
    assert not user(phone_number=Proof(value="+4712345678", at=NOON)).has_proved(OnboardingStep.PHONE_NUMBER)


def test_addresses_and_personal_numbers_are_verified_by_a_mark() -> None:
    told = user(address=ADDRESS, address_verified_at=NOON, personal_number="sealed", personal_number_verified_at=NOON)
    for step in (OnboardingStep.STREET_ADDRESS, OnboardingStep.PERSONAL_NUMBER):
        assert state_of(step, told, verified=(step,)) == (True, False, True)
    assert not told.has_proved(OnboardingStep.NAME)


@pytest.mark.parametrize(
    "policy",
    [
        {"required": (TERMS, TERMS)},
        {"required": (TERMS,), "optional": (TERMS,)},
        {"verified": (OnboardingStep.NAME,)},
    ],
)
def test_a_policy_that_cannot_be(policy: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OnboardingPolicy(**policy)


# ── Acceptances ──────────────────────────────────────────────────────────────────────────────────────────────────────


def accepted(before: Onboarding, *, current: str | None = None, version: str | None = None, **consents: bool) -> Any:
    policy = OnboardingPolicy(privacy_policy_version=current)
    later = NOON + timedelta(days=1)
    return rules.accepted(before, policy, PRIVACY, version=version, consents=consents, new_id=2, now=later)


def test_the_version_in_force_is_accepted_when_none_is_named() -> None:
    told = accepted(Onboarding(rider_id=RIDER), current="2026-03-01").privacy_policy
    assert (told.version, told.id, told.rider_id, told.document) == ("2026-03-01", 2, RIDER, PRIVACY)


def test_another_version_than_the_one_in_force_is_refused() -> None:
    with pytest.raises(VersionNotCurrent, match="2026-03-01"):
        accepted(Onboarding(rider_id=RIDER), current="2026-03-01", version="2025-01-01")


def test_without_a_version_in_force_any_counts() -> None:
    assert accepted(Onboarding(rider_id=RIDER), version="7").privacy_policy.version == "7"


def test_an_acceptance_of_an_older_version_counts_no_longer() -> None:
    told = user(privacy_policy=acceptance(version="1"), terms_and_conditions=acceptance(TERMS, version="1"))
    assert state_of(PRIVACY, told, privacy_policy_version="1")[0]
    assert not state_of(PRIVACY, told, privacy_policy_version="2")[0]
    assert state_of(TERMS, told, privacy_policy_version="2")[0]
    assert not state_of(TERMS, told, terms_version="2")[0]


def test_accepting_again_changes_nothing() -> None:
    before = Onboarding(rider_id=RIDER, privacy_policy=acceptance(version="1", consents={"news": False}))
    assert accepted(before, version="1") is before
    assert accepted(before, version="1", news=False) is before
    assert accepted(before, version="1", news=True).consents == {"news": True}
    assert accepted(before, version="2").consents == {"news": False}
    assert accepted(before, version="1", profiling=True).consents == {"news": False, "profiling": True}


def test_nobody_shows_so_many_boxes() -> None:
    full: dict[str, Any] = {f"box-{number}": True for number in range(rules.MOST_CONSENTS)}
    before = accepted(Onboarding(rider_id=RIDER), version=None, **full)
    with pytest.raises(TooManyConsents):
        accepted(before, version=None, one_more=True)


# ── Codes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def sent(now: datetime = NOON, **more: Any) -> Verification:
    known = {
        "rider_id": RIDER,
        "channel": Channel.EMAIL,
        "value": "kari@mail.example",
        "state_digest": rules.state_digest(STATE),
        "code_digest": rules.code_digest(STATE, RIDER, Channel.EMAIL, "kari@mail.example", CODE),
        "valid_until": now + rules.VALID_FOR,
        "starts": (now,),
    }
    return Verification.model_validate({**known, **more})


def test_a_code_proves_the_value_that_it_was_sent_to() -> None:
    assert rules.proved_by(sent(), STATE, CODE) == "kari@mail.example"
    for verification in (
        sent(rider_id=8),
        sent(channel=Channel.PHONE_NUMBER),
        sent(value="ola@mail.example"),
        sent(code_digest=None),
        sent(value=None),
    ):
        assert rules.proved_by(verification, STATE, CODE) is None
    assert rules.proved_by(sent(), STATE, "012346") is None
    assert rules.proved_by(sent(), "another state", CODE) is None


def test_nothing_that_is_kept_tells_state_or_code() -> None:
    kept = sent()
    assert STATE not in kept.model_dump_json()
    assert CODE not in kept.model_dump_json()
    for secret in ("kari", kept.state_digest, str(kept.code_digest)):
        assert secret not in repr(kept)


@pytest.mark.parametrize(
    ("verification", "now", "why"),
    [
        (None, NOON, "unknown"),
        (sent(state_digest=rules.state_digest("newer")), NOON, "unknown"),
        (rules.used(sent()), NOON, "used"),
        (sent(), NOON + rules.VALID_FOR, "expired"),
        (sent(failures=rules.MOST_FAILURES), NOON, "Too many"),
    ],
)
def test_a_code_that_cannot_be_tried(verification: Verification | None, now: datetime, why: str) -> None:
    with pytest.raises(CodeRefused, match=why):
        rules.check_open(verification, STATE, now)


def test_a_code_can_be_tried_until_the_last_moment() -> None:
    last = sent(failures=rules.MOST_FAILURES - 1)
    assert rules.check_open(last, STATE, NOON + rules.VALID_FOR - timedelta(microseconds=1)) is last
    assert rules.failed(last).failures == rules.MOST_FAILURES


def test_what_has_been_used_holds_nothing_about_anybody() -> None:
    assert "kari" not in rules.used(sent()).model_dump_json()


def test_the_proved_value_becomes_the_users() -> None:
    after = rules.with_proof(user({"email": "old@mail.example"}), Channel.EMAIL, "kari@mail.example", NOON)
    assert after.rider.email == "kari@mail.example"
    assert after.has_proved(OnboardingStep.EMAIL)
    assert not after.has_proved(OnboardingStep.PHONE_NUMBER)


def test_codes_are_sent_half_a_minute_apart_and_five_an_hour() -> None:
    latest = rules.started(None, sent(starts=()), NOON)
    assert (latest.starts, latest.version) == ((NOON,), 1)
    with pytest.raises(TooManyCodes, match="30 seconds"):
        rules.started(latest, sent(starts=()), NOON + timedelta(seconds=29))
    for number in range(1, 5):
        latest = rules.started(latest, sent(starts=()), NOON + timedelta(seconds=30 * number))
    assert latest.version == 5
    with pytest.raises(TooManyCodes, match="within an hour"):
        rules.started(latest, sent(starts=()), NOON + timedelta(minutes=59, seconds=59))
    later = rules.started(latest, sent(starts=()), NOON + timedelta(hours=1))
    assert len(later.starts) == 5


def test_starts_are_remembered_for_an_hour() -> None:
    assert rules.forgotten_at(sent()) == NOON + timedelta(hours=1)


# ── Forms ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("country", "right", "wrong"),
    [
        ("NO", "0182", "182"),
        ("SE", "114 55", "1145"),
        ("FI", "00100", "0010"),
        ("GB", "sw1a 1aa", "12345"),
        ("NL", "1012 JS", "1012"),
        ("PL", "00-950", "00950"),
        ("PT", "1000-205", "1000"),
        ("US", "10001", "1000A"),
        ("NO", "0182", "\u0661\u0662\u0663\u0664"),
    ],
)
def test_postal_codes_have_the_form_of_their_country(country: str, right: str, wrong: str) -> None:
    form = rules.AddressForm()
    assert form.objection(ADDRESS.model_copy(update={"postal_code": right}), country) is None
    objection = form.objection(ADDRESS.model_copy(update={"postal_code": wrong}), country)
    assert objection is not None
    assert wrong not in objection


def test_countries_whose_forms_are_not_known_are_not_guessed_at() -> None:
    assert "AQ" in str(rules.AddressForm().objection(ADDRESS, "AQ"))
    assert "FR" in str(rules.PersonalNumberForm().objection("1", "FR"))


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("NO", "01019000083"),
        ("NO", "010190 00083"),
        ("NO", "41019000077"),
        ("NO", "01819000049"),
        ("SE", "811218-9876"),
        ("SE", "8112189876"),
        ("SE", "198112189876"),
        ("SE", "811218+9876"),
        ("SE", "811278-9873"),
    ],
)
def test_personal_numbers_whose_check_digits_are_right(country: str, number: str) -> None:
    assert rules.PersonalNumberForm().objection(number, country) is None


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("NO", "01019000084"),
        ("NO", "01019000183"),
        ("NO", "00000000000"),
        ("NO", "81019000000"),
        ("NO", "0101900008"),
        ("NO", "\u0660\u0661\u0660\u0661\u0669\u0660\u0660\u0660\u0660\u0668\u0663"),
        ("SE", "811218-9877"),
        ("SE", "811318-9875"),
        ("SE", "0000000000"),
        ("SE", "81121-89876"),
    ],
)
def test_personal_numbers_that_nobody_has(country: str, number: str) -> None:
    objection = rules.PersonalNumberForm().objection(number, country)
    assert objection is not None
    assert number not in objection


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        (Line, "  Kari Anne ", "Kari Anne"),
        (Line, "A\u030asa", "\u00c5sa"),
        (Line, "x" * 255, "x" * 255),
        (PersonalNumber, " 010190 00083 ", "010190 00083"),
        (PhoneNumber, "+4712345678", "+4712345678"),
        (PhoneNumber, "+290123456789012"[:16], "+290123456789012"[:16]),
        (Country, "NO", "NO"),
    ],
)
def test_what_can_be_told(kind: Any, given: str, kept: str) -> None:
    assert TypeAdapter(kind).validate_python(given) == kept


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Line, ""),
        (Line, " "),
        (Line, "x" * 256),
        (Line, "a\nb"),
        (PersonalNumber, "1" * 65),
        (PersonalNumber, "\x00"),
        (PhoneNumber, "12345678"),
        (PhoneNumber, "004712345678"),
        (PhoneNumber, "+47 12 34 56 78"),
        (PhoneNumber, "+0712345678"),
        (PhoneNumber, "+47123"),
        (PhoneNumber, "+1234567890123456"),
        (PhoneNumber, "+47\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668"),
        (PhoneNumber, "+4712345678\n"),
        (Country, "no"),
        (Country, "XX"),
        (Country, "NOR"),
    ],
)
def test_what_cannot_be_told(kind: Any, given: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(given)
