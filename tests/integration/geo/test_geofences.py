from collections.abc import Callable
from typing import Any

import pytest
from pynamodb.connection import Connection

from kickstand.geo import service
from kickstand.geo import store as geo_store
from kickstand.geo.errors import (
    GeofenceChanged,
    GeofenceTooLarge,
    InvalidZone,
    NoOperationsArea,
    WrongParking,
    ZoneFlaw,
)
from kickstand.geo.model import NOWHERE, AreaType, EndRefusal, Parking, Zone
from kickstand.geo.store import GeofenceItem, PartItem
from kickstand.kernel import store
from tests.support.zones import NETWORK, OSLO, at, square, zone

FREE = Parking.FREE_FLOATING
CITY = zone(1)


@pytest.fixture(autouse=True)
def _account(aws: object) -> None:
    store.begin()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that reach DynamoDB."""
    made: list[str] = []
    client = GeofenceItem._get_connection().connection.client
    original = client._make_api_call

    def record(operation: str, arguments: Any) -> Any:
        made.append(operation)
        return original(operation, arguments)

    monkeypatch.setattr(client, "_make_api_call", record)
    return made


def put(*zones: Zone, parking: Parking = FREE, **options: Any) -> int:
    store.begin()
    published = service.put_zones(NETWORK, parking, zones, **options)
    store.begin()
    return published.version


def test_before_the_first_publication_nothing_is_allowed_anywhere() -> None:
    assert service.geofence(NETWORK) is None
    assert service.areas(NETWORK).zones == ()
    assert service.judge(NETWORK, OSLO) == NOWHERE


def test_zones_are_read_as_they_were_put() -> None:
    holes = zone(1, holes=[square(100)])
    assert put(holes, zone(2, AreaType.SLOW_ZONE, ring=square(500), speed=6)) == 1
    areas = service.areas(NETWORK)
    assert areas.version == 1
    assert [each.id for each in areas.zones] == [1, 2]
    assert areas.zones[1].rule.maximum_speed_kph == 6
    assert len(areas.zones[0].geometry.coordinates[0]) == 2
    assert put(*areas.zones) == 2
    assert service.areas(NETWORK).zones == areas.zones


def test_a_position_is_judged_by_the_newest_version() -> None:
    put(CITY)
    assert service.judge(NETWORK, OSLO).ride_end_allowed
    put(CITY, zone(2, AreaType.NO_PARKING, ring=square(50)))
    verdicts = service.judge_all(NETWORK, [OSLO, at(100, 0)])
    assert [verdict.end_refusal for verdict in verdicts] == [EndRefusal.NO_PARKING, None]
    assert {verdict.geofence_version for verdict in verdicts} == {2}


def test_networks_do_not_see_each_other() -> None:
    put(CITY)
    service.put_zones(2, FREE, [zone(9, network_id=2)])
    store.begin()
    assert [each.id for each in service.areas(2).zones] == [9]
    assert [each.id for each in service.areas(NETWORK).zones] == [1]


def test_an_unchanged_geofence_costs_one_reading(calls: list[str]) -> None:
    put(CITY)
    service.areas(NETWORK)
    service.judge(NETWORK, OSLO)
    calls.clear()
    store.begin()
    service.areas(NETWORK)
    service.judge_all(NETWORK, [OSLO] * 100)
    assert calls == ["BatchGetItem"]


def test_judging_in_a_new_process_costs_two_readings(calls: list[str]) -> None:
    put(CITY)
    service._zones.clear()
    service._judges.clear()
    calls.clear()
    service.judge(NETWORK, OSLO)
    assert calls == ["BatchGetItem", "BatchGetItem"]


# ── Refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("parking", "forbidden"), [(FREE, AreaType.PARKING_SPOT), (Parking.MANDATORY, AreaType.NO_PARKING)]
)
def test_no_parking_and_parking_spots_exclude_each_other(parking: Parking, forbidden: AreaType) -> None:
    with pytest.raises(WrongParking, match=forbidden):
        put(CITY, zone(2, forbidden, ring=square(50)), parking=parking)
    assert service.geofence(NETWORK) is None


def test_a_geofence_needs_an_operations_area() -> None:
    for zones in ([], [zone(1, AreaType.SLOW_ZONE)]):
        with pytest.raises(NoOperationsArea):
            put(*zones)


@pytest.mark.parametrize(
    ("wrong", "flaw"),
    [
        (zone(1, AreaType.SLOW_ZONE), ZoneFlaw.DUPLICATE),
        (zone(2, network_id=3), ZoneFlaw.FOREIGN),
        (zone(2).model_copy(update={"area_type": AreaType.NO_GO_ZONE}), ZoneFlaw.WRONG_RULE),
        (zone(2, AreaType.SLOW_ZONE, ring=square(500)[:3]), ZoneFlaw.TOO_FEW_POINTS),
    ],
)
def test_one_wrong_zone_spoils_the_publication(wrong: Zone, flaw: ZoneFlaw) -> None:
    with pytest.raises(InvalidZone) as refusal:
        put(CITY, wrong)
    assert refusal.value.flaw is flaw
    assert service.geofence(NETWORK) is None


def test_sizes_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_ZONE_BYTES", 250)
    with pytest.raises(InvalidZone) as refusal:
        put(CITY)
    assert refusal.value.flaw is ZoneFlaw.TOO_LONG
    monkeypatch.undo()
    monkeypatch.setattr(service, "MAX_GEOFENCE_BYTES", 500)
    with pytest.raises(GeofenceTooLarge, match="bytes"):
        put(CITY, zone(2, AreaType.SLOW_ZONE))
    monkeypatch.undo()
    monkeypatch.setattr(service, "MAX_ZONES", 1)
    with pytest.raises(GeofenceTooLarge, match="2 zones"):
        put(CITY, zone(2, AreaType.SLOW_ZONE))


# ── Concurrency and crashes ──────────────────────────────────────────────────────────────────────────────────────────


def test_who_has_seen_an_older_version_is_refused() -> None:
    put(CITY, expected_version=0)
    with pytest.raises(GeofenceChanged):
        put(CITY, expected_version=0)
    assert put(CITY, expected_version=1) == 2


def test_of_two_publications_at_once_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    put(CITY)
    publish = geo_store.publish

    def slower(geofence: Any) -> None:
        monkeypatch.setattr(geo_store, "publish", publish)
        put(CITY, zone(3, AreaType.SLOW_ZONE))
        publish(geofence)

    monkeypatch.setattr(geo_store, "publish", slower)
    with pytest.raises(GeofenceChanged):
        put(CITY, zone(2, AreaType.NO_GO_ZONE))
    store.begin()
    assert [each.id for each in service.areas(NETWORK).zones] == [1, 3]


@pytest.mark.parametrize("survived", range(6))
def test_a_crash_leaves_the_old_version_in_force_and_the_next_attempt_succeeds(
    survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kickstand.geo.store.PART_BYTES", 300)  # a zone for every part
    put(CITY)
    replacement = [CITY, zone(2, AreaType.SLOW_ZONE), zone(3, AreaType.NO_GO_ZONE)]
    crash_after(survived, monkeypatch)
    with pytest.raises(RuntimeError, match="crash"):
        put(*replacement)
    monkeypatch.undo()
    monkeypatch.setattr("kickstand.geo.store.PART_BYTES", 300)
    store.begin()
    seen = len(service.areas(NETWORK).zones)
    assert seen == (1 if survived < 4 else 3)  # three parts, then the header
    version = put(*replacement)
    assert [each.id for each in service.areas(NETWORK).zones] == [1, 2, 3]
    assert kept() == version_of_parts(version)


def crash_after(writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    done = 0

    def limited(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            if done == writes:
                raise RuntimeError("crash")
            done += 1
            return original(*arguments, **named)

        return call

    monkeypatch.setattr(PartItem, "save", limited(PartItem.save))
    monkeypatch.setattr(Connection, "transact_write_items", limited(Connection.transact_write_items))
    monkeypatch.setattr(store, "change", limited(store.change))
    # The last write of a publication lets the old part expire; one more makes the crash come after everything.
    monkeypatch.setattr(geo_store, "retire", limited(geo_store.retire))


def kept() -> set[str]:
    """The parts that will not expire."""
    return {
        item.sk
        for item in PartItem.query(f"GEOFENCE#{NETWORK}", PartItem.sk.startswith("ZONES#"))
        if not item.expires_at
    }


def version_of_parts(version: int) -> set[str]:
    header = service.geofence(NETWORK)
    assert header is not None
    assert header.version == version
    return {PartItem.key(NETWORK, version, header.content_id, number).sk for number in range(header.parts)}


def test_replaced_parts_expire_and_the_current_ones_do_not() -> None:
    for _ in range(3):
        put(CITY)
    assert kept() == version_of_parts(3)


def test_an_attempt_at_a_later_version_is_left_alone() -> None:
    put(CITY)
    header = service.geofence(NETWORK)
    assert header is not None
    coming = header.model_copy(update={"version": 3, "content_id": 5})
    geo_store.write_zones(coming, [geo_store.encoded(CITY)])
    put(CITY)
    assert PartItem.key(NETWORK, 3, 5, 0).sk in kept()
