"""What has happened in the demo before it starts: two rides, two reservations and a damage report."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from kickstand.billing import service as billing
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Hold, Network, Vehicle, VehicleState
from kickstand.identity.model import Rider
from kickstand.kernel import clock, store
from kickstand.kernel.events import Event
from kickstand.pricing import rules as prices
from kickstand.pricing import service as pricing
from kickstand.rental import rules
from kickstand.rental.model import EndReason, Rental, Reservation, ReservationState, Track
from kickstand.rental.store import OpenReservationItem, RentalItem, ReservationItem, TrackItem
from kickstand.support import service as support
from kickstand.support.model import Severity
from local.demo import partners
from local.demo.names import FIRST, USER, uuid
from local.demo.streets import Streets

TRIP: Final = 2
"""The number of the ride from dock to dock."""

RESERVATION: Final = 2
"""The number of the reservation that is going on."""

_TAKEN: Final = 1
_KEPT: Final = timedelta(minutes=4)
"""So long before the trip its vehicle was reserved."""

_ENDED: Final = timedelta(hours=1)
"""So long ago."""

_FROM, _TO = 1755, 551  # stations
_PLAN: Final = partners.PLANS[1]


def ride(vehicle: Vehicle, network: Network) -> Rental:
    """The rider's ride on a scooter, of 14 minutes, ended where it stands now."""
    ended_at = clock.now() - _ENDED
    started_at = ended_at - timedelta(minutes=14)
    rider = partners.rider()
    renter = rules.Renter(
        rider_id=rider.id,
        client_id=rider.client_id,
        client_public_id=partners.IN_BOTH.client.public_id,
        product_id=rider.product_id,
    )
    begun = rules.started(FIRST, renter, vehicle, started_at).model_copy(update={"public_id": uuid(FIRST)})
    track = rules.first_track(begun).model_copy(update={"distance_m": 2_300})
    ending = rules.Ending(reason=EndReason.RIDER, at=ended_at)
    over = rules.ended(rules.unlocked(begun, started_at), track, ending, ended_at)
    return _settled(rules.completed(over, ended_at), track, network)


def trip(streets: Streets, network: Network) -> Rental:
    """The user's ride on a reserved e-bike at a plan, of 23 minutes, from a dock to the one where it stands now."""
    ended_at = clock.now() - _ENDED
    started_at = ended_at - timedelta(minutes=23)
    user = partners.user()
    vehicle, spot = streets.e_bike_at(_TO)
    start = next(each for each in streets.clusters if each.id == _FROM)
    elsewhere = spot.model_copy(update={"cluster_id": start.id, "cluster_name": start.name})
    before = vehicle.model_copy(update={"spot": elsewhere, "position": start.position})
    reservation = _reservation(_TAKEN, user, before, started_at - _KEPT, timedelta(minutes=15))
    day = started_at.astimezone(ZoneInfo(network.timezone)).date()
    allowance = prices.allowance(_PLAN, None, day)
    renter = rules.Renter(
        rider_id=user.id,
        client_id=user.client_id,
        client_public_id=partners.IN_BOTH.client.public_id,
        external_id=user.external_id,
        position=before.position,
        plan=_PLAN,
        allowance=allowance,
    )
    begun = rules.started(TRIP, renter, _held(before, reservation), started_at)
    begun = begun.model_copy(update={"public_id": uuid(TRIP)})
    track = rules.first_track(begun).model_copy(update={"distance_m": 3_400, "position": vehicle.position})
    over = rules.docked(rules.unlocked(begun, started_at), track, spot, vehicle.position, ended_at, ended_at)
    taken = {
        "state": ReservationState.COMPLETED,
        "updated_at": started_at,
        "ended_at": started_at,
        "rental_id": TRIP,
        "event": Event.new("ReservationCompleted", started_at),
    }
    with store.Transaction() as tx:
        tx.put(ReservationItem.of(reservation.model_copy(update=taken)))
        if over.fare:
            pricing.record_use(tx, _PLAN, partners.user_key_of(user), allowance, over.fare)
    return _settled(over, track, network)


def reserve(vehicle: Vehicle) -> Vehicle:
    """Keep a vehicle for another user of the same partner, for the demo's first day; answers the held vehicle."""
    known = store.load(ReservationItem.key(RESERVATION))  # from a seeding that was cut short
    if known is not None:
        reservation = known.entity
    else:
        reservation = _reservation(RESERVATION, partners.friend(), vehicle, clock.now(), timedelta(days=1))
        with store.Transaction() as tx:
            tx.put(ReservationItem.of(reservation))
            tx.put(OpenReservationItem.marking(reservation))
    return _held(vehicle, reservation).model_copy(update={"state": VehicleState.RESERVED})


def report_damage(vehicle: Vehicle) -> Vehicle:
    """Let the user have found a vehicle that nobody can ride before it is repaired; answers how it is now."""
    client = partners.IN_BOTH.client
    critical = next(each for each in support.damage_types(client, vehicle.id) if each.severity is Severity.CRITICAL)
    support.report_damage(client, vehicle.id, USER, [critical.id], notify_on_repair=True)
    store.forget()
    return fleet.vehicle(vehicle.id)


def _settled(over: Rental, track: Track, network: Network) -> Rental:
    billing.record_charge(over)
    over = over.model_copy(update={"receipt": billing.issue_receipt(over, network)})
    with store.Transaction() as tx:
        tx.put(RentalItem.of(over))
        tx.put(TrackItem.of(track))
    return over


def _reservation(number: int, user: Rider, vehicle: Vehicle, made_at: datetime, lasts: timedelta) -> Reservation:
    return Reservation(
        id=number,
        client_id=user.client_id,
        client_public_id=partners.IN_BOTH.client.public_id,
        holder_id=user.id,
        external_rider_id=user.external_id or "",
        network_id=vehicle.network_id,
        vehicle_id=vehicle.id,
        cluster_id=vehicle.spot.cluster_id if vehicle.spot else None,
        created_at=made_at,
        updated_at=made_at,
        expires_at=made_at + lasts,
        event=Event.new("ReservationMade", made_at),
    )


def _held(vehicle: Vehicle, reservation: Reservation) -> Vehicle:
    hold = Hold(reservation_id=reservation.id, rider_id=reservation.holder_id, until=reservation.expires_at)
    return vehicle.model_copy(update={"hold": hold})
