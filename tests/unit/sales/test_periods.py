from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kickstand.kernel.events import Event
from kickstand.sales import periods
from kickstand.sales.errors import NotCancellable
from kickstand.sales.model import (
    Offer,
    OfferKind,
    Order,
    OrderKind,
    OrderLine,
    Subscription,
    SubscriptionState,
    Validity,
    ValidityUnit,
)

OSLO = "Europe/Oslo"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOON = datetime(2026, 1, 15, 11, tzinfo=UTC)


def of(count: int, unit: ValidityUnit) -> Validity:
    return Validity(count=count, unit=unit)


DAYS, MONTHS, YEARS = ValidityUnit.DAY, ValidityUnit.MONTH, ValidityUnit.YEAR
MONTH = of(1, MONTHS)


def local(year: int, month: int, day: int, hour: int = 12, minute: int = 0, *, fold: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(OSLO), fold=fold).astimezone(UTC)


def order(**changes: Any) -> Order:
    offer = Offer(
        id=7,
        client_id=5,
        network_id=1,
        kind=OfferKind.SUBSCRIPTION,
        name="Monthly pass",
        currency="NOK",
        vat_percent=25,
        price=29900,
        validity=MONTH,
        plan_id=24,
        renewable=True,
    )
    values: dict[str, Any] = {
        "id": 11,
        "token": "t",
        "client_id": 5,
        "rider_id": 3,
        "network_id": 1,
        "kind": OrderKind.SUBSCRIPTION,
        "currency": "NOK",
        "lines": (OrderLine(offer_id=7, name="Monthly pass", unit_price=29900, vat_percent=25),),
        "total": 29900,
        "vat": 5980,
        "offer": offer.model_copy(update=changes.pop("offer", {})),
        "locale": "nb",
        "auto_renew": True,
        "created_at": NOON,
        "expires_at": NOON + DAY,
        "event": Event.new("OrderMade", NOON),
    }
    return Order.model_validate(values | changes)


def opened(at: datetime = NOON, **changes: Any) -> Subscription:
    return periods.opened(order(**changes), at, OSLO)


# ── The calendar ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("start", "validity", "end"),
    [
        (local(2026, 1, 15), of(1, DAYS), local(2026, 1, 16)),
        (local(2026, 1, 15), MONTH, local(2026, 2, 15)),
        (local(2026, 1, 31), MONTH, local(2026, 2, 28)),
        (local(2028, 1, 31), MONTH, local(2028, 2, 29)),
        (local(2026, 8, 31), MONTH, local(2026, 9, 30)),
        (local(2026, 12, 31), of(2, MONTHS), local(2027, 2, 28)),
        (local(2026, 12, 5), MONTH, local(2027, 1, 5)),
        (local(2028, 2, 29), of(1, YEARS), local(2029, 2, 28)),
        (local(2028, 2, 29), of(4, YEARS), local(2032, 2, 29)),
        (local(2026, 1, 31), of(1000, MONTHS), local(2109, 5, 31)),
    ],
)
def test_periods_end_on_the_same_day_number_or_the_last(start: datetime, validity: Validity, end: datetime) -> None:
    assert periods.end_of(start, validity, OSLO) == end


def test_a_day_lasts_until_the_same_local_time_when_the_clocks_change() -> None:
    spring = periods.end_of(local(2026, 3, 28), of(1, DAYS), OSLO)
    assert spring == local(2026, 3, 29)
    assert spring - local(2026, 3, 28) == 23 * HOUR
    autumn = periods.end_of(local(2026, 10, 24), of(1, DAYS), OSLO)
    assert autumn == local(2026, 10, 25)
    assert autumn - local(2026, 10, 24) == 25 * HOUR


def test_a_local_time_that_is_skipped_is_the_one_right_after() -> None:
    end = periods.end_of(local(2026, 3, 28, 2, 30), of(1, DAYS), OSLO)
    assert end == local(2026, 3, 29, 3, 30)
    assert end - local(2026, 3, 28, 2, 30) == DAY


def test_of_a_local_time_that_comes_twice_it_is_the_second() -> None:
    assert periods.end_of(local(2026, 10, 24, 2, 30), of(1, DAYS), OSLO) == local(2026, 10, 25, 2, 30, fold=1)
    assert periods.end_of(local(2026, 10, 25, 2, 30, fold=1), of(1, DAYS), OSLO) == local(2026, 10, 26, 2, 30)


def test_the_day_that_counts_is_the_local_one() -> None:
    late = datetime(2026, 1, 30, 23, 30, tzinfo=UTC)  # the 31st in Oslo
    assert periods.end_of(late, MONTH, OSLO) == local(2026, 2, 28, 0, 30)


zones = st.sampled_from([OSLO, "UTC", "Europe/Dublin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
starts = st.integers(0, 40 * 366 * 86_400).map(lambda seconds: NOON - 6 * 365 * DAY + timedelta(seconds=seconds))
validities = st.builds(Validity, count=st.integers(1, 60), unit=st.sampled_from(ValidityUnit))


def day_after(day: date, validity: Validity) -> date:
    """The day on which a period ends, step by step."""
    if validity.unit is DAYS:
        return day + timedelta(days=validity.count)
    year, month = day.year, day.month
    for _ in range(validity.count * (12 if validity.unit is YEARS else 1)):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


@given(starts, validities, zones)
def test_any_period_ends_at_its_local_time_on_its_local_day(start: datetime, validity: Validity, zone: str) -> None:
    began = start.astimezone(ZoneInfo(zone))
    ended = periods.end_of(start, validity, zone).astimezone(ZoneInfo(zone))
    wanted = datetime.combine(day_after(began.date(), validity), began.time())
    assert timedelta() <= ended.replace(tzinfo=None) - wanted <= HOUR  # later only where the clocks skip it
    if ended.replace(tzinfo=None) != wanted:
        assert wanted.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).astimezone(ZoneInfo(zone)) == ended


@given(starts, validities, zones, st.integers(1, 20))
def test_periods_follow_each_other(start: datetime, validity: Validity, zone: str, number: int) -> None:
    this, following = (periods.end_of(start, validity, zone, each) for each in (number, number + 1))
    assert start < this < following
    if validity.unit is DAYS:
        assert abs(following - this - validity.count * DAY) <= HOUR


@given(starts, validities, zones)
def test_renewals_come_before_the_end_and_never_at_once(start: datetime, validity: Validity, zone: str) -> None:
    end = periods.end_of(start, validity, zone)
    assert start < periods.renewal_at(start, end) < end
    assert end - periods.renewal_at(start, end) in {DAY, HOUR}


# ── What becomes of it ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_one_is_valid_from_its_payment_on() -> None:
    subscription = opened()
    assert subscription.valid_until == local(2026, 2, 15)
    assert subscription.due_at == local(2026, 2, 14)
    assert not subscription.is_valid(NOON - timedelta(microseconds=1))
    assert subscription.is_valid(NOON)
    assert subscription.is_valid(subscription.valid_until - timedelta(microseconds=1))
    assert not subscription.is_valid(subscription.valid_until)


@pytest.mark.parametrize("changes", [{"auto_renew": False}, {"offer": {"renewable": False}}])
def test_what_does_not_renew_itself_is_due_at_its_end(changes: dict[str, Any]) -> None:
    subscription = opened(**changes)
    assert not subscription.auto_renew
    assert subscription.due_at == subscription.valid_until


def test_renewals_keep_the_day_on_which_it_began() -> None:
    subscription = opened(local(2026, 1, 31))
    ends = []
    for _ in range(4):
        ends.append(subscription.valid_until)
        assert subscription.due_at == subscription.valid_until - DAY
        subscription = periods.renewed(subscription, order(id=12), subscription.due_at, OSLO)
    assert ends == [local(2026, 2, 28), local(2026, 3, 31), local(2026, 4, 30), local(2026, 5, 31)]
    assert subscription.valid_from == local(2026, 1, 31)


def test_a_late_renewal_begins_at_its_payment() -> None:
    before = periods.renewing(opened(), 12, NOON)
    at = before.valid_until + 10 * DAY
    after = periods.renewed(before, order(id=12), at, OSLO)
    assert (after.valid_from, after.valid_until) == (at, local(2026, 3, 25))
    assert (after.counted_from, after.periods) == (at, 1)
    assert after.renewal_id is None
    assert after.due_at == local(2026, 3, 24)


def test_at_the_last_moment_it_is_late() -> None:
    before = opened()
    in_time = periods.renewed(before, order(), before.valid_until - timedelta(microseconds=1), OSLO)
    assert (in_time.valid_from, in_time.valid_until) == (before.valid_from, local(2026, 3, 15))
    late = periods.renewed(before, order(), before.valid_until, OSLO)
    assert (late.valid_from, late.valid_until) == (before.valid_until, local(2026, 3, 15))


def test_a_failed_renewal_is_tried_after_one_three_and_five_days() -> None:
    subscription = periods.renewing(opened(), 12, NOON)
    at, tries = subscription.valid_until - DAY, []
    while subscription.auto_renew:
        subscription = periods.tried(subscription, 13, at)
        assert subscription.due_at == at + timedelta(minutes=5)
        subscription = periods.failed(subscription, at)
        assert subscription.due_at is not None
        tries.append(subscription.due_at - at)
        at = subscription.due_at
    assert tries == [DAY, 3 * DAY, 5 * DAY, timedelta()]
    assert subscription.attempts == 4
    assert subscription.event.data == {"attempt": 4, "again": False}
    assert subscription.renewal_id == 12  # still to be withdrawn


def test_whoever_fails_without_having_been_asked_has_not_been_asked_less_often() -> None:
    assert periods.failed(periods.renewing(opened(), 12, NOON), NOON).due_at == NOON + DAY


def test_the_rider_is_asked_once_for_a_payment() -> None:
    tried = periods.tried(periods.renewing(opened(), 12, NOON), 13, NOON)
    assert not periods.waits_for(tried, 13)
    waiting = periods.waiting(tried, 13, NOON)
    assert periods.waits_for(waiting, 13)
    assert periods.waits_for(periods.looked_after(waiting, NOON + DAY), 13)
    assert not periods.waits_for(waiting, 14)


def test_a_renewal_that_succeeds_forgets_what_failed() -> None:
    subscription = periods.unaffordable(periods.renewing(opened(), 12, NOON), NOON)
    assert (subscription.attempts, subscription.due_at) == (1, NOON + DAY)
    assert periods.renewed(subscription, order(id=12), NOON + DAY, OSLO).attempts == 0


def test_one_that_is_cancelled_is_not_tried_again() -> None:
    cancelled = periods.cancelled(periods.renewing(opened(), 12, NOON), NOON + DAY)
    assert cancelled.due_at == NOON + DAY  # the order has to be withdrawn
    failed = periods.failed(cancelled, NOON + 2 * DAY)
    assert not failed.auto_renew
    assert failed.event.data["again"] is False
    assert periods.given_up(failed, NOON + 2 * DAY).due_at == failed.valid_until


def test_one_that_is_paid_although_cancelled_lasts_one_period_more() -> None:
    cancelled = periods.cancelled(periods.renewing(opened(), 12, NOON), NOON + DAY)
    paid = periods.renewed(cancelled, order(id=12), NOON + 2 * DAY, OSLO)
    assert not paid.auto_renew
    assert paid.cancelled_at == NOON + DAY
    assert paid.due_at == paid.valid_until == local(2026, 3, 15)


def test_cancelling_takes_effect_at_the_end() -> None:
    subscription = periods.cancelled(opened(), NOON + DAY)
    assert subscription.is_valid(subscription.valid_until - HOUR)
    assert subscription.due_at == subscription.valid_until
    over = periods.ended(subscription, subscription.valid_until)
    assert (over.state, over.due_at) == (SubscriptionState.ENDED, None)
    assert not over.is_valid(NOON)


def test_only_what_is_free_or_cancellable_can_be_cancelled() -> None:
    periods.check_cancellable(opened(offer={"price": 0}))
    periods.check_cancellable(opened(offer={"cancellable": True}))
    with pytest.raises(NotCancellable):
        periods.check_cancellable(opened())
