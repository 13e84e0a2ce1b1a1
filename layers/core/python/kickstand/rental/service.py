"""Use cases about rentals. Each reads in one round trip, decides, and writes everything in one transaction."""

import random
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from kickstand.clients.model import ApiClient
from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleUnavailable
from kickstand.fleet.model import (
    Ability,
    Category,
    ClusterState,
    Vehicle,
)
from kickstand.identity import service as identity
from kickstand.identity.errors import RiderNotFound
from kickstand.identity.model import user_key
from kickstand.identity.service import Contact
from kickstand.kernel import clock, ids, store
from kickstand.kernel.place import Position
from kickstand.pricing import service as pricing
from kickstand.rental import changes, reservations, rules
from kickstand.rental.errors import NoActiveRental, NoVehicleFits, RentalNotFound, RentalStateRefused, RiderHasRental
from kickstand.rental.model import (
    EndReason,
    Rental,
    RentalState,
    RiderPosition,
    Track,
    Transition,
)
from kickstand.rental.store import OpenRentalItem, RentalItem, TrackItem, latest_ids
from kickstand.sales import subscriptions

_CLAIMS: Final = 8
_MOST_LISTED: Final = 1_000  # about 2 MB with their links to receipts; an answer holds 6


# ── What riders do ───────────────────────────────────────────────────────────────────────────────────────────────────


def start(client: ApiClient, rider_id: UUID, vehicle_id: UUID, rider_position: Position | None = None) -> Rental:
    """Give a vehicle to a rider, at the tariff it is offered at now.

    Whoever else wants the same vehicle, or the same rider, is decided by the conditions of one write.

    Args:
        client: the partner that asks.
        rider_id: public id of its rider.
        vehicle_id: public id of the vehicle.
        rider_position: where the rider says to be.

    Raises:
        RiderNotFound, VehicleNotFound: they do not exist for this partner.
        VehicleUnavailable: somebody has it, or it may not be taken where it stands.
        RiderHasRental: one at a time.
        RiderInDebt: the rider owes us money.
        ImplausiblePosition: the rider is nowhere near.
    """
    identity.expect(rider_id)
    fleet.expect(vehicle_id)
    rider = identity.find(client, rider_id)
    vehicle = fleet.find(client, vehicle_id)
    rules.check_debt(client, in_debt=rider.in_debt)
    rules.check_near(rider_position, vehicle.position)
    with store.Transaction() as tx:
        return _take(tx, rules.Renter.of(rider, client, rider_position), vehicle)


@dataclass(frozen=True)
class StartTerms:
    """What a partner says beside who rents what.

    Attributes:
        plan_id: the pricing plan on which the rider rides; the vehicle's tariff without one.
        position: where the rider says to be.
        contact: how the rider can be called and written to.
        max_speed_kmh: what the vehicle is to be limited to.
    """

    plan_id: int | None = None
    position: RiderPosition | None = None
    contact: Contact = identity.NO_CONTACT
    max_speed_kmh: int | None = None


NO_TERMS: Final = StartTerms()


def start_for(client: ApiClient, user_id: str, vehicle_id: int, terms: StartTerms = NO_TERMS) -> Rental:
    """Give a vehicle to the rider whom the partner calls ``user_id``, and who is taken in now if nobody is called so.

    Args:
        client: the partner that asks.
        user_id: its own id of the rider.
        vehicle_id: the vehicle.
        terms: what else the partner says.

    Raises:
        VehicleNotFound: it does not exist for this partner.
        VehicleUnavailable: somebody has or has reserved it, or it may not be taken where it stands.
        RiderHasRental: one at a time.
        RiderInDebt: the rider owes us money.
        ImplausiblePosition: the rider is nowhere near.
        PlanNotFound, PlanClosed, PlanNotValid, TooManyPenaltyPoints, SubscriptionRequired: not at this plan.
        AbilityMissing: the vehicle's speed cannot be limited.
    """
    fleet.expect_id(vehicle_id)
    _expect_user(client, user_id, terms)
    # Others are faster with the same new user.
    return store.again(lambda: _start(client, user_id, fleet.find_by_id(client, vehicle_id), terms))


def start_at_cluster(
    client: ApiClient, user_id: str, cluster_id: int, category: Category, terms: StartTerms = NO_TERMS
) -> Rental:
    """Give a rider any free vehicle of a category that stands in a cluster.

    However many ask at once, every one gets a vehicle as long as there are vehicles, and nobody gets another's.

    Args:
        client: the partner that asks.
        user_id: its own id of the rider.
        cluster_id: where the rider is.
        category: what the rider wants.
        terms: what else the partner says.

    Raises:
        ClusterNotFound: it does not exist for this partner.
        NoVehicleFits: nothing of this category is free there.
        RiderHasRental, RiderInDebt, ImplausiblePosition, AbilityMissing: as for :func:`start_for`.
        PlanNotFound, PlanClosed, PlanNotValid, TooManyPenaltyPoints, SubscriptionRequired: likewise.
    """
    clusters.expect_cluster(cluster_id)
    _expect_user(client, user_id, terms)
    for _ in range(_CLAIMS):
        candidates = _candidates(client, user_id, cluster_id, category)
        if not candidates:
            raise NoVehicleFits
        for vehicle in candidates:
            with suppress(VehicleUnavailable, store.Contention):  # somebody was faster: on to the next one
                return _start(client, user_id, vehicle, terms)
        store.forget()
    raise store.Contention


def _candidates(client: ApiClient, user_id: str, cluster_id: int, category: Category) -> list[Vehicle]:
    """What the rider can be given: first what is reserved for the rider, then what is charged best.

    Vehicles charged about alike come in any order, so that those who ask at once do not all want the same one.
    """
    cluster = clusters.find_cluster(client, cluster_id)
    if cluster.state is not ClusterState.ACTIVE:
        return []
    user = identity.find_external(client, user_id)
    rider_id = user.rider_id if user else 0
    standing = clusters.vehicles_at(cluster)
    models = {each.model_id: fleet.model(each.model_id) for each in standing}
    now = clock.now()
    fitting = [each for each in standing if rules.fits(each, models[each.model_id], category, rider_id, now)]
    return sorted(fitting, key=lambda each: (each.hold is None, -(each.battery_percent // 10), random.random()))  # noqa: S311


def _expect_user(client: ApiClient, user_id: str, terms: StartTerms) -> None:
    identity.expect_external(client.id, user_id)
    if terms.plan_id is not None:
        pricing.expect_plan(client.id, terms.plan_id, user_key(client.id, user_id))


def _start(client: ApiClient, user_id: str, vehicle: Vehicle, terms: StartTerms) -> Rental:
    known = identity.find_external(client, user_id)
    user = known or identity.new_external(client, user_id)
    now = clock.now()
    rules.check_debt(client, in_debt=user.in_debt)
    rules.check_beside(terms.position, vehicle.position)
    if terms.max_speed_kmh is not None:
        rules.check_able(fleet.model(vehicle.model_id), Ability.LIMIT_SPEED)
    plan = pricing.plan(client, terms.plan_id) if terms.plan_id is not None else None
    rules.check_plan(plan, user.penalty_points, vehicle)
    if plan is not None and plan.subscribers_only:
        subscriptions.check_opens(user.rider_id, plan.id)
    allowance = None
    if plan is not None:
        timezone = fleet.known_network(vehicle.network_id).timezone
        allowance = pricing.allowance(plan, user.user_key, now, timezone)
    renter = rules.Renter(
        rider_id=user.rider_id,
        client_id=client.id,
        client_public_id=client.public_id,
        external_id=user_id,
        position=terms.position.position if terms.position else None,
        plan=plan,
        allowance=allowance,
        max_speed_kmh=terms.max_speed_kmh,
        pays=client.charges_riders,
    )
    with store.Transaction() as tx:
        rental = _take(tx, renter, vehicle)
        if plan is not None and allowance is not None:
            pricing.commit_allowance(tx, plan, user.user_key, allowance)
        if known is None:
            identity.enlist(tx, user, user_id, terms.contact)
        else:
            identity.keep_contact(tx, user, terms.contact)
    return rental


def _take(tx: store.Transaction, renter: rules.Renter, vehicle: Vehicle) -> Rental:
    """Everything that a start writes, whoever starts."""
    now = clock.now()
    rules.check_holder(vehicle, renter.rider_id, now)
    rental = rules.started(ids.new_id(), renter, vehicle, now)
    tx.create(RentalItem.of(rental))
    tx.create(OpenRentalItem.marking(rental), otherwise=RiderHasRental)
    fleet.rent(tx, vehicle, rental.id, rental.client_id)
    if rental.reservation_id is not None:
        reservations.complete(tx, rental.reservation_id, rental)
    return rental


class RiderAction(StrEnum):
    """What a partner can tell a rental to do."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    END = "end"


@dataclass(frozen=True)
class Instruction:
    """What a partner tells a rental to do.

    Attributes:
        user_id: whose rental it should be, where the partner wants that checked.
        position: where the rider says to be.
        transition: what the partner says about it. With a reason, it was not the rider who wanted it.
    """

    action: RiderAction
    user_id: str | None = None
    position: RiderPosition | None = None
    transition: Transition | None = None


def instruct(client: ApiClient, rental_id: int, instruction: Instruction) -> Rental:
    """Pause, resume, cancel or end a rental for its partner. What is so already, or about to be, changes nothing.

    Raises:
        RentalNotFound: it does not exist for this partner.
        RiderMismatch: it is somebody else's.
        RentalAlreadyEnded: by whomever.
        RentalStateRefused: not in its state; only a rental whose vehicle has not unlocked yet can be cancelled.
        AbilityMissing: vehicles of this kind cannot do that.
        ImplausiblePosition: the rider is not with the vehicle.
        EndingRefused, FarFromDock: it must not end where the vehicle stands.
    """
    expect_id(rental_id)
    rental, track = changes.load(rental_id)
    _external(client, rental)
    rules.check_rider(rental, instruction.user_id)
    if rental.state in _REACHED[instruction.action]:
        return rental
    rules.check_open(rental)
    rules.check_beside(instruction.position, track.position)
    model = fleet.model(rental.tariff.model_id)
    now, said = clock.now(), instruction.transition
    match instruction.action:
        case RiderAction.PAUSE:
            rules.check_able(model, Ability.PAUSE)
            return changes.decide(
                rental_id,
                lambda rental, _: rules.paused(rental, now, automatic=False, transition=said),
                also=changes.hold,
            )
        case RiderAction.RESUME:
            return changes.decide(
                rental_id,
                lambda rental, _: rules.resumed(rental, now, unlock=True, transition=said),
                also=changes.go_on,
            )
        case RiderAction.CANCEL:
            return _call_off(rental_id, said)
        case RiderAction.END:
            if rental.state is RentalState.STARTING:
                with suppress(RentalStateRefused):  # it has begun in this moment
                    return _call_off(rental_id, said)
            return _end_by(rental_id, instruction)


_REACHED: Final = {
    RiderAction.PAUSE: {RentalState.ON_HOLD},
    RiderAction.RESUME: {RentalState.STARTING, RentalState.IN_PROGRESS},
    RiderAction.CANCEL: {RentalState.CANCELLED},
    RiderAction.END: {RentalState.ENDING},
}
"""The states in which there is nothing left to do for an action: its answer may have been lost."""


def _end_by(rental_id: int, instruction: Instruction) -> Rental:
    said = instruction.transition
    reason = EndReason.OPERATOR if said and said.reason else EndReason.RIDER
    rider_end = instruction.position.position if instruction.position else None

    def decide(rental: Rental, track: Track) -> Rental:
        rules.check_open(rental)
        return _ended_where_it_stands(rental, track, reason, rider_end, said)

    return changes.decide(rental_id, decide, also=changes.use_of_plan)


def _ended_where_it_stands(
    rental: Rental, track: Track, reason: EndReason, rider_end: Position | None, said: Transition | None = None
) -> Rental:
    """The rental ended by a command, on whichever surface, if its vehicle may be left where it stands."""
    rules.check_may_end(track.verdict)
    place = changes.place_of(rental, track)
    rules.check_may_be_left(place, fleet.model(rental.tariff.model_id), rental)
    now = clock.now()
    return rules.ended(rental, track, rules.Ending(reason, now, place=place, transition=said), now, rider_end)


def _call_off(rental_id: int, said: Transition | None = None) -> Rental:
    return changes.decide(
        rental_id,
        lambda rental, _: rules.cancelled(rental, EndReason.CANCELLED, clock.now(), said),
        also=changes.called_off,
    )


def end(client: ApiClient, rental_id: UUID, rider_position: Position | None = None) -> Rental:
    """End a rental for its rider: the fare is decided now, the vehicle is told to lock.

    One whose vehicle is still in its dock is cancelled instead.

    Raises:
        RentalNotFound: it does not exist for this partner.
        RentalAlreadyEnded: by whomever.
        EndingRefused, FarFromDock: it must not end where the vehicle stands.
        AbilityMissing: vehicles of this kind end their rentals in docks.
        ImplausiblePosition: the rider is nowhere near.
    """
    expect_with_track(rental_id)
    rental, track = changes.load(ids.id_of(rental_id))
    rules.check_open(_owned(client, rental_id, rental))
    rules.check_near(rider_position, track.position)
    if rental.state is RentalState.STARTING and rental.start_spot is not None and not rental.start_spot.virtual:
        with suppress(RentalStateRefused):  # it has begun in this moment
            return _call_off(rental.id)

    def decide(rental: Rental, track: Track) -> Rental:
        rules.check_open(rental)
        return _ended_where_it_stands(rental, track, EndReason.RIDER, rider_position)

    return changes.decide(rental.id, decide, also=changes.use_of_plan)


def expect(public_id: UUID) -> None:
    """Announce that this request will ask for a rental."""
    store.expect(RentalItem.key(ids.id_of(public_id)))


def expect_id(rental_id: int) -> None:
    """Announce that this request will ask for a rental and the track of its ride, by our own id."""
    store.expect(RentalItem.key(rental_id), TrackItem.key(rental_id))


def expect_with_track(public_id: UUID) -> None:
    """Announce that this request will ask for a rental and the track of its ride."""
    rental_id = ids.id_of(public_id)
    store.expect(RentalItem.key(rental_id), TrackItem.key(rental_id))


def expect_active(rider_id: UUID) -> None:
    """Announce that this request will ask for a rider's open rental."""
    identity.expect(rider_id)
    store.expect(OpenRentalItem.key(ids.id_of(rider_id)))


def find(client: ApiClient, rental_id: UUID) -> Rental:
    """A rental of one of the partner's riders; one read.

    Raises:
        RentalNotFound: it does not exist for this partner.
    """
    item = store.load(RentalItem.key(ids.id_of(rental_id)))
    return _owned(client, rental_id, item.entity if item else None)


def find_by_id(client: ApiClient, rental_id: int) -> Rental:
    """A rental of a rider whom the partner knows by an id of its own, by our id; one read.

    Raises:
        RentalNotFound: it does not exist for this partner.
    """
    return _external(client, get(rental_id))


def get(rental_id: int) -> Rental:
    """A rental by our own id, for work that nobody outside asked for.

    Raises:
        RentalNotFound: there is none.
    """
    item = store.load(RentalItem.key(rental_id))
    if item is None:
        raise RentalNotFound
    return item.entity


def find_active(client: ApiClient, rider_id: UUID) -> Rental:
    """The rental that a rider has now; two reads.

    Raises:
        NoActiveRental: none, or no such rider.
    """
    expect_active(rider_id)
    mark = store.load(OpenRentalItem.key(ids.id_of(rider_id)))
    try:
        identity.find(client, rider_id)
    except RiderNotFound:
        raise NoActiveRental from None
    rental = store.load(RentalItem.key(mark.rental_id)) if mark else None
    if rental is None or not rental.entity.is_open:  # it may have ended since the mark was read
        raise NoActiveRental
    return rental.entity


def list_by_rider(client: ApiClient, rider_id: UUID) -> list[Rental]:
    """The rentals of a rider, newest first; the latest 1,000 of one who has more.

    Raises:
        RiderNotFound: the rider does not exist for this partner.
    """
    rider = identity.find(client, rider_id)
    items = store.load_all([RentalItem.key(rental_id) for rental_id in latest_ids(rider.id, _MOST_LISTED)])
    return [item.entity for item in items if item is not None]


def list_external(
    client: ApiClient, user_id: str, states: Collection[RentalState], since: datetime, until: datetime | None = None
) -> list[Rental]:
    """The rentals that a partner's user started in a span of time, newest first; the latest 1,000 of more.

    Args:
        client: the partner.
        user_id: its own id of the rider.
        states: only rentals in one of these; in any for none.
        since: the first moment of the span.
        until: its end, which is not part of it; none for now.

    Raises:
        RiderNotFound: the partner has no such user.
    """
    user = identity.external(client, user_id)
    found = latest_ids(user.rider_id, _MOST_LISTED, since, until)
    rentals = [item.entity for item in store.load_all([RentalItem.key(each) for each in found]) if item is not None]
    return [rental for rental in rentals if not states or rental.state in states]


def account(rental: Rental, now: datetime) -> rules.Account:
    """What a rental comes to at this moment: its minutes and its fare."""
    return rules.account(rental, now)


def _owned(client: ApiClient, public_id: UUID, rental: Rental | None) -> Rental:
    if rental is None or rental.public_id != public_id or rental.client_id != client.id:
        raise RentalNotFound
    return rental


def _external(client: ApiClient, rental: Rental) -> Rental:
    if rental.client_id != client.id or rental.external_rider_id is None:
        raise RentalNotFound
    return rental
