"""Use cases about networks, vehicles and commands."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from kickstand.clients.model import ApiClient
from kickstand.fleet import gateway
from kickstand.fleet.errors import CodeTaken, NetworkNotFound, TransitionRefused, VehicleNotFound, VehicleUnavailable
from kickstand.fleet.model import (
    COMMAND_STATES,
    VEHICLE_STATES,
    Action,
    Command,
    CommandState,
    CommandTrigger,
    Hold,
    Maneuver,
    Network,
    Progress,
    Purpose,
    Telemetry,
    Unavailability,
    Vehicle,
    VehicleModel,
    VehicleState,
    VehicleTrigger,
)
from kickstand.fleet.store import CodeItem, CommandItem, NetworkItem, VehicleItem, VehicleModelItem, as_read, same_spot
from kickstand.geo.model import Verdict
from kickstand.kernel import clock, ids, store
from kickstand.kernel.cache import Recent
from kickstand.kernel.events import Event
from kickstand.kernel.place import Position
from kickstand.pricing.model import Tariff

_ATTEMPTS: Final = 4
_JITTER_M: Final = 8
_COMMANDS_KEPT: Final = timedelta(days=30)
_KNOWN_FOR: Final = timedelta(minutes=1)
_networks: Final[Recent[int, tuple[datetime, Network]]] = Recent(32)
_MODELS: Final = 512  # kept per process
_CHARGED_PERCENT: Final = 5
"""A vehicle that had too little charge has to have this much more than too little, or it would come and go."""


# ── Networks and models ──────────────────────────────────────────────────────────────────────────────────────────────


def put_network(network: Network) -> None:
    """Open a network, or change how it operates; processes that know it may take a minute to notice."""
    with store.Transaction() as tx:
        tx.put(NetworkItem.of(network))
    _networks.put(network.id, (clock.now(), network))


def expect_network(network_id: int) -> None:
    """Announce that this request will ask for a network."""
    store.expect(NetworkItem.key(network_id))


def network(network_id: int) -> Network:
    """A network.

    Raises:
        NetworkNotFound: there is none.
    """
    item = store.load(NetworkItem.key(network_id))
    if item is None:
        raise NetworkNotFound
    return item.entity


def known_network(network_id: int) -> Network:
    """A network as it was at most a minute ago: mostly from memory, and good enough for its name, timezone and timings.

    Raises:
        NetworkNotFound: there is none.
    """
    known = _networks.get(network_id)
    if known is None or clock.now() - known[0] >= _KNOWN_FOR:
        known = _networks.put(network_id, (clock.now(), network(network_id)))
    return known[1]


def networks(client: ApiClient) -> list[Network]:
    """The networks that a partner may see, by id; one read."""
    keys = [NetworkItem.key(network_id) for network_id in sorted(client.network_ids)]
    return [item.entity for item in store.load_all(keys) if item is not None]


_models: Final[Recent[int, tuple[datetime, VehicleModel]]] = Recent(_MODELS)


def put_model(model: VehicleModel) -> None:
    """Add or change a vehicle model; processes that know it may take a minute to notice."""
    with store.Transaction() as tx:
        tx.put(VehicleModelItem.of(model))
    _models.put(model.id, (clock.now(), model))


def expect_model(model_id: int) -> None:
    """Announce that this request will ask for a vehicle model, unless this process knows it."""
    if _known_model(model_id) is None:
        store.expect(VehicleModelItem.key(model_id))


def model(model_id: int) -> VehicleModel:
    """A vehicle model, as it was at most a minute ago; mostly no read.

    Raises:
        LookupError: there is none, although vehicles and tariffs name only models that exist.
    """
    known = _known_model(model_id)
    if known is not None:
        return known
    item = store.load(VehicleModelItem.key(model_id))
    if item is None:
        raise LookupError(f"no vehicle model {model_id}")
    return _models.put(model_id, (clock.now(), item.entity))[1]


def models(model_ids: Iterable[int]) -> dict[int, VehicleModel]:
    """Vehicle models by their ids, as they were at most a minute ago; one read at most.

    Raises:
        LookupError: one of them does not exist.
    """
    wanted = sorted(model_ids)
    for model_id in wanted:
        expect_model(model_id)
    return {model_id: model(model_id) for model_id in wanted}


def _known_model(model_id: int) -> VehicleModel | None:
    known = _models.get(model_id)
    return known[1] if known is not None and clock.now() - known[0] < _KNOWN_FOR else None


# ── Vehicles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Standing:
    """Where a vehicle stands, and what follows from it.

    Attributes:
        cell: the H3 cell of the position.
        verdict: what the geofences say.
    """

    position: Position
    cell: str
    verdict: Verdict


def new_vehicle(
    code: str,
    offer: Tariff,
    standing: Standing,
    battery_percent: int,
    vehicle_id: int | None = None,
    *,
    seen: bool = True,
) -> Vehicle:
    """A vehicle that can be rented at ``offer``, not yet part of the fleet.

    Unless it is ``seen`` to stand there, it waits for its own first report.
    """
    identifier = ids.new_id() if vehicle_id is None else vehicle_id
    now = clock.now()
    return Vehicle(
        id=identifier,
        public_id=ids.new_uuid(identifier),
        code=code.upper(),
        network_id=offer.network_id,
        model_id=offer.model_id,
        state=VehicleState.AVAILABLE if seen else VehicleState.UNAVAILABLE,
        unavailabilities=frozenset() if seen else frozenset({Unavailability.NEVER_SEEN}),
        battery_percent=battery_percent,
        position=standing.position,
        reported_at=now,
        located_at=now,
        offer=offer,
        verdict=standing.verdict,
    )


def add_vehicle(vehicle: Vehicle, cell: str) -> None:
    """Make a vehicle part of its network's fleet.

    Raises:
        CodeTaken: another one carries its code.
    """
    with store.Transaction() as tx:
        tx.create(vehicle_item(vehicle, cell))
        tx.create(code_item(vehicle), otherwise=CodeTaken)


def vehicle_item(vehicle: Vehicle, cell: str) -> VehicleItem:
    """The item of a vehicle with the keys of its indexes."""
    return VehicleItem.of(
        vehicle,
        cell=VehicleItem.cell_key(vehicle.network_id, cell),
        model_key=VehicleItem.model_index_key(vehicle.network_id, vehicle.model_id),
    )


def code_item(vehicle: Vehicle) -> CodeItem:
    """The claim of a vehicle on its code."""
    key = CodeItem.key(vehicle.code)
    return CodeItem(key.pk, key.sk, kind=CodeItem.KIND, vehicle_id=vehicle.id)


def expect(public_id: UUID) -> None:
    """Announce that this request will ask for a vehicle."""
    store.expect(VehicleItem.key(ids.id_of(public_id)))


def find(client: ApiClient, public_id: UUID) -> Vehicle:
    """A vehicle of one of the partner's networks, in whatever state; one read.

    Raises:
        VehicleNotFound: it does not exist for this partner.
    """
    item = store.load(VehicleItem.key(ids.id_of(public_id)))
    if item is None or item.public_id != public_id or not client.may_see(item.network_id):
        raise VehicleNotFound
    return item.entity


def expect_id(vehicle_id: int) -> None:
    """Announce that this request will ask for a vehicle by our own id."""
    store.expect(VehicleItem.key(vehicle_id))


def find_by_id(client: ApiClient, vehicle_id: int) -> Vehicle:
    """A vehicle of one of the partner's networks by our own id, in whatever state; one read.

    Raises:
        VehicleNotFound: it does not exist for this partner.
    """
    found = vehicle(vehicle_id)
    if not client.may_see(found.network_id):
        raise VehicleNotFound
    return found


def find_by_code(client: ApiClient, code: str) -> Vehicle:
    """The vehicle that carries ``code``, in whatever state; two reads, for a code is only a name.

    Raises:
        VehicleNotFound: it does not exist for this partner.
    """
    claim = store.load(CodeItem.key(code))
    item = store.load(VehicleItem.key(claim.vehicle_id)) if claim else None
    if item is None or not client.may_see(item.network_id):
        raise VehicleNotFound
    return item.entity


def expect_code(code: str) -> None:
    """Announce that this request will ask for the vehicle that carries a code."""
    store.expect(CodeItem.key(code))


def vehicle(vehicle_id: int) -> Vehicle:
    """A vehicle by our own id, for work that nobody outside asked for.

    Raises:
        VehicleNotFound: there is none.
    """
    item = store.load(VehicleItem.key(vehicle_id))
    if item is None:
        raise VehicleNotFound
    return item.entity


def vehicles(vehicle_ids: Iterable[int]) -> dict[int, Vehicle]:
    """Vehicles by our own ids, without those that do not exist; one read for up to a hundred."""
    items = store.load_all([VehicleItem.key(vehicle_id) for vehicle_id in vehicle_ids])
    return {item.entity.id: item.entity for item in items if item is not None}


def in_cells(network_id: int, cells: Iterable[str]) -> list[Vehicle]:
    """All vehicles of a network that stand in any of the H3 cells: one query a cell, then one read."""
    keys = [
        VehicleItem.key(int(found.pk.partition("#")[2]))
        for cell in cells
        for found in VehicleItem.by_cell.query(VehicleItem.cell_key(network_id, cell))
    ]
    return [item.entity for item in store.load_all(keys) if item is not None]


def receive(telemetry: Telemetry, standing: Standing) -> bool:
    """Keep what a vehicle reports; answers whether it was news. Reports may come late, twice or from nowhere.

    Raises:
        Contention: a dock took or released the vehicle meanwhile, or somebody found it.
    """
    key = VehicleItem.key(telemetry.vehicle_id)
    item = store.load(key)
    if item is None:
        return False
    known: Vehicle = item.entity
    low = _low_batteries(known, telemetry)
    alive = signs_of_life(known, _OF_BATTERIES - low, low)
    settled = settled_by(known, locked=telemetry.locked)
    actions: list[store.Action] = [
        VehicleItem.battery_percent.set(telemetry.battery_percent),
        VehicleItem.locked.set(telemetry.locked),
        VehicleItem.reported_at.set(telemetry.at),
        *alive.actions,
        *settled.actions,
        VehicleItem.revision.add(1),
    ]
    moved = not known.is_held and known.position.distance_m(telemetry.position) >= _JITTER_M
    if moved:
        # A vehicle that stands still stays where it is, however its positioning wavers.
        actions.append(VehicleItem.located_at.set(telemetry.at))
    if moved or standing.verdict != known.verdict:
        cell = VehicleItem.cell_key(known.network_id, standing.cell)
        actions += [
            VehicleItem.position.set(standing.position),
            VehicleItem.cell.set(cell),
            VehicleItem.verdict.set(standing.verdict),
        ]
    condition = (VehicleItem.reported_at < telemetry.at) & same_spot(known)
    for fact in (alive, settled):
        if fact.condition is not None:
            condition &= fact.condition
    if store.change(key, actions, condition=condition):
        return True
    latest = store.load(key)
    if latest is not None and latest.reported_at < telemetry.at:
        raise store.Contention
    return False


def judge(vehicle: Vehicle, verdict: Verdict) -> bool:
    """Keep what the geofences say now about where a vehicle stands; answers whether it still was as read."""
    actions = [VehicleItem.verdict.set(verdict), VehicleItem.revision.add(1)]
    return store.change(VehicleItem.key(vehicle.id), actions, condition=VehicleItem.revision == vehicle.revision)


@dataclass(frozen=True)
class Fact:
    """What a vehicle's being heard of changes about it, on condition that it is as it was read."""

    actions: tuple[store.Action, ...] = ()
    condition: store.Condition | None = None


def _low_batteries(vehicle: Vehicle, telemetry: Telemetry) -> frozenset[Unavailability]:
    """What a vehicle that reports lacks the charge for; it has it again somewhat above where it began to lack it."""
    low = known_network(vehicle.network_id).low_battery_percent
    charges = {Unavailability.LOW_CONTROLLER_BATTERY: telemetry.controller_battery_percent}
    if model(vehicle.model_id).max_range_m:
        charges[Unavailability.LOW_BATTERY] = telemetry.battery_percent
    return frozenset(
        reason
        for reason in _OF_BATTERIES
        if _is_low(charges.get(reason), low, was_low=reason in vehicle.unavailabilities)
    )


_OF_BATTERIES: Final = frozenset({Unavailability.LOW_BATTERY, Unavailability.LOW_CONTROLLER_BATTERY})


def _is_low(percent: int | None, low: int, *, was_low: bool) -> bool:
    if percent is None:
        return was_low  # nothing was said
    return percent < low + (_CHARGED_PERCENT if was_low and low else 0)


def signs_of_life(
    vehicle: Vehicle,
    over: frozenset[Unavailability] = frozenset(),
    begun: frozenset[Unavailability] = frozenset(),
) -> Fact:
    """What follows from a vehicle's being heard of: who was never seen now was, and who was lost is found.

    Args:
        vehicle: as read.
        over: what is no reason any more to keep it from being rented.
        begun: what is one now. A reservation loses the vehicle for it, a rental keeps it, as :func:`withdraw` says.
    """
    reasons = (vehicle.unavailabilities - {Unavailability.NEVER_SEEN} - over) | begun
    state = vehicle.state
    dropped: tuple[store.Action, ...] = ()
    if state is VehicleState.LOST:
        reasons |= {Unavailability.FOUND}
        state = VEHICLE_STATES.next(state, VehicleTrigger.FIND)
    elif state is VehicleState.UNAVAILABLE and not reasons:
        state = VEHICLE_STATES.next(state, VehicleTrigger.RESTORE)
    elif state in _WAITING and not begun <= vehicle.unavailabilities:
        state = VEHICLE_STATES.next(state, VehicleTrigger.WITHDRAW)
        dropped = (VehicleItem.hold.remove(),) if vehicle.hold is not None else ()
    if (state, reasons) == (vehicle.state, vehicle.unavailabilities):
        return Fact()
    changed = (VehicleItem.state.set(state), VehicleItem.unavailabilities.set(list(reasons)))
    return Fact((*changed, *dropped), as_read(vehicle))


def settled_by(vehicle: Vehicle, *, locked: bool) -> Fact:
    """What follows from how a vehicle's lock is seen to be: a maneuver that wants it so is over."""
    maneuver = vehicle.maneuver
    if maneuver is None or maneuver.wants_lock is not locked:
        return Fact()
    return Fact((VehicleItem.maneuver.remove(),), VehicleItem.maneuver["command_id"] == maneuver.command_id)


def offer(tariff: Tariff) -> int:
    """Offer all vehicles of the tariff's network and model at it, unless they are at a newer one; answers how many."""
    offered = 0
    for found in VehicleItem.by_model.query(VehicleItem.model_index_key(tariff.network_id, tariff.model_id)):
        key = VehicleItem.key(int(found.pk.partition("#")[2]))
        older = VehicleItem.offer["version"] < tariff.version
        offered += store.change(key, [VehicleItem.offer.set(tariff), VehicleItem.revision.add(1)], condition=older)
    return offered


# ── A vehicle's part in the transactions of a rental ─────────────────────────────────────────────────────────────────


def rent(tx: store.Transaction, vehicle: Vehicle, rental_id: int, client_id: int) -> None:
    """Give a vehicle to a rental; refused with :class:`VehicleUnavailable` unless it is free when this is written.

    Args:
        tx: the transaction that starts the rental.
        vehicle: as read; where it is held, the caller has made sure that the rental is its holder's.
        rental_id: the rental.
        client_id: the partner whose rental it is.
    """
    state = VehicleState.AVAILABLE if vehicle.hold is None else VehicleState.RESERVED
    free = (VehicleItem.state == state) & VehicleItem.rental_id.does_not_exist()
    changes = {
        "state": VEHICLE_STATES.next(state, VehicleTrigger.RENT),
        "rental_id": rental_id,
        "last_rental_id": rental_id,
        "last_client_id": client_id,
        "taken_from": vehicle.position,
    }
    actions: list[store.Action] = [getattr(VehicleItem, name).set(value) for name, value in changes.items()]
    actions.append(VehicleItem.revision.add(1))
    if vehicle.hold is not None:
        free &= VehicleItem.hold["reservation_id"] == vehicle.hold.reservation_id
        actions.append(VehicleItem.hold.remove())
    key = VehicleItem.key(vehicle.id)
    known = store.load(key)
    rented = vehicle.model_copy(update={**changes, "hold": None, "revision": vehicle.revision + 1})
    becomes = VehicleItem.of(rented, cell=known.cell, model_key=known.model_key) if known else None
    tx.update(key, actions, condition=free, otherwise=VehicleUnavailable, becomes=becomes)


def reserve(tx: store.Transaction, vehicle: Vehicle, hold: Hold) -> None:
    """Keep a vehicle for a rider; refused with :class:`VehicleUnavailable` unless it is free when this is written."""
    free = (VehicleItem.state == VehicleState.AVAILABLE) & VehicleItem.rental_id.does_not_exist()
    actions: list[store.Action] = [
        VehicleItem.state.set(VEHICLE_STATES.next(VehicleState.AVAILABLE, VehicleTrigger.RESERVE)),
        VehicleItem.hold.set(hold),
        VehicleItem.revision.add(1),
    ]
    tx.update(VehicleItem.key(vehicle.id), actions, condition=free, otherwise=VehicleUnavailable)


def release(tx: store.Transaction, vehicle: Vehicle, reservation_id: int) -> None:
    """Let go of a vehicle that a reservation holds, in the transaction that ends the reservation.

    A vehicle that is not held by it any more, because our staff has taken it say, stays as it is.
    """
    if vehicle.hold is None or vehicle.hold.reservation_id != reservation_id:
        return
    mine = VehicleItem.hold["reservation_id"] == reservation_id
    actions: list[store.Action] = [
        VehicleItem.state.set(VEHICLE_STATES.next(VehicleState.RESERVED, VehicleTrigger.CANCEL_RESERVATION)),
        VehicleItem.hold.remove(),
        VehicleItem.revision.add(1),
    ]
    tx.update(VehicleItem.key(vehicle.id), actions, condition=mine, otherwise=store.Contention)


def hold(tx: store.Transaction, vehicle_id: int, rental_id: int) -> None:
    """Put a rental's vehicle on hold."""
    _move(tx, vehicle_id, rental_id, VehicleState.IN_USE, VehicleTrigger.HOLD)


def resume(tx: store.Transaction, vehicle_id: int, rental_id: int) -> None:
    """Take a rental's vehicle from hold."""
    _move(tx, vehicle_id, rental_id, VehicleState.ON_HOLD, VehicleTrigger.RESUME)


def give_back(
    tx: store.Transaction,
    vehicle: Vehicle,
    rental_id: int,
    trigger: VehicleTrigger = VehicleTrigger.RETURN,
    reason: Unavailability | None = None,
) -> None:
    """End a rental's hold on its vehicle.

    Args:
        tx: the transaction that ends the rental.
        vehicle: as read; refused with :class:`Contention` where its state, or why it is unavailable, has changed since.
        rental_id: the rental.
        trigger: ``RETURN`` makes it available unless a reason against that is left, ``WITHDRAW`` unavailable, ``LOSE``
            lost.
        reason: why it is withdrawn.

    Raises:
        TransitionRefused: another rental holds the vehicle, or none.
    """
    if vehicle.rental_id != rental_id:
        raise TransitionRefused
    reasons = vehicle.unavailabilities if reason is None else vehicle.unavailabilities | {reason}
    if trigger is VehicleTrigger.RETURN and reasons:
        trigger = VehicleTrigger.WITHDRAW
    mine = (VehicleItem.rental_id == rental_id) & as_read(vehicle)
    actions: list[store.Action] = [
        VehicleItem.state.set(VEHICLE_STATES.next(vehicle.state, trigger)),
        VehicleItem.rental_id.remove(),
        VehicleItem.revision.add(1),
    ]
    if reason is not None:
        actions.append(VehicleItem.unavailabilities.set(list(reasons)))
    tx.update(VehicleItem.key(vehicle.id), actions, condition=mine, otherwise=store.Contention)


def withdraw(tx: store.Transaction, vehicle: Vehicle, reason: Unavailability) -> None:
    """Keep a vehicle from being rented until :func:`restore` or :func:`clear` takes the reason away.

    One that waits for riders becomes unavailable at once, and a reservation loses it: :attr:`Vehicle.hold` told which.
    One that is ridden stays with its rental and becomes unavailable when it is given back. Whatever else it is, it
    remembers the reason.

    Args:
        tx: the transaction that finds out.
        vehicle: as read; refused with :class:`Contention` where its state, or why it is unavailable, has changed since.
        reason: why.
    """
    if reason in vehicle.unavailabilities:
        return
    actions: list[store.Action] = [
        VehicleItem.unavailabilities.set([*vehicle.unavailabilities, reason]),
        VehicleItem.revision.add(1),
    ]
    if vehicle.state in _WAITING:
        actions.append(VehicleItem.state.set(VEHICLE_STATES.next(vehicle.state, VehicleTrigger.WITHDRAW)))
    if vehicle.hold is not None:
        actions.append(VehicleItem.hold.remove())
    tx.update(VehicleItem.key(vehicle.id), actions, condition=as_read(vehicle), otherwise=store.Contention)


_WAITING: Final = frozenset({VehicleState.AVAILABLE, VehicleState.RESERVED, VehicleState.UNAVAILABLE})


def restore(tx: store.Transaction, vehicle: Vehicle, reason: Unavailability) -> None:
    """Within a transaction, what :func:`clear` does outside of any.

    Args:
        tx: the transaction.
        vehicle: as read; refused with :class:`Contention` where its state, or why it is unavailable, has changed since.
        reason: what is no reason any more; nothing happens where it has not been one.
    """
    if reason in vehicle.unavailabilities:
        actions = _without(vehicle, reason)
        tx.update(VehicleItem.key(vehicle.id), actions, condition=as_read(vehicle), otherwise=store.Contention)


def _without(vehicle: Vehicle, reason: Unavailability) -> list[store.Action]:
    left = vehicle.unavailabilities - {reason}
    actions: list[store.Action] = [VehicleItem.unavailabilities.set(list(left)), VehicleItem.revision.add(1)]
    if not left and vehicle.state is VehicleState.UNAVAILABLE:
        actions.append(VehicleItem.state.set(VEHICLE_STATES.next(vehicle.state, VehicleTrigger.RESTORE)))
    return actions


def _move(tx: store.Transaction, vehicle_id: int, rental_id: int, state: VehicleState, trigger: VehicleTrigger) -> None:
    mine = (VehicleItem.rental_id == rental_id) & (VehicleItem.state == state)
    actions = [VehicleItem.state.set(VEHICLE_STATES.next(state, trigger)), VehicleItem.revision.add(1)]
    tx.update(VehicleItem.key(vehicle_id), actions, condition=mine, otherwise=TransitionRefused)


# ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def send_command(
    cause: int,
    vehicle_id: int,
    action: Action,
    *,
    purpose: Purpose | None = None,
    rental_id: int | None = None,
    parameters: dict[str, Any] | None = None,
) -> Command:
    """Tell a vehicle to do something, once for each ``cause``.

    A repetition, after a crash say, hands the command to the channel only if that is not known to have happened, and
    under the same id, which the vehicle obeys once.

    Args:
        cause: id of the event that wants it.
        vehicle_id: the vehicle.
        action: what to do.
        purpose: what a locking or unlocking is for; the vehicle shows it until it has answered.
        rental_id: the rental it serves.
        parameters: of the action.
    """
    command_id = command_id_of(cause, action)
    now = clock.now()
    command = Command(
        id=command_id,
        vehicle_id=vehicle_id,
        action=action,
        purpose=purpose,
        sent_at=now,
        rental_id=rental_id,
        parameters=parameters or {},
        event=Event.new("CommandSent", now),
    )
    key = CommandItem.key(vehicle_id, command_id)
    if not store.create(CommandItem.of(command, expires_at=int((now + _COMMANDS_KEPT).timestamp()))):
        existing = store.load(key)
        if existing is None or existing.published or existing.state is not CommandState.SENT:
            return existing.entity if existing else command
        command = existing.entity
    if command.purpose is not None:
        _begin_maneuver(command, command.purpose)
    gateway.publish(command)
    store.change(key, [CommandItem.published.set(True)])
    return command


def _begin_maneuver(command: Command, purpose: Purpose) -> None:
    """Let the vehicle show what it was told last, unless another rental has it by now."""
    maneuver, holder = VehicleItem.maneuver, VehicleItem.rental_id
    mine = holder.does_not_exist()
    if command.rental_id is not None:
        mine |= holder == command.rental_id
    condition = mine & VehicleItem.pk.exists() & (maneuver.does_not_exist() | (maneuver["command_id"] != command.id))
    actions = [maneuver.set(Maneuver(command_id=command.id, purpose=purpose)), VehicleItem.revision.add(1)]
    store.change(VehicleItem.key(command.vehicle_id), actions, condition=condition)


def note_progress(vehicle_id: int, command_id: str, progress: Progress, at: datetime) -> bool:
    """Keep how far a vehicle says to have come with what it was told; answers whether that was news.

    What comes late, or about a command that was answered or followed by another, changes nothing.
    """
    maneuver = VehicleItem.maneuver
    newer = maneuver["progress_at"].does_not_exist() | (maneuver["progress_at"] < VehicleItem.reported_at.serialize(at))
    return store.change(
        VehicleItem.key(vehicle_id),
        [
            maneuver["progress"].set(progress.value),
            maneuver["progress_at"].set(VehicleItem.reported_at.serialize(at)),
            VehicleItem.revision.add(1),
        ],
        condition=(maneuver["command_id"] == command_id) & newer,
    )


def command_id_of(cause: int, action: Action) -> str:
    """The id of the command that an event causes."""
    return f"{cause}-{action}"


def expect_command(vehicle_id: int, cause: int, action: Action) -> None:
    """Announce that this request will ask for the command that an event caused."""
    store.expect(CommandItem.key(vehicle_id, command_id_of(cause, action)))


def find_command(vehicle_id: int, cause: int, action: Action) -> Command | None:
    """The command that an event caused, or ``None`` while it has not been sent."""
    item = store.load(CommandItem.key(vehicle_id, command_id_of(cause, action)))
    return item.entity if item else None


def settle_command(vehicle_id: int, command_id: str, trigger: CommandTrigger, reason: str | None = None) -> bool:
    """Keep what is learnt about a command; answers whether that was news.

    An answer to a command that was never sent, or that has been answered, changes nothing.
    """
    key = CommandItem.key(vehicle_id, command_id)
    item = store.load(key)
    if item is None or not COMMAND_STATES.allows(item.state, trigger):
        return False
    command = item.entity
    _end_maneuver(command, trigger)  # comes first: an answer that was kept is not looked at again
    state = COMMAND_STATES.next(command.state, trigger)
    event = Event.new(f"Command{state.title()}", action=command.action, rental_id=command.rental_id)
    actions: list[store.Action] = [CommandItem.state.set(state), CommandItem.event.set(event)]
    if reason is not None:
        actions.append(CommandItem.reason.set(reason))
    # Not on condition of the state as read: an answer that meets the timeout half-way is no less true.
    return store.change(key, actions, condition=CommandItem.state.is_in(*COMMAND_STATES.states_before(trigger)))


def _end_maneuver(command: Command, trigger: CommandTrigger) -> None:
    """What the vehicle shows after its answer: nothing where it obeyed, that it is jammed where it refused."""
    if command.purpose is None or trigger is CommandTrigger.TIME_OUT:
        return
    maneuver = VehicleItem.maneuver
    jammed = trigger is CommandTrigger.REJECT
    outcome = maneuver["progress"].set(Progress.JAMMED.value) if jammed else maneuver.remove()
    actions = [outcome, VehicleItem.revision.add(1)]
    store.change(VehicleItem.key(command.vehicle_id), actions, condition=maneuver["command_id"] == command.id)


def time_out_command(vehicle_id: int, cause: int, action: Action) -> bool:
    """Nobody knows whether a command was obeyed; answers whether it was open until now."""
    return settle_command(vehicle_id, command_id_of(cause, action), CommandTrigger.TIME_OUT)


def clear(vehicle_id: int, reason: Unavailability) -> bool:
    """Take one reason for being unavailable from a vehicle; without any reason left it is available again.

    Raises:
        Contention: the vehicle kept changing.
    """
    key = VehicleItem.key(vehicle_id)
    for _ in range(_ATTEMPTS):
        item = store.load(key)
        if item is None or reason not in item.unavailabilities:
            return False
        if store.change(key, _without(item.entity, reason), condition=VehicleItem.revision == item.revision):
            return True
    raise store.Contention
