"""Areas as clients of the MaaS surface see them."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from kickstand.geo import service as geo
from kickstand.geo.model import WEEK, AreaType, Parking, Window, Zone, ZoneRule
from kickstand.kernel import clock, store
from maas import areas as operations
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.zones import NETWORK, OSLO, at, square, zone

NIGHT, MORNING = datetime(2026, 6, 1, 3, tzinfo=UTC), datetime(2026, 6, 1, 7, 30, tzinfo=UTC)  # 05:00 and 09:30 in Oslo
SCHOOL = (Window(days=WEEK[:5], start=time(8), end=time(16)),)


@pytest.fixture
def it_is(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    def it_is(now: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: now)

    it_is(NIGHT)
    return it_is


@pytest.fixture
def city(aws: object, it_is: object) -> City:
    operations._bodies.clear()
    return City()


@pytest.fixture
def api(city: City) -> Client:
    return maas(access_token(city.client.id))


def publish(*zones: Zone, network_id: int = NETWORK, parking: Parking = Parking.FREE_FLOATING) -> None:
    store.begin()
    geo.put_zones(network_id, parking, zones, timezone="Europe/Oslo")


def ask(api: Client, *types: str, **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.call("get_areas", query={"types[]": list(types)} if types else None, headers=names)


def shown(reply: Reply) -> list[int]:
    return [each["id"] for each in reply.json["data"]]


SLOW = zone(2, AreaType.SLOW_ZONE, ring=square(500), speed=6)
CLOSED = zone(3, AreaType.NO_PARKING, ring=square(400))
FORBIDDEN = zone(4, AreaType.NO_GO_ZONE, ring=square(300))


def test_areas_are_where_rules_differ(api: Client) -> None:
    publish(zone(1), SLOW, CLOSED, FORBIDDEN)
    areas = {each["id"]: each for each in ask(api).json["data"]}
    assert {number: each["configurations"] for number, each in areas.items()} == {
        2: [{"type": "speed_limit", "maxSpeedKmh": 6}],
        3: [{"type": "illegal_docking"}],
        4: [{"type": "no_entry"}],
    }
    slow = areas[2]
    assert slow["name"] == SLOW.name
    assert slow["systemId"] == NETWORK
    assert slow["active"] is True
    assert slow["schedules"] == []
    assert slow["geometry"]["type"] == "MultiPolygon"
    assert slow["geometry"]["coordinates"][0][0][0] == pytest.approx(SLOW.geometry.coordinates[0][0][0], abs=1e-7)
    assert slow["centroid"]["type"] == "Point"
    assert slow["centroid"]["coordinates"] == pytest.approx([OSLO.longitude, OSLO.latitude], abs=1e-6)


def test_parking_spots_are_no_areas(api: Client) -> None:
    publish(zone(1), SLOW, zone(5, AreaType.PARKING_SPOT, ring=square(20)), parking=Parking.MANDATORY)
    assert shown(ask(api)) == [2]


def test_an_area_may_make_two_things_different(api: Client) -> None:
    both = CLOSED.model_copy(update={"rule": ZoneRule.of(AreaType.NO_PARKING, 10)})
    publish(zone(1), both)
    (area,) = ask(api).json["data"]
    assert area["configurations"] == [{"type": "illegal_docking"}, {"type": "speed_limit", "maxSpeedKmh": 10}]
    assert [shown(ask(api, each)) for each in ("illegal_docking", "speed_limit", "no_entry")] == [[3], [3], []]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["illegal_docking"], [3]),
        (["speed_limit"], [2]),
        (["no_entry"], [4]),
        (["illegal_docking", "speed_limit"], [2, 3]),
        (["speed_limit", "illegal_docking", "no_entry"], [2, 3, 4]),
        (["no_entry", "no_entry"], [4]),
    ],
)
def test_areas_are_chosen_by_what_is_different(api: Client, types: list[str], expected: list[int]) -> None:
    publish(zone(1), SLOW, CLOSED, FORBIDDEN)
    assert shown(ask(api, *types)) == expected


def test_what_is_no_type_is_refused(api: Client) -> None:
    for types in (["parking"], ["no_entry", "parking"], [""]):
        answer = ask(api, *types)
        assert (answer.status, answer.json["code"]) == (400, "invalid_request")


def test_areas_of_all_systems_of_the_client_and_of_no_other(city: City) -> None:
    publish(zone(1), SLOW)
    publish(zone(1, network_id=2), zone(7, AreaType.NO_PARKING, ring=square(50), network_id=2), network_id=2)
    publish(zone(1, network_id=3), zone(8, AreaType.NO_PARKING, ring=square(50), network_id=3), network_id=3)
    partners = {networks: city.partner(f"Partner {networks}", networks)[0] for networks in ((1, 2), (2,), (4,))}
    seen = {networks: shown(ask(maas(access_token(partner.id)))) for networks, partner in partners.items()}
    assert seen == {(1, 2): [2, 7], (2,): [7], (4,): []}


# ── Hours ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_area_says_when_it_is_in_force_and_whether_it_is(city: City, it_is: Callable[[datetime], None]) -> None:
    def ask_now(**headers: str) -> Reply:
        return ask(maas(access_token(city.client.id)), **headers)  # yesterday's token has expired

    publish(zone(1), SLOW, CLOSED.model_copy(update={"schedule": SCHOOL}))
    at_night = ask_now()
    states = {each["id"]: each["active"] for each in at_night.json["data"]}
    assert states == {2: True, 3: False}
    assert at_night.json["data"][1]["schedules"] == [
        {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "16:00", "timezone": "Europe/Oslo"}
    ]
    assert at_night.headers["cache-control"] == "private, max-age=60"

    it_is(MORNING)
    by_day = ask_now(if_none_match=at_night.headers["etag"])
    assert by_day.status == 200
    assert {each["id"]: each["active"] for each in by_day.json["data"]} == {2: True, 3: True}
    assert by_day.headers["cache-control"] == "private, max-age=60"

    it_is(NIGHT + timedelta(days=1))
    assert ask_now(if_none_match=at_night.headers["etag"]).status == 304


def test_the_shortest_of_all_systems_counts(city: City, it_is: Callable[[datetime], None]) -> None:
    publish(zone(1), SLOW)
    soon = (Window(days=WEEK, start=time(5, 10), end=time(6)),)
    later = zone(7, AreaType.NO_PARKING, ring=square(50), network_id=2).model_copy(update={"schedule": soon})
    publish(zone(1, network_id=2), later, network_id=2)
    partner, _ = city.partner("Both", (1, 2))
    it_is(NIGHT + timedelta(minutes=9, seconds=18))
    assert ask(maas(access_token(partner.id))).headers["cache-control"] == "private, max-age=42"


# ── What it costs ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_has_not_changed_is_not_sent_again(api: Client) -> None:
    publish(zone(1), SLOW, CLOSED)
    answer = ask(api)
    assert ask(api, if_none_match=answer.headers["etag"]).status == 304
    assert ask(api, "speed_limit", if_none_match=answer.headers["etag"]).status == 200
    assert answer.headers["vary"] == "accept-encoding, authorization"
    publish(zone(1), SLOW)
    assert shown(ask(api, if_none_match=answer.headers["etag"])) == [2]


def test_packed_it_is_the_same(api: Client) -> None:
    publish(zone(1), *(zone(number, AreaType.SLOW_ZONE, ring=square(50, at(number, 0))) for number in range(2, 40)))
    plain, packed = ask(api), ask(api, accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.body == plain.body


def test_a_request_reads_headers_and_nothing_else(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(zone(1), SLOW)
    publish(zone(1, network_id=2), network_id=2)
    api = maas(access_token(city.partner("Both", (1, 2))[0].id))
    ask(api)
    monkeypatch.setattr(operations, "_body", _never)
    with measured() as usage:
        assert ask(api).status == 200
    assert usage.calls == ["BatchGetItem", "BatchGetItem"]  # the client, then the headers of its systems
    assert usage.read_units <= 3


def _never(*_: Any) -> bytes:
    raise AssertionError("rendered again")
