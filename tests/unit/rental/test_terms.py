"""What partners and plans add to rentals: limits, penalties, docks, reasons. No store, no clock but the one given."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from kickstand.fleet.errors import VehicleUnavailable
from kickstand.fleet.model import (
    Ability,
    Category,
    Cluster,
    ClusterKind,
    DockState,
    Hold,
    Spot,
    VehicleModel,
    VehicleState,
)
from kickstand.geo.model import Verdict
from kickstand.kernel.errors import DomainError
from kickstand.pricing.errors import PlanNotValid
from kickstand.pricing.model import Fare, PricingPlan
from kickstand.rental import rules
from kickstand.rental.errors import (
    AbilityMissing,
    FarFromDock,
    ImplausiblePosition,
    RentalStateRefused,
    RiderMismatch,
    TooManyPenaltyPoints,
)
from kickstand.rental.model import EndReason, Rental, RiderPosition, Transition, TransitionReason
from kickstand.rental.rules import Deadline, Timer
from tests.support.vehicles import HERE, vehicle
from tests.unit.rental.test_rules import NEVER, NOON, OSLO, after, riding, started, track

SPOT = Spot(cluster_id=3, cluster_name="58", number=2)
STURDY = VehicleModel(id=1, name="Ox", category=Category.BIKE, max_range_m=0, abilities=frozenset({Ability.PAUSE}))


DOCKED = VehicleModel(id=2, name="City e", category=Category.E_BIKE, max_range_m=1, docked=True)


def plan(**terms: Any) -> PricingPlan:
    return PricingPlan(id=1, client_id=1, name="Day", **{"currency": "NOK", "vat_percent": 25, **terms})


def at_plan(**terms: Any) -> Rental:
    return riding().model_copy(update={"plan": plan(**terms)})


def cluster(**differently: Any) -> Cluster:
    plain = Cluster(
        id=3,
        network_id=1,
        type=ClusterKind.VIRTUAL,
        name="58",
        title="Square",
        position=OSLO,
        docks={"1": DockState.WORKING, "2": DockState.WORKING, "10": DockState.BROKEN},
        parked={"1": 77},
        created_at=NOON,
        updated_at=NOON,
    )
    return plain.model_copy(update=differently)


def held_by(rider_id: int, seconds: int = 60) -> Hold:
    return Hold(reservation_id=1, rider_id=rider_id, until=after(seconds))


# ── Penalties ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("terms", "penalties", "seconds"),
    [
        ({}, 0, None),
        ({"penalty_after_s": 100}, 0, 100),
        ({"penalty_after_s": 100}, 1, None),
        ({"penalty_after_s": 100, "penalty_repeat_s": 30}, 1, 130),
        ({"penalty_after_s": 100, "penalty_repeat_s": 30}, 4, 220),
    ],
)
def test_penalties_come_as_the_plan_says(terms: dict[str, int], penalties: int, seconds: int | None) -> None:
    rental = at_plan(**terms).model_copy(update={"penalties": penalties})
    expected = None if seconds is None else Deadline(Timer.PENALTY, after(seconds))
    assert rules.next_deadline(rental, track(), NEVER, None) == expected


def test_a_rental_at_no_plan_is_never_penalised() -> None:
    assert rules.next_deadline(riding(), track(), NEVER, None) is None


def test_a_penalty_is_counted_and_told() -> None:
    rental = rules.penalised(at_plan(penalty_after_s=100, penalty_points=3), after(100))
    assert (rental.penalties, rental.event.name, rental.event.data) == (1, "RentalPenalised", {"points": 3})


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("points", "limit", "refusal"), [(0, 0, None), (5, None, None), (5, 5, None), (6, 5, TooManyPenaltyPoints)]
)
def test_a_plan_tolerates_so_many_points(points: int, limit: int | None, refusal: type[DomainError] | None) -> None:
    _expect(refusal, lambda: rules.check_plan(plan(max_penalty_points=limit), points, vehicle(5)))


def test_a_plan_is_for_networks_of_its_currency() -> None:
    _expect(PlanNotValid, lambda: rules.check_plan(plan(currency="EUR"), 0, vehicle(5)))
    _expect(None, lambda: rules.check_plan(None, 99, vehicle(5)))


@pytest.mark.parametrize(("rider", "seconds", "refused"), [(7, 59, False), (7, 60, True), (8, 0, True)])
def test_a_held_vehicle_is_its_holders_until_then(rider: int, seconds: int, refused: bool) -> None:
    held = vehicle(5, hold=held_by(7))
    refusal = VehicleUnavailable if refused else None
    _expect(refusal, lambda: rules.check_holder(held, rider, after(seconds)))
    _expect(None, lambda: rules.check_holder(vehicle(5), rider, after(seconds)))


def test_a_model_does_what_it_can() -> None:
    _expect(None, lambda: rules.check_able(STURDY, Ability.PAUSE))
    with pytest.raises(AbilityMissing, match="Ox: a ride ends by putting"):
        rules.check_able(STURDY, Ability.END_REMOTELY)


def test_a_rental_is_its_riders() -> None:
    mine = started().model_copy(update={"external_rider_id": "me"})
    _expect(None, lambda: rules.check_rider(mine, None))
    _expect(None, lambda: rules.check_rider(mine, "me"))
    _expect(RiderMismatch, lambda: rules.check_rider(mine, "you"))


@pytest.mark.parametrize(
    ("degrees", "accuracy", "refused"), [(0.008, None, False), (0.01, None, True), (0.01, 200, False)]
)
def test_a_rider_is_beside_the_vehicle(degrees: float, accuracy: float | None, refused: bool) -> None:
    there = RiderPosition(position=OSLO.model_copy(update={"latitude": OSLO.latitude + degrees}), accuracy_m=accuracy)
    _expect(ImplausiblePosition if refused else None, lambda: rules.check_beside(there, OSLO))


def _expect(refusal: type[DomainError] | None, call: Callable[[], None]) -> None:
    if refusal is None:
        call()
    else:
        with pytest.raises(refusal):
            call()


@pytest.mark.parametrize(
    ("differently", "category", "fits"),
    [
        ({}, Category.BIKE, True),
        ({}, Category.E_BIKE, False),
        ({"state": VehicleState.UNAVAILABLE}, Category.BIKE, False),
        ({"state": VehicleState.RESERVED, "hold": held_by(7)}, Category.BIKE, True),
        (
            {"state": VehicleState.RESERVED, "hold": held_by(8)},
            Category.BIKE,
            False,
        ),
        ({"state": VehicleState.RESERVED, "hold": held_by(7, 0)}, Category.BIKE, False),
        ({"verdict": Verdict(geofence_version=1, ride_start_allowed=False)}, Category.BIKE, False),
    ],
)
def test_what_fits_a_claim(differently: dict[str, Any], category: Category, fits: bool) -> None:
    assert rules.fits(vehicle(5, **differently), STURDY, category, 7, NOON) is fits


# ── Docks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_virtual_cluster_gives_its_lowest_free_place() -> None:
    assert rules.place_of(DOCKED, cluster()) == rules.Place(cluster().spot(2))


@pytest.mark.parametrize("differently", [{"type": ClusterKind.PHYSICAL}, {"parked": {"1": 77, "2": 78}}])
def test_beside_docks_and_full_places_there_is_no_number(differently: dict[str, Any]) -> None:
    assert rules.place_of(DOCKED, cluster(**differently)) == rules.Place()


def test_what_belongs_nowhere_is_left_anywhere() -> None:
    assert rules.place_of(STURDY, cluster()) == rules.place_of(STURDY, None) == rules.Place()


def test_elsewhere_a_plan_may_allow_it_at_a_fee() -> None:
    elsewhere = rules.place_of(DOCKED, None)
    assert not elsewhere.docked
    rules.check_may_be_left(elsewhere, DOCKED, at_plan(free_floating_fee=100))
    for rental in (riding(), at_plan()):
        with pytest.raises(FarFromDock):
            rules.check_may_be_left(elsewhere, DOCKED, rental)


def test_what_only_a_dock_can_lock_is_not_ended_by_a_command() -> None:
    with pytest.raises(AbilityMissing):
        rules.check_may_be_left(rules.Place(), STURDY, riding())


def test_what_never_unlocked_is_not_charged() -> None:
    ending = rules.Ending(EndReason.RIDER, after(600))
    assert rules.ended(started(), track(), ending, after(600)).fare == Fare(currency="NOK")


def test_nobody_pauses_for_ever() -> None:
    rental = riding()
    with pytest.raises(RentalStateRefused):
        for turn in range(1_000):
            rental = rules.paused(rental, after(turn), automatic=False)
            rental = rules.resumed(rental, after(turn), unlock=True)
    assert len(rental.segments) < 500
    assert rules.paused(rental, after(2_000), automatic=True).pause is not None


@pytest.mark.parametrize(("seconds", "charged_until"), [(-5, 0), (60, 60), (90, 80)])
def test_a_dock_ends_a_rental_within_its_time(seconds: int, charged_until: int) -> None:
    over = rules.docked(riding(), track(), SPOT, track().position, after(seconds), after(80))
    assert (over.ended_at, over.end_spot) == (after(charged_until), SPOT)
    assert over.version == riding().version + 2


# ── Reasons ──────────────────────────────────────────────────────────────────────────────────────────────────────────

TOLD = {
    EndReason.OPERATOR: TransitionReason.CANCELLED_BY_OPERATOR,
    EndReason.LEFT_UNLOCKED: TransitionReason.NO_INTERACTION,
    EndReason.PAUSED_TOO_LONG: TransitionReason.TIME_LIMIT_EXCEEDED,
    EndReason.TOO_LONG: TransitionReason.TIME_LIMIT_EXCEEDED,
    EndReason.STOLEN: TransitionReason.TIME_LIMIT_EXCEEDED,
    EndReason.RIDER: None,
}


@pytest.mark.parametrize(("reason", "told"), TOLD.items())
def test_what_partners_are_told_of_an_end(reason: EndReason, told: TransitionReason | None) -> None:
    over = rules.ended(riding(), track(), rules.Ending(reason, after(60)), after(60))
    assert (over.transition.reason if over.transition else None) is told
    assert rules.completed(over, after(61)).transition == over.transition


@pytest.mark.parametrize(
    ("spot", "told"),
    [(None, TransitionReason.VEHICLE_UNREACHABLE), (SPOT, TransitionReason.STATION_UNREACHABLE)],
)
def test_what_did_not_unlock_is_told_by_what_held_it(spot: Spot | None, told: TransitionReason) -> None:
    rental = started().model_copy(update={"start_spot": spot})
    for reason in (EndReason.UNLOCK_REJECTED, EndReason.UNLOCK_UNCONFIRMED):
        assert rules.cancelled(rental, reason, after(90)).transition == Transition(reason=told)


def test_a_word_of_a_partner_counts_until_the_next_change() -> None:
    said = Transition(comment="back in a minute")
    paused = rules.paused(riding(), after(60), automatic=False, transition=said)
    assert paused.transition == said
    assert rules.resumed(paused, after(90), unlock=True).transition is None


# ── Speed ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("partner", "place", "limit"), [(None, None, None), (15, None, 15), (None, 10, 10), (15, 10, 10), (8, 10, 8)]
)
def test_the_lowest_limit_counts(partner: int | None, place: int | None, limit: int | None) -> None:
    rental = riding().model_copy(update={"max_speed_kmh": partner})
    assert rules.speed_limit(rental, HERE.model_copy(update={"max_speed_kmh": place})) == limit


def test_a_partners_limit_ends_with_the_rental() -> None:
    limited = riding().model_copy(update={"max_speed_kmh": 8})
    over = rules.ended(limited, track(), rules.Ending(EndReason.RIDER, after(60)), after(60) + timedelta(seconds=1))
    assert rules.speed_limit(over, HERE) is None
