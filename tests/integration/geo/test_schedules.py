"""Zones that are in force at some hours, as they are kept, judged and shown."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from kickstand.geo import service
from kickstand.geo.errors import GeofenceTooLarge, InvalidZone, NoOperationsArea, ZoneFlaw
from kickstand.geo.model import WEEK, AreaType, EndRefusal, Parking, Window, Zone
from kickstand.geo.store import GeofenceItem
from kickstand.kernel import clock, items, store
from tests.support.api import Client, Reply, voi
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.zones import NETWORK, OSLO, at, square, zone

NIGHT, MORNING = datetime(2026, 6, 1, 3, tzinfo=UTC), datetime(2026, 6, 1, 7, 30, tzinfo=UTC)  # 05:00 and 09:30 in Oslo
SCHOOL = (Window(days=WEEK[:5], start=time(8), end=time(16)),)


@pytest.fixture(autouse=True)
def _account(aws: object) -> None:
    store.begin()


@pytest.fixture
def it_is(monkeypatch: pytest.MonkeyPatch) -> Any:
    def it_is(now: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: now)
        store.begin()

    it_is(NIGHT)
    return it_is


def scheduled(zone_id: int, area_type: AreaType, schedule: tuple[Window, ...] = SCHOOL) -> Zone:
    return zone(zone_id, area_type, ring=square(500)).model_copy(update={"schedule": schedule})


def put(*zones: Zone, timezone: str = "Europe/Oslo", network_id: int = NETWORK) -> None:
    service.put_zones(network_id, Parking.FREE_FLOATING, zones, timezone=timezone)
    store.begin()


def test_schedules_are_read_as_they_were_put(it_is: Any) -> None:
    put(zone(1), scheduled(2, AreaType.NO_PARKING), scheduled(3, AreaType.SLOW_ZONE))
    service._zones.clear()
    areas = service.areas(NETWORK)
    assert [each.schedule for each in areas.zones] == [(), SCHOOL, SCHOOL]
    assert all(each.centroid for each in areas.zones)
    header = service.geofence(NETWORK)
    assert header is not None
    assert (header.timezone, header.schedules) == ("Europe/Oslo", (SCHOOL,))


def test_a_position_is_judged_by_what_is_in_force(it_is: Any) -> None:
    put(zone(1), scheduled(2, AreaType.NO_PARKING))
    assert service.judge(NETWORK, OSLO).end_refusal is None
    it_is(MORNING)
    assert service.judge(NETWORK, OSLO).end_refusal is EndRefusal.NO_PARKING
    it_is(MORNING + timedelta(days=5))  # a Saturday
    assert service.judge(NETWORK, OSLO).end_refusal is None


def test_the_hours_are_those_of_the_city(it_is: Any) -> None:
    put(zone(1), scheduled(2, AreaType.NO_PARKING), timezone="Asia/Tokyo")
    assert service.judge(NETWORK, OSLO).end_refusal is EndRefusal.NO_PARKING  # noon there
    it_is(MORNING)
    assert service.judge(NETWORK, OSLO).end_refusal is None


def test_which_zones_are_in_force_is_read_from_headers_alone(it_is: Any) -> None:
    put(zone(1), scheduled(2, AreaType.NO_PARKING))
    put(zone(9, network_id=2), network_id=2)
    service._zones.clear()
    with measured() as usage:
        scheduled_city, other, unknown = service.editions([NETWORK, 2, 3])
    assert usage.calls == ["BatchGetItem"]
    assert scheduled_city.until == datetime(2026, 6, 1, 6, tzinfo=UTC)
    assert (other.until, unknown.until) == (None, None)
    assert unknown.tag == "3-0"
    assert service.edition(NETWORK) == scheduled_city


def test_a_new_publication_is_a_new_edition(it_is: Any) -> None:
    put(zone(1))
    before = service.edition(NETWORK)
    it_is(NIGHT + timedelta(milliseconds=1))
    put(zone(1))
    assert service.edition(NETWORK).tag != before.tag


def test_an_operations_area_may_close_but_not_the_whole_city(it_is: Any) -> None:
    park = scheduled(2, AreaType.OPERATIONS)
    with pytest.raises(NoOperationsArea):
        put(park)
    far = park.model_copy(update={"geometry": zone(3, ring=square(500, at(8000, 0))).geometry})
    put(zone(1), far)
    assert service.judge(NETWORK, at(8000, 0)).end_refusal is EndRefusal.OUTSIDE_OPERATIONS
    it_is(MORNING)
    assert service.judge(NETWORK, at(8000, 0)).end_refusal is None


def test_unknown_time_zones_are_refused(it_is: Any) -> None:
    with pytest.raises(InvalidZone, match="Europe/Bergen") as refusal:
        put(zone(1), timezone="Europe/Bergen")
    assert refusal.value.flaw is ZoneFlaw.UNKNOWN_TIMEZONE


def test_the_header_stays_small(it_is: Any) -> None:
    def different(number: int) -> tuple[Window, ...]:
        return (Window(days=WEEK, start=time(number // 60, number % 60), end=time(23)),)

    zones = [scheduled(number + 2, AreaType.SLOW_ZONE, different(number)) for number in range(51)]
    with pytest.raises(GeofenceTooLarge, match="51 different schedules"):
        put(zone(1), *zones)
    put(zone(1), *zones[:50], *(each.model_copy(update={"id": each.id + 100}) for each in zones[:50]))
    assert len(service.edition(NETWORK).in_force) == 50


def test_a_geofence_of_an_earlier_version_is_read(it_is: Any) -> None:
    put(zone(1))
    key = GeofenceItem.key(NETWORK)
    client: Any = items.connection().client
    client.update_item(
        TableName=key.table,
        Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}},
        UpdateExpression="REMOVE #timezone, schedules, bounds",
        ExpressionAttributeNames={"#timezone": "timezone"},
    )
    store.begin()
    header = service.geofence(NETWORK)
    assert header is not None
    assert (header.timezone, header.schedules, header.bounds) == ("UTC", (), None)
    assert service.edition(NETWORK).until is None
    assert service.operating_at([NETWORK], OSLO) == [NETWORK]


# ── Where a network operates ─────────────────────────────────────────────────────────────────────────────────────────


def test_networks_are_found_by_their_operations_areas(it_is: Any) -> None:
    holed = zone(1, holes=[square(200, at(3000, 0))])
    put(holed, scheduled(2, AreaType.NO_GO_ZONE))
    put(zone(9, ring=square(1000), network_id=2), network_id=2)
    put(zone(8, ring=square(1000, at(50_000, 0)), network_id=3), network_id=3)
    networks = [NETWORK, 2, 3, 4]
    assert service.operating_at(networks, OSLO) == [NETWORK, 2]
    assert service.operating_at(networks, at(2000, 0)) == [NETWORK]
    assert service.operating_at(networks, at(3000, 0)) == []
    assert service.operating_at(networks, at(50_000, 0)) == [3]
    assert service.operating_at(networks, at(25_000, 0)) == []


def test_only_zones_of_cities_near_by_are_read(it_is: Any) -> None:
    put(zone(1))
    put(zone(8, ring=square(1000, at(50_000, 0)), network_id=3), network_id=3)
    service._zones.clear()
    service._judges.clear()
    with measured() as usage:
        assert service.operating_at([NETWORK, 3], at(25_000, 0)) == []
    assert usage.calls == ["BatchGetItem"]


# ── How partners see it ──────────────────────────────────────────────────────────────────────────────────────────────


def ask(api: Client, **headers: str) -> Reply:
    return api.call("get_zone_areas", path={"zoneId": str(NETWORK)}, headers=headers)


def kinds(reply: Reply) -> list[str]:
    return [each["area_type"] for each in reply.json["data"]["attributes"]["areas"]]


def test_the_areas_of_a_zone_are_those_in_force(it_is: Any) -> None:
    api = voi(City().token)
    put(zone(1), scheduled(2, AreaType.NO_PARKING))
    at_night = ask(api)
    assert kinds(at_night) == ["operations"]
    assert at_night.headers["cache-control"] == "private, max-age=10800"  # until eight

    it_is(MORNING)
    answer = ask(api, **{"if-none-match": at_night.headers["etag"]})
    assert (answer.status, kinds(answer)) == (200, ["operations", "no-parking"])
    assert answer.headers["cache-control"] == "private, max-age=21600"
    assert ask(api, **{"if-none-match": answer.headers["etag"]}).status == 304

    it_is(NIGHT + timedelta(days=1))
    assert ask(api).headers["etag"] == at_night.headers["etag"]
    assert kinds(ask(api)) == ["operations"]
