import json
from typing import Any

import pytest

from kickstand.geo.geometry import checked
from kickstand.geo.model import AreaType, MultiPolygon, Zone, ZoneRule
from tools import demo_data

EVERYTHING = {"ride_start_allowed": True, "ride_end_allowed": True, "ride_through_allowed": True}
NOTHING = {"ride_start_allowed": False, "ride_end_allowed": False, "ride_through_allowed": False}


def square(west: float, south: float, size: float) -> list[list[float]]:
    east, north = west + size, south + size
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def feed(*zones: tuple[str, dict[str, Any], list[list[float]]]) -> dict[str, Any]:
    features = [
        {
            "properties": {"name": [{"text": name, "language": "en"}], "rules": [{"vehicle_type_id": ["any"], **rule}]},
            "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]},
        }
        for name, rule, ring in zones
    ]
    return {"data": {"geofencing_zones": {"type": "FeatureCollection", "features": features}}}


def test_zones_that_allow_riding_make_the_operations_area_and_slow_ones_stay() -> None:
    zones, repairs = demo_data.paris_zones(
        feed(
            ("Centre", EVERYTHING, square(2.3, 48.8, 0.1)),
            ("Slow", EVERYTHING | {"maximum_speed_kph": 10}, square(2.4, 48.8, 0.1)),
            ("Crawl", EVERYTHING | {"maximum_speed_kph": 2}, square(2.5, 48.8, 0.1)),
            ("Park", NOTHING, square(2.31, 48.81, 0.01)),
        )
    )
    assert repairs == []
    assert [(each["name"], each["area_type"]) for each in zones] == [
        ("Paris", AreaType.OPERATIONS),
        ("Slow #1", AreaType.SLOW_ZONE),
        ("Crawl #2", AreaType.SLOW_ZONE),
        ("Park #3", AreaType.NO_GO_ZONE),
    ]
    longitudes = [point[0] for point in zones[0]["geometry"]["coordinates"][0][0]]
    assert (min(longitudes), max(longitudes)) == (2.3, 2.5)


def test_a_repair_is_never_silent() -> None:
    bow_tie = [[2.3, 48.8], [2.4, 48.9], [2.4, 48.8], [2.3, 48.9], [2.3, 48.8]]
    centre = ("Centre", EVERYTHING, square(2.3, 48.8, 0.1))
    zones, repairs = demo_data.paris_zones(feed(centre, ("Knot", NOTHING, bow_tie)))
    (repair,) = repairs
    assert repair.startswith("Knot #1: Self-intersection[2.35 48.85")
    assert len(zones[1]["geometry"]["coordinates"]) == 2


@pytest.mark.parametrize("name", ["oslo_zones.json", "paris_zones.json"])
def test_the_files_pass_the_checks_that_any_geofence_has_to_pass(name: str) -> None:
    data = json.loads((demo_data.DATA / name).read_text())
    zones = [
        Zone(
            id=number,
            network_id=1,
            name=each["name"],
            area_type=each["area_type"],
            rule=ZoneRule.model_validate(each["rule"]),
            geometry=MultiPolygon.model_validate(each["geometry"]),
            schedule=each.get("schedule", ()),
        )
        for number, each in enumerate(data["zones"])
    ]
    assert [zone.model_copy(update={"centroid": None}) for zone in checked(zones)] == zones
    assert all(zone.rule.area_type is zone.area_type for zone in zones)


def test_every_station_is_in_oslo() -> None:
    stations = json.loads((demo_data.DATA / "oslo_stations.json").read_text())["stations"]
    assert len(stations) == 260
    assert all(10.6 < each["longitude"] < 10.9 and 59.8 < each["latitude"] < 60 for each in stations)
    assert sum("bikes" in each for each in stations) == 241
