"""What has happened in the demo before it starts: two rides, charged and with receipts."""

from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from kickstand.billing import service as billing
from kickstand.fleet.model import Network, Vehicle
from kickstand.kernel import clock, store
from kickstand.pricing import rules as prices
from kickstand.pricing import service as pricing
from kickstand.rental import rules
from kickstand.rental.model import EndReason, Rental, Track
from kickstand.rental.store import RentalItem, TrackItem
from local.demo import partners
from local.demo.names import FIRST, uuid
from local.demo.streets import Streets

TRIP: Final = 2
"""The number of the ride from dock to dock."""

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
    """The user's ride on an e-bike at a plan, of 23 minutes, from one dock to the one where it stands now."""
    vehicle, spot = streets.e_bike_at(_TO)
    start = next(each for each in streets.clusters if each.id == _FROM)
    elsewhere = spot.model_copy(update={"cluster_id": start.id, "cluster_name": start.name})
    before = vehicle.model_copy(update={"spot": elsewhere, "position": start.position})
    ended_at = clock.now() - _ENDED
    started_at = ended_at - timedelta(minutes=23)
    user = partners.user()
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
    begun = rules.started(TRIP, renter, before, started_at).model_copy(update={"public_id": uuid(TRIP)})
    track = rules.first_track(begun).model_copy(update={"distance_m": 3_400, "position": vehicle.position})
    over = rules.docked(rules.unlocked(begun, started_at), track, spot, ended_at, ended_at)
    if over.fare:
        with store.Transaction() as tx:
            pricing.record_use(tx, _PLAN, partners.user_key_of(user), allowance, over.fare)
    return _settled(over, track, network)


def _settled(over: Rental, track: Track, network: Network) -> Rental:
    billing.record_charge(over)
    over = over.model_copy(update={"receipt": billing.issue_receipt(over, network)})
    with store.Transaction() as tx:
        tx.put(RentalItem.of(over))
        tx.put(TrackItem.of(track))
    return over
