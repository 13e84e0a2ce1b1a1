"""What becomes of a payment by a look at the provider."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from kickstand.kernel import clock
from kickstand.payments import intents, rules
from kickstand.payments.errors import PaymentRefused, PaymentStateRefused
from kickstand.payments.model import PaymentIntent, PaymentState, PaymentTrigger, Purpose, PurposeKind
from kickstand.payments.provider import Intent, IntentStatus

NOW = datetime.fromisoformat("2026-05-04T10:00:00Z")
CARD = "pm_card"


@pytest.fixture(autouse=True)
def _at_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def payment(*, card: str | None = CARD, hold: bool = False, save: bool = False) -> PaymentIntent:
    return intents.draft(
        client_id=1,
        rider_id=2,
        network_id=3,
        purpose=Purpose(kind=PurposeKind.ORDER, id=4),
        amount=10_000,
        currency="NOK",
        card=card,
        hold=hold,
        save=save,
    )


def seen(intent: PaymentIntent, status: IntentStatus, decline: str | None = None) -> Intent:
    captured = intent.amount if status is IntentStatus.SUCCEEDED else 0
    return Intent(
        "pi_1", status, intent.id, intent.amount, captured=captured, secret="pi_1_secret", method=CARD, decline=decline
    )


@pytest.mark.parametrize(
    ("status", "state", "event"),
    [
        (IntentStatus.WAITING_FOR_METHOD, PaymentState.REQUIRES_METHOD, "PaymentMethodWanted"),
        (IntentStatus.WAITING_FOR_RIDER, PaymentState.REQUIRES_ACTION, "PaymentActionWanted"),
        (IntentStatus.PROCESSING, PaymentState.PROCESSING, "PaymentProcessing"),
        (IntentStatus.HELD, PaymentState.HELD, "PaymentHeld"),
        (IntentStatus.SUCCEEDED, PaymentState.SUCCEEDED, "PaymentSucceeded"),
        (IntentStatus.CANCELLED, PaymentState.CANCELLED, "PaymentCancelled"),
    ],
)
def test_the_provider_says_how_it_stands(status: IntentStatus, state: PaymentState, event: str) -> None:
    intent = payment()
    after = rules.observed(intent, seen(intent, status), NOW)
    assert (after.state, after.event.name, after.ref, after.version) == (state, event, "pi_1", 2)


def test_a_decline_is_shown_until_the_rider_has_got_on() -> None:
    intent = payment(card=None)
    declined = rules.observed(intent, seen(intent, IntentStatus.WAITING_FOR_METHOD, "card_declined"), NOW)
    assert declined.decline == "card_declined"
    assert rules.observed(declined, seen(intent, IntentStatus.CANCELLED), NOW).decline == "card_declined"
    assert rules.observed(declined, seen(intent, IntentStatus.WAITING_FOR_RIDER), NOW).decline is None


def test_a_second_look_at_the_same_changes_nothing() -> None:
    intent = payment()
    once = rules.observed(intent, seen(intent, IntentStatus.WAITING_FOR_RIDER), NOW)
    assert rules.observed(once, seen(intent, IntentStatus.WAITING_FOR_RIDER), NOW + timedelta(minutes=1)) is once


def test_the_secret_is_there_only_while_it_is_good_for_something() -> None:
    intent = payment()
    waiting = rules.observed(intent, seen(intent, IntentStatus.WAITING_FOR_RIDER), NOW)
    assert waiting.secret == "pi_1_secret"
    assert rules.observed(waiting, seen(intent, IntentStatus.SUCCEEDED), NOW).secret is None
    assert "secret" not in repr(waiting)


def test_what_was_captured_counts_and_not_what_was_asked_for() -> None:
    hold = payment(hold=True)
    held = rules.observed(hold, seen(hold, IntentStatus.HELD), NOW)
    taken = replace(seen(hold, IntentStatus.SUCCEEDED), captured=4_000)
    assert rules.observed(held, taken, NOW).captured == 4_000


def test_a_declined_saved_card_is_given_up_and_a_chosen_one_is_not() -> None:
    declined = IntentStatus.WAITING_FOR_METHOD
    saved, chosen = payment(), payment(card=None)
    assert rules.is_over_for(saved, seen(saved, declined, "card_declined"), NOW)
    assert not rules.is_over_for(chosen, seen(chosen, declined, "card_declined"), NOW)
    assert rules.is_over_for(chosen, seen(chosen, declined, "card_declined"), chosen.deadline)


def test_nothing_is_given_up_that_is_on_its_way() -> None:
    intent = payment()
    for status in (IntentStatus.PROCESSING, IntentStatus.SUCCEEDED, IntentStatus.HELD):
        assert not rules.is_over_for(intent, seen(intent, status), intent.deadline + timedelta(days=1))


def test_a_declined_card_makes_a_failure_and_a_missed_deadline_does_not() -> None:
    intent = payment()
    failed = rules.observed(intent, seen(intent, IntentStatus.CANCELLED, "card_declined"), NOW)
    assert (failed.state, failed.decline) == (PaymentState.FAILED, "card_declined")
    assert rules.observed(intent, seen(intent, IntentStatus.CANCELLED), NOW).state is PaymentState.CANCELLED


def test_what_was_refused_before_it_existed_has_failed() -> None:
    intent = payment()
    refused = Intent(None, IntentStatus.WAITING_FOR_METHOD, decline="card_declined")
    assert rules.observed(intent, refused, NOW).state is PaymentState.FAILED


def test_another_payment_is_not_taken_for_this_one() -> None:
    intent = payment()
    with pytest.raises(PaymentRefused):
        rules.observed(intent, replace(seen(intent, IntentStatus.SUCCEEDED), payment_id=intent.id + 1), NOW)
    known = rules.observed(intent, seen(intent, IntentStatus.WAITING_FOR_RIDER), NOW)
    with pytest.raises(PaymentRefused):
        rules.observed(known, replace(seen(intent, IntentStatus.SUCCEEDED), ref="pi_2"), NOW)


def test_a_chosen_card_is_kept_only_if_it_is_to_be_saved() -> None:
    kept, forgotten = payment(card=None, save=True), payment(card=None)
    assert rules.observed(kept, seen(kept, IntentStatus.SUCCEEDED), NOW).card == CARD
    assert rules.observed(forgotten, seen(forgotten, IntentStatus.SUCCEEDED), NOW).card is None


def test_a_hold_is_released_where_it_was_wanted_and_expires_where_it_was_not() -> None:
    hold = payment(hold=True)
    held = rules.observed(hold, seen(hold, IntentStatus.HELD), NOW)
    assert held.held_until == NOW + rules.HELD_FOR
    sooner = replace(seen(hold, IntentStatus.HELD), capture_before=NOW + timedelta(days=4, hours=18))
    assert rules.observed(hold, sooner, NOW).held_until == sooner.capture_before
    gone = seen(hold, IntentStatus.CANCELLED)
    assert rules.observed(held.model_copy(update={"to_capture": 0}), gone, NOW).state is PaymentState.RELEASED
    assert rules.observed(held.model_copy(update={"to_capture": 500}), gone, NOW).state is PaymentState.EXPIRED
    assert rules.observed(held, gone, NOW).state is PaymentState.EXPIRED


def test_what_is_over_stays_over() -> None:
    intent = payment()
    paid = rules.observed(intent, seen(intent, IntentStatus.SUCCEEDED), NOW)
    with pytest.raises(PaymentStateRefused):
        rules.moved(paid, PaymentTrigger.CANCEL, NOW)
