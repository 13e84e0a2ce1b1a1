"""What vehicles are called on the MaaS surface."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from kickstand.fleet.model import Category, Lock, Progress, Purpose, Unavailability, VehicleModel
from kickstand.fleet.model import VehicleState as State
from maas._vehicles import (
    REASONS,
    AssetModel,
    AssetType,
    Condition,
    HardwareBridge,
    LockVisual,
    VehicleState,
    VehicleStatus,
    VehicleUnavailabilityReason,
    reasons_of,
    state_of,
    status_of,
)

FACTS = json.loads((Path(__file__).parents[2] / "contract" / "facts" / "maas.json").read_text(encoding="utf-8"))
NO_REASON: frozenset[Unavailability] = frozenset()
_U, _P, _G = Unavailability, Purpose, Progress


def documented(schema: str) -> set[str]:
    found: list[str] = FACTS["components"]["schemas"][schema]["enum"]
    return set(found)


EVERYTHING = [
    Condition(state, rentable, reasons, purpose, progress, lock)
    for state, reasons, (purpose, progress), lock in product(
        State,
        [NO_REASON, *(frozenset({reason}) for reason in Unavailability), frozenset(Unavailability)],
        [(None, None), *product(Purpose, [None, *Progress])],
        Lock,
    )
    for rentable in ([True, False] if state is State.AVAILABLE else [False])
]


def condition(
    state: State = State.AVAILABLE,
    purpose: Purpose | None = None,
    progress: Progress | None = None,
    *,
    lock: Lock = Lock.IOT,
    reasons: frozenset[Unavailability] = NO_REASON,
    rentable: bool | None = None,
) -> Condition:
    free = state is State.AVAILABLE if rentable is None else rentable
    return Condition(state, free, reasons, purpose, progress, lock)


def test_every_combination_has_words_and_every_documented_word_is_said() -> None:
    assert {state_of(each).value for each in EVERYTHING} == documented("VehicleState")
    assert {status_of(each).value for each in EVERYTHING} == documented("VehicleStatus")
    reasons = {reason.value for each in EVERYTHING for reason in reasons_of(each)}
    assert reasons == documented("VehicleUnavailabilityReason")


def test_exactly_what_is_available_has_no_reason() -> None:
    for each in EVERYTHING:
        assert (status_of(each) is VehicleStatus.AVAILABLE) is (not reasons_of(each)) is each.rentable


@pytest.mark.parametrize(
    ("each", "status", "state"),
    [
        (condition(), "available", "docked"),
        (condition(rentable=False), "unavailable", "docked"),
        (condition(State.RESERVED), "unavailable", "docked"),
        (condition(State.IN_USE), "on_trip", "in_progress"),
        (condition(State.ON_HOLD), "on_trip", "on_hold"),
        (condition(State.WITH_OPERATOR), "with_operator", "with_administrator"),
        (condition(State.IN_STOCK), "in_operation_location", "in_operation_location"),
        (condition(State.LOST), "lost", "lost"),
        (condition(State.LOST, _P.END, _G.JAMMED), "lost", "lost"),
        (condition(State.DECOMMISSIONED), "decommissioned", "decommissioned"),
        (condition(State.UNAVAILABLE, reasons=frozenset({_U.BROKEN})), "unavailable", "docked"),
        (condition(State.UNAVAILABLE, reasons=frozenset({_U.NEVER_SEEN})), "never_seen", "unknown"),
        (condition(State.UNAVAILABLE, _P.END, reasons=frozenset({_U.LOCK_UNCONFIRMED})), "unknown", "unknown"),
        (
            condition(State.UNAVAILABLE, _P.END, _G.JAMMED, reasons=frozenset({_U.LOCK_REJECTED})),
            "unavailable",
            "docking_jammed_unknown",
        ),
        (condition(State.IN_USE, _P.START), "on_trip", "awaiting_vehicle_unlock"),
        (condition(State.IN_USE, _P.START, _G.ARMED), "on_trip", "awaiting_vehicle_unlock"),
        (condition(State.IN_USE, _P.START, _G.WAKING, lock=Lock.BOLT), "on_trip", "awaiting_wake_event"),
        (condition(State.IN_USE, _P.END), "on_trip", "awaiting_lock_to_end"),
        (condition(State.IN_USE, _P.END, lock=Lock.BOLT), "on_trip", "awaiting_bolt_lock_armed_to_end"),
        (condition(State.IN_USE, _P.END, _G.WAKING, lock=Lock.BOLT), "on_trip", "awaiting_bolt_lock_armed_to_end"),
        (condition(State.IN_USE, _P.END, _G.ARMED, lock=Lock.BOLT), "on_trip", "awaiting_bolt_lock_to_end"),
        (condition(State.ON_HOLD, _P.PAUSE), "on_trip", "awaiting_lock_to_pause"),
        (condition(State.ON_HOLD, _P.END, _G.LOCATING, lock=Lock.RING), "on_trip", "awaiting_geoposition"),
        (condition(State.AVAILABLE, _P.PARK, lock=Lock.BOLT), "available", "awaiting_bolt_lock_armed_to_virtual_dock"),
        (condition(State.AVAILABLE, _P.PARK), "available", "docked"),
        (condition(State.WITH_OPERATOR, _P.END, _G.JAMMED), "with_operator", "docking_jammed_administrator"),
        (condition(State.IN_STOCK, _P.PARK, _G.ARMED), "in_operation_location", "in_operation_location"),
        (condition(State.RESERVED, _P.END, _G.ARMED), "unavailable", "docked"),
    ],
)
def test_what_vehicles_are_called(each: Condition, status: str, state: str) -> None:
    assert (status_of(each), state_of(each)) == (status, state)


def test_reasons_are_told_once_and_in_the_order_of_the_reference() -> None:
    assert set(REASONS) == set(Unavailability)
    reasons = frozenset({_U.BROKEN, _U.LOCK_REJECTED, _U.LOCK_UNCONFIRMED, _U.DOCK_INACTIVE})
    assert reasons_of(condition(State.UNAVAILABLE, reasons=reasons)) == [
        "dock_state",
        "vehicle_controller_state",
        "vehicle_broken",
    ]
    assert reasons_of(condition(State.IN_USE, reasons=frozenset({_U.BLOCKED}))) == ["vehicle_blocked", "vehicle_state"]
    assert reasons_of(condition(rentable=False)) == ["vehicle_state"]


@pytest.mark.parametrize(
    ("ours", "shown"),
    [
        ({}, ("bike", "bike", None, None)),
        ({"category": Category.E_BIKE}, ("ebike", "ebike", None, None)),
        ({"category": Category.E_BIKE_CHILD_SEAT}, ("ebike", "ebike_with_childseat", None, None)),
        (
            {"category": Category.SCOOTER, "asset_type": "scooter_controller"},
            ("scooter_controller", "scooter", None, None),
        ),
        ({"asset_type": "rocket", "bridge": "axa", "lock_visual": "ring_lock"}, ("bike", "bike", "axa", "ring_lock")),
        ({"bridge": "warp", "lock_visual": "chain"}, ("bike", "bike", None, None)),
    ],
)
def test_models_have_documented_words_only(ours: dict[str, Any], shown: tuple[str | None, ...]) -> None:
    model = VehicleModel.model_validate({"id": 1, "name": "B", "category": "bike", "max_range_m": 0} | ours)
    found = AssetModel.of(model)
    assert (found.type, found.category, found.hardware_bridge, found.lock_visual) == shown


@pytest.mark.parametrize(
    ("words", "member"), [(AssetType, "type"), (HardwareBridge, "hardwareBridge"), (LockVisual, "lockVisual")]
)
def test_words_of_models_are_the_documented_ones(words: type[AssetType], member: str) -> None:
    assert {each.value for each in words} == set(
        FACTS["components"]["schemas"]["AssetModel"]["properties"][member]["enum"]
    )


def test_nothing_else_is_said() -> None:
    assert {each.value for each in VehicleState} == documented("VehicleState")
    assert {each.value for each in VehicleStatus} == documented("VehicleStatus")
    assert {each.value for each in VehicleUnavailabilityReason} == documented("VehicleUnavailabilityReason")
