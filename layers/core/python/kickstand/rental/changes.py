"""How a rental changes: read, decide, write on condition that nobody was faster; and what is written beside it."""

from collections.abc import Callable

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Unavailability, VehicleTrigger
from kickstand.identity.model import user_key
from kickstand.kernel import store
from kickstand.pricing import service as pricing
from kickstand.rental import rules
from kickstand.rental.errors import RentalNotFound
from kickstand.rental.model import RENTAL_STATES, Rental, RentalTrigger, Track
from kickstand.rental.store import OpenRentalItem, RentalItem, TrackItem


class Changed(store.Contention):
    """Somebody changed the rental between reading and writing; decide anew."""


Decision = Callable[[Rental, Track], Rental]
FurtherWrites = Callable[[store.Transaction, Rental, Rental], None]


def decide(
    rental_id: int,
    decision: Decision,
    *,
    when: Callable[[Rental], bool] = lambda _: True,
    also: FurtherWrites | None = None,
) -> Rental:
    """Read a rental, decide, write on condition that nobody changed it; again from the start where somebody did.

    Args:
        rental_id: the rental.
        decision: the rental after the decision, or a refusal.
        when: nothing is written where this does not hold.
        also: further writes of the same transaction, given the rental as it was and as it will be.
    """

    def attempt() -> Rental:
        rental, track = load(rental_id)
        if not when(rental):
            return rental
        after = decision(rental, track)
        with store.Transaction() as tx:
            tx.put(RentalItem.of(after), condition=RentalItem.version == rental.version, otherwise=Changed)
            if rental.is_open and not after.is_open:
                mark = OpenRentalItem.key(rental.rider_id)
                tx.delete(mark, condition=OpenRentalItem.rental_id == rental.id, otherwise=Changed)
            if also is not None:
                also(tx, rental, after)
        return after

    return store.again(attempt)


def advance(rental_id: int, trigger: RentalTrigger, decision: Decision, *, also: FurtherWrites | None = None) -> None:
    """:func:`decide` where the trigger is possible; news that come late or twice change nothing."""
    decide(rental_id, decision, when=lambda rental: RENTAL_STATES.allows(rental.state, trigger), also=also)


def load(rental_id: int) -> tuple[Rental, Track]:
    """A rental and the track of its ride; one read.

    Raises:
        RentalNotFound: there is none.
    """
    rental, track = store.load_all([RentalItem.key(rental_id), TrackItem.key(rental_id)])
    if rental is None:
        raise RentalNotFound
    return rental.entity, track.entity if track else rules.first_track(rental.entity)


def place_of(rental: Rental, track: Track) -> rules.Place:
    """Where the vehicle is left if the rental ends now; mostly two reads for vehicles that belong into docks."""
    model = fleet.model(rental.tariff.model_id)
    cluster = clusters.nearest_cluster(rental.network_id, track.position) if model.docked else None
    return rules.place_of(model, cluster)


def hold(tx: store.Transaction, rental: Rental, _: Rental) -> None:
    """Put the rental's vehicle on hold."""
    fleet.hold(tx, rental.vehicle_id, rental.id)


def go_on(tx: store.Transaction, rental: Rental, _: Rental) -> None:
    """Take the rental's vehicle from hold."""
    fleet.resume(tx, rental.vehicle_id, rental.id)


def withdrawing(reason: Unavailability) -> FurtherWrites:
    """Take the vehicle from the rental and from everybody else, for a reason."""

    def withdraw(tx: store.Transaction, rental: Rental, _: Rental) -> None:
        fleet.give_back(tx, fleet.vehicle(rental.vehicle_id), rental.id, VehicleTrigger.WITHDRAW, reason)

    return withdraw


def called_off(tx: store.Transaction, rental: Rental, _: Rental) -> None:
    """Take the vehicle from a rental that was cancelled before it had unlocked.

    A dock that holds it tells when it lets go. Whether any other has unlocked meanwhile is not known before it has
    answered to being locked again.
    """
    vehicle = fleet.vehicle(rental.vehicle_id)
    if vehicle.is_held:
        fleet.give_back(tx, vehicle, rental.id)
    else:
        fleet.give_back(tx, vehicle, rental.id, VehicleTrigger.WITHDRAW, Unavailability.LOCK_UNCONFIRMED)


def use_of_plan(tx: store.Transaction, _: Rental, after: Rental) -> None:
    """What a rental that ends has used of its plan; nothing where nothing is charged for it."""
    if after.plan and after.allowance and after.fare and after.fare.lines and after.external_rider_id is not None:
        user = user_key(after.client_id, after.external_rider_id)
        pricing.record_use(tx, after.plan, user, after.allowance, after.fare)


def is_open(rental: Rental) -> bool:
    """Whether the rider still holds the vehicle."""
    return rental.is_open
