"""When payments are looked at by themselves, and what may be decided about holds and refunds."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from kickstand.kernel.events import Event
from kickstand.payments import rules
from kickstand.payments.errors import AmountExceeded, PaymentStateRefused
from kickstand.payments.model import OPEN, PaymentIntent, PaymentState, Purpose, PurposeKind, Refund, RefundState

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def intent(**news: Any) -> PaymentIntent:
    plain: dict[str, Any] = {
        "id": 1,
        "client_id": 1,
        "rider_id": 2,
        "network_id": 1,
        "purpose": Purpose(kind=PurposeKind.ORDER, id=3),
        "amount": 5000,
        "currency": "NOK",
        "token": "t",
        "created_at": NOW,
        "updated_at": NOW,
        "deadline": NOW + rules.ON_SESSION,
        "event": Event(id=4, name="PaymentCreated", at=NOW),
    }
    return PaymentIntent(**plain | news)


def hold(**news: Any) -> PaymentIntent:
    held: dict[str, Any] = {"hold": True, "card": "pm", "state": PaymentState.HELD, "held_until": NOW + rules.HELD_FOR}
    return intent(**held | {"purpose": Purpose(kind=PurposeKind.HOLD, id=3)} | news)


def looks(of: PaymentIntent, until: datetime) -> list[timedelta]:
    """When a payment is looked at that nothing is ever said about."""
    found: list[timedelta] = []
    now = NOW
    while now < until:
        at = rules.next_look(of, now)
        assert at is not None
        assert at > now
        found.append(at - NOW)
        now = at
    return found


def test_a_payment_is_looked_at_more_and_more_seldom_and_at_its_deadline() -> None:
    seen = looks(intent(), NOW + timedelta(hours=1))
    assert seen == [timedelta(seconds=10), *(timedelta(minutes=each) for each in (1, 10, 30, 60))]


def test_a_payment_of_somebody_who_is_away_is_looked_at_at_least_every_six_hours() -> None:
    away = intent(off_session=True, deadline=NOW + rules.OFF_SESSION)
    seen = looks(away, away.deadline + timedelta(days=1))
    assert rules.OFF_SESSION in seen
    assert max(late - early for early, late in pairwise(seen)) == timedelta(hours=6)


def test_what_is_processed_is_looked_at_beyond_its_deadline() -> None:
    late = NOW + timedelta(days=3)
    assert rules.next_look(intent(state=PaymentState.PROCESSING), late) == late + timedelta(hours=6)


@pytest.mark.parametrize("state", sorted(set(PaymentState) - {PaymentState.HELD} - OPEN))
def test_what_is_over_is_not_looked_at(state: PaymentState) -> None:
    assert rules.next_look(intent(state=state), NOW) is None
    assert rules.due_at(intent(state=state)) is None


def test_a_hold_is_looked_at_when_it_is_time_to_replace_it() -> None:
    assert looks(hold(), NOW + timedelta(days=6)) == [timedelta(days=6)]


def test_a_hold_that_replaces_another_gives_that_back_soon() -> None:
    assert looks(hold(replaces=7), NOW + timedelta(seconds=5)) == [timedelta(seconds=10)]


def test_what_is_decided_about_a_hold_is_carried_out_soon() -> None:
    assert rules.next_look(hold(to_capture=100), NOW) == NOW + timedelta(seconds=10)


@pytest.mark.parametrize(
    ("of", "at_once"),
    [
        (intent(), False),  # whoever has committed it is asking
        (intent(off_session=True), True),
        (intent(off_session=True, state=PaymentState.REQUIRES_ACTION), False),
        (intent(hold=True, to_capture=0), True),
        (intent(hold=True, to_capture=500), True),
        (hold(), False),
        (hold(to_capture=0), True),
        (hold(to_capture=500), True),
        (hold(to_capture=500, state=PaymentState.SUCCEEDED), False),
    ],
)
def test_what_was_decided_is_carried_out_at_once(of: PaymentIntent, at_once: bool) -> None:
    assert rules.is_to_be_asked(of) is at_once


@pytest.mark.parametrize(
    ("of", "at"),
    [
        (intent(), NOW + rules.ON_SESSION + timedelta(hours=1)),
        (hold(), NOW + rules.HELD_FOR - timedelta(hours=11)),
        (hold(to_capture=0), NOW + timedelta(hours=1)),
        (intent(off_session=True, deadline=NOW + rules.OFF_SESSION), NOW + timedelta(hours=1)),
        (hold(to_capture=5, state=PaymentState.REQUIRES_ACTION), NOW + timedelta(hours=1)),
    ],
)
def test_the_agenda_looks_after_the_workflow_should_have(of: PaymentIntent, at: datetime) -> None:
    assert rules.due_at(of) == at
    before = rules.next_look(of, at - timedelta(hours=2))
    assert before is not None
    assert before < at


def test_what_is_called_back_is_given_up_soon() -> None:
    waits = {"state": PaymentState.REQUIRES_ACTION, "off_session": True, "deadline": NOW + rules.OFF_SESSION}
    later = NOW + timedelta(days=3)
    assert rules.next_look(intent(**waits), later) == later + timedelta(hours=6)
    over = rules.called_back(intent(**waits), later)
    assert rules.next_look(over, later) == later + timedelta(seconds=10)
    assert rules.due_at(over) == later + timedelta(hours=1)


def test_a_hold_is_decided_about_once() -> None:
    decided = rules.wanted(hold(), 3000, 9, NOW)
    assert (decided.to_capture, decided.invoice_id, decided.version) == (3000, 9, 2)
    assert rules.wanted(decided, 3000, 9, NOW) is decided
    for other in (0, 2999, 5000):
        with pytest.raises(PaymentStateRefused):
            rules.wanted(decided, other, 9, NOW)


@pytest.mark.parametrize(
    ("of", "amount", "refusal"),
    [
        (hold(), 5001, AmountExceeded),
        (intent(), 100, PaymentStateRefused),
        (hold(state=PaymentState.EXPIRED), 100, PaymentStateRefused),
        (hold(state=PaymentState.RELEASED), 100, PaymentStateRefused),
    ],
)
def test_what_cannot_be_captured(of: PaymentIntent, amount: int, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        rules.wanted(of, amount, None, NOW)


@pytest.mark.parametrize(
    ("news", "possible"),
    [
        ({}, True),
        ({"to_capture": 0}, False),
        ({"to_capture": 10}, False),
        ({"replaced_by": 8}, False),
        ({"card": None}, False),
        ({"state": PaymentState.EXPIRED}, False),
        ({"held_until": NOW + timedelta(hours=13)}, False),
    ],
)
def test_a_hold_is_replaced_while_it_is_wanted(news: dict[str, Any], possible: bool) -> None:
    assert rules.can_be_renewed(hold(**{"held_until": NOW + timedelta(hours=12)} | news), NOW) is possible


def test_refunds_are_no_more_than_what_was_captured() -> None:
    paid = intent(state=PaymentState.SUCCEEDED, captured=5000)
    half = rules.refunding(paid, refund(2500), NOW)
    full = rules.refunding(half, refund(2500), NOW)
    assert (half.refunded, full.refunded) == (2500, 5000)
    with pytest.raises(AmountExceeded):
        rules.refunding(full, refund(1), NOW)
    assert rules.refunding(rules.kept(full, refund(2500), NOW), refund(2500), NOW).refunded == 5000


@pytest.mark.parametrize("state", sorted(set(PaymentState) - {PaymentState.SUCCEEDED}))
def test_nothing_goes_back_of_what_was_not_paid(state: PaymentState) -> None:
    with pytest.raises(PaymentStateRefused):
        rules.refunding(intent(state=state), refund(1), NOW)


def refund(amount: int) -> Refund:
    event = Event(id=5, name="RefundBegun", at=NOW)
    return Refund(id=5, payment_id=1, amount=amount, currency="NOK", reason="r", created_at=NOW, event=event)


def test_a_refund_is_on_the_agenda_until_the_provider_has_decided() -> None:
    assert rules.refund_due_at(refund(5)) == NOW + timedelta(seconds=10)
    for state in (RefundState.SUCCEEDED, RefundState.FAILED):
        assert rules.refund_due_at(rules.settled(refund(5), state, "re", NOW)) is None
