"""What our staff does with vehicles."""

from typing import Final

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import TransitionRefused
from kickstand.fleet.model import (
    VEHICLE_STATES,
    Action,
    Lock,
    Operation,
    Purpose,
    Unavailability,
    Vehicle,
    VehicleTrigger,
)
from kickstand.fleet.store import VehicleItem, as_read
from kickstand.kernel import clock, ids, store

_TRIGGERS: Final = {
    Operation.COLLECT: VehicleTrigger.COLLECT,
    Operation.DEPLOY: VehicleTrigger.DEPLOY,
    Operation.STOCK: VehicleTrigger.STOCK,
    Operation.DECOMMISSION: VehicleTrigger.DECOMMISSION,
}
_SEEN_TO: Final = frozenset(
    {
        Unavailability.UNLOCK_UNCONFIRMED,
        Unavailability.LOCK_UNCONFIRMED,
        Unavailability.LOCK_REJECTED,
        Unavailability.OUT_OF_SERVICE,
        Unavailability.NEVER_SEEN,
        Unavailability.FOUND,
    }
)
"""What a vehicle that our staff has put into the street is not withdrawn for any more."""


def operate(vehicle_id: int, operation: Operation) -> Vehicle:
    """Do something with a vehicle that nobody rides, and answer how it is then.

    One that is deployed is locked, if it can lock by itself, and stands in the cluster without hardware that is there;
    it can be rented unless a reason against that is left.

    Raises:
        VehicleNotFound: there is none.
        TransitionRefused: somebody rides it, or its state does not allow this.
        Contention: the vehicle changed meanwhile.
    """
    vehicle = fleet.vehicle(vehicle_id)
    match operation:
        case Operation.BLOCK:
            with store.Transaction() as tx:
                fleet.withdraw(tx, vehicle, Unavailability.BLOCKED)
        case Operation.UNBLOCK:
            fleet.clear(vehicle_id, Unavailability.BLOCKED)
        case _:
            _move(vehicle, operation)
    return fleet.vehicle(vehicle_id)


def _move(vehicle: Vehicle, operation: Operation) -> None:
    if vehicle.rental_id is not None:
        raise TransitionRefused("somebody rides the vehicle")
    state = VEHICLE_STATES.next(vehicle.state, _TRIGGERS[operation])
    reasons = vehicle.unavailabilities
    if operation is Operation.DEPLOY:
        reasons -= _SEEN_TO
        if reasons:
            state = VEHICLE_STATES.next(state, VehicleTrigger.WITHDRAW)
        if not vehicle.locked and fleet.model(vehicle.model_id).lock is not Lock.DOCK:
            # Before it can be rented: what locks later would lock a rider's.
            fleet.send_command(ids.new_id(), vehicle.id, Action.LOCK, purpose=Purpose.PARK)
    actions = [VehicleItem.state.set(state), VehicleItem.revision.add(1)]
    if reasons != vehicle.unavailabilities:
        actions.append(VehicleItem.unavailabilities.set(list(reasons)))
    free = as_read(vehicle) & VehicleItem.rental_id.does_not_exist()
    if not store.change(VehicleItem.key(vehicle.id), actions, condition=free):
        raise store.Contention
    if operation is Operation.COLLECT and vehicle.spot is not None and vehicle.spot.virtual:
        clusters.undock(vehicle.id, clock.now())
    elif operation is Operation.DEPLOY and vehicle.spot is None:
        clusters.settle(vehicle.id)
