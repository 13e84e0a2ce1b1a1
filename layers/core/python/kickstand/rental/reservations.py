"""Use cases about reservations: a rider's claim on a vehicle until it is taken, given up or expires."""

from datetime import timedelta

from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleUnavailable
from kickstand.fleet.model import Hold, Vehicle, VehicleState
from kickstand.identity import service as identity
from kickstand.identity.model import user_key
from kickstand.kernel import clock, ids, store
from kickstand.kernel.events import Event
from kickstand.pricing import rules as pricing_rules
from kickstand.pricing import service as pricing
from kickstand.rental import gateway, rules
from kickstand.rental.errors import ReservationNotFound, RiderHasReservation
from kickstand.rental.model import RESERVATION_STATES, Rental, Reservation, ReservationTrigger
from kickstand.rental.store import OpenReservationItem, ParkedReservationItem, ReservationItem
from kickstand.sales import subscriptions

# ── What partners do ─────────────────────────────────────────────────────────────────────────────────────────────────


def reserve(client: ApiClient, user_id: str, vehicle_id: int, plan_id: int | None = None) -> Reservation:
    """Keep a vehicle for the rider whom the partner calls ``user_id``, and who is taken in now if nobody is called so.

    Asking again for what the rider has reserved on the same plan changes nothing: the answer may have been lost.

    Args:
        client: the partner that asks.
        user_id: its own id of the rider.
        vehicle_id: the vehicle.
        plan_id: the pricing plan on which the reservation is charged; without one it costs nothing.

    Raises:
        VehicleNotFound: it does not exist for this partner.
        VehicleUnavailable: somebody has or has reserved it, or it may not be taken where it stands.
        RiderHasReservation: one at a time.
        RiderInDebt: the rider owes us money.
        PlanNotFound, PlanClosed, PlanNotValid, TooManyPenaltyPoints, SubscriptionRequired: not at this plan.
    """
    fleet.expect_id(vehicle_id)
    identity.expect_external(client.id, user_id)
    if plan_id is not None:
        pricing.expect_plan(client.id, plan_id, user_key(client.id, user_id))
    # Others are faster with the same new user.
    return store.again(lambda: _reserve(client, user_id, vehicle_id, plan_id))


def _reserve(client: ApiClient, user_id: str, vehicle_id: int, plan_id: int | None) -> Reservation:
    vehicle = fleet.find_by_id(client, vehicle_id)
    known = identity.find_external(client, user_id)
    user = known or identity.new_external(client, user_id)
    repeated = _held(vehicle, user.rider_id, plan_id)
    if repeated is not None:
        return repeated
    rules.check_debt(client, in_debt=user.in_debt)
    plan = pricing.plan(client, plan_id) if plan_id is not None else None
    rules.check_plan(plan, user.penalty_points, vehicle)
    if plan is not None and plan.subscribers_only:
        subscriptions.check_opens(user.rider_id, plan.id)
    if not vehicle.verdict.ride_start_allowed or vehicle.state is not VehicleState.AVAILABLE:
        raise VehicleUnavailable
    now = clock.now()
    lasts = timedelta(seconds=fleet.known_network(vehicle.network_id).timings.reservation_s)
    reservation = Reservation(
        id=ids.new_id(),
        client_id=client.id,
        client_public_id=client.public_id,
        holder_id=user.rider_id,
        external_rider_id=user_id,
        network_id=vehicle.network_id,
        vehicle_id=vehicle.id,
        cluster_id=vehicle.spot.cluster_id if vehicle.spot else None,
        plan=plan,
        rider_pays=client.charges_riders,
        created_at=now,
        updated_at=now,
        expires_at=now + lasts,
        event=Event.new("ReservationMade", now),
    )
    hold = Hold(reservation_id=reservation.id, rider_id=user.rider_id, until=reservation.expires_at)
    with store.Transaction() as tx:
        tx.create(ReservationItem.of(reservation))
        tx.create(OpenReservationItem.marking(reservation), otherwise=RiderHasReservation)
        fleet.reserve(tx, vehicle, hold)
        if known is None:
            identity.enlist(tx, user, user_id)
    return reservation


def _held(vehicle: Vehicle, rider_id: int, plan_id: int | None) -> Reservation | None:
    """The active reservation of a vehicle, if it is the rider's, on this plan."""
    if vehicle.hold is None or vehicle.hold.rider_id != rider_id:
        return None
    held = get(vehicle.hold.reservation_id)
    same = (held.plan.id if held.plan else None) == plan_id
    return held if same and held.is_active and held.expires_at > clock.now() else None


def expect(reservation_id: int) -> None:
    """Announce that this request will ask for a reservation."""
    store.expect(ReservationItem.key(reservation_id))


def find(client: ApiClient, reservation_id: int) -> Reservation:
    """A reservation of one of the partner's riders, in whatever state; one read.

    Raises:
        ReservationNotFound: it does not exist for this partner.
    """
    reservation = get(reservation_id)
    if reservation.client_id != client.id:
        raise ReservationNotFound
    return reservation


def cancel(client: ApiClient, reservation_id: int) -> Reservation:
    """Give a vehicle up. Cancelling what has been cancelled changes nothing: its answer may have been lost.

    Raises:
        ReservationNotFound: it does not exist for this partner.
        ReservationClosed: it has been completed, or has expired.
    """
    find(client, reservation_id)
    return _close(reservation_id, ReservationTrigger.CANCEL)


def list_active(client: ApiClient, user_id: str) -> list[Reservation]:
    """The reservations that a partner's user has now.

    Raises:
        RiderNotFound: the partner has no such user.
    """
    user = identity.external(client, user_id)
    mark = store.load(OpenReservationItem.key(user.rider_id))
    item = store.load(ReservationItem.key(mark.reservation_id)) if mark else None
    # It may have ended since the mark was read, or be about to expire.
    if item is None or not item.entity.is_active or item.entity.expires_at <= clock.now():
        return []
    return [item.entity]


# ── What starts and timers do ────────────────────────────────────────────────────────────────────────────────────────


def complete(tx: store.Transaction, reservation_id: int, rental: Rental) -> None:
    """Let a reservation be completed by the rental of its vehicle, within the transaction that starts it.

    Raises:
        VehicleUnavailable: the reservation has ended meanwhile.
    """
    reservation = get(reservation_id)
    if not reservation.is_active:
        raise VehicleUnavailable
    over = _closed(reservation, ReservationTrigger.COMPLETE).model_copy(update={"rental_id": rental.id})
    _write(tx, reservation, over)


def launch(reservation: Reservation) -> None:
    """Start the workflow that waits for a reservation to expire; once, however often it is asked for."""
    gateway.start_reservation_workflow(reservation.id, reservation.expires_at)


def expire(reservation_id: int) -> None:
    """Let a reservation expire that nobody has used in time; nothing for one that is over."""
    reservation = get(reservation_id)
    if reservation.is_active and reservation.expires_at <= clock.now():
        _close(reservation_id, ReservationTrigger.EXPIRE)


def drop(reservation_id: int) -> None:
    """Cancel a reservation whose vehicle our staff or a fault has taken away; nothing for one that is over."""
    if get(reservation_id).is_active:
        _close(reservation_id, ReservationTrigger.CANCEL, by_operator=True)


def park(reservation_id: int, error: str) -> None:
    """Keep the name of the error for which a reservation's workflow gave up, beside the reservation."""
    key = ParkedReservationItem.key(reservation_id)
    with store.Transaction() as tx:
        tx.put(ParkedReservationItem(key.pk, key.sk, kind=ParkedReservationItem.KIND, error=error, at=clock.now()))


def get(reservation_id: int) -> Reservation:
    """A reservation by our own id, for work that nobody outside asked for.

    Raises:
        ReservationNotFound: there is none.
    """
    item = store.load(ReservationItem.key(reservation_id))
    if item is None:
        raise ReservationNotFound
    return item.entity


# ── Plumbing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_EVENTS = {
    ReservationTrigger.COMPLETE: "ReservationCompleted",
    ReservationTrigger.CANCEL: "ReservationCancelled",
    ReservationTrigger.EXPIRE: "ReservationExpired",
}
_REACHED = {trigger: state for (_, trigger), state in RESERVATION_STATES.table.items()}


def _close(reservation_id: int, trigger: ReservationTrigger, *, by_operator: bool = False) -> Reservation:
    def attempt() -> Reservation:
        reservation = get(reservation_id)
        if reservation.state is _REACHED[trigger]:
            return reservation
        over = _closed(reservation, trigger).model_copy(update={"by_operator": by_operator})
        with store.Transaction() as tx:
            _write(tx, reservation, over)
            fleet.release(tx, fleet.vehicle(reservation.vehicle_id), reservation.id)
        return over

    return store.again(attempt)


def _closed(reservation: Reservation, trigger: ReservationTrigger) -> Reservation:
    now = clock.now()
    state = RESERVATION_STATES.next(reservation.state, trigger)
    ended_at = min(now, reservation.expires_at)
    plan = reservation.plan
    return reservation.model_copy(
        update={
            "state": state,
            "updated_at": now,
            "ended_at": ended_at,
            "fare": pricing_rules.reservation_fare(plan, reservation.created_at, ended_at) if plan else None,
            "version": reservation.version + 1,
            "event": Event.new(_EVENTS[trigger], now),
        }
    )


def _write(tx: store.Transaction, reservation: Reservation, over: Reservation) -> None:
    unchanged = ReservationItem.version == reservation.version
    tx.put(ReservationItem.of(over), condition=unchanged, otherwise=store.Contention)
    mark = OpenReservationItem.key(reservation.holder_id)
    tx.delete(mark, condition=OpenReservationItem.reservation_id == reservation.id, otherwise=store.Contention)
