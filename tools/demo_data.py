"""Makes the demo's data files from the feeds they come from: ``python -m tools.demo_data <folder>``.

The folder holds ``oslo/station_information.csv``, ``oslo/station_status.json`` and ``paris/geofencing_zones.json`` as
published. What is taken, mapped and repaired is described in ``local/data/README.md``; every repair is printed and
written into the file it concerns.
"""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import time
from math import cos, radians
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import shapely
from shapely.geometry import MultiPoint, MultiPolygon, mapping, shape
from shapely.geometry.base import BaseGeometry

from kickstand.geo.model import AreaType, Weekday, Window, ZoneRule

DATA: Final = Path(__file__).parents[1] / "local" / "data"

_DECIMALS: Final = 7
_METRES_PER_DEGREE: Final = 111_195.0
_WALKING_KPH: Final = 6
"""A zone in which vehicles are slower than people is no place to operate in, whatever else it allows."""

_OSLO_BUFFER_M: Final = 600
_OSLO_SIMPLIFIED_M: Final = 15


class _Area(NamedTuple):
    """A zone to be drawn around stations.

    Attributes:
        speed: in km/h.
        stations: whose hull it is.
        growth: how many metres the hull grows by.
        schedule: when it is in force; always without one.
    """

    name: str
    area_type: AreaType
    speed: int | None
    stations: Sequence[str]
    growth: int
    schedule: tuple[Window, ...] = ()


_WEEKEND_NIGHTS: Final = (Window(days=(Weekday.FRI, Weekday.SAT), start=time(22), end=time(4)),)
_OSLO_ZONES: Final = (
    _Area("Slottsparken", AreaType.NO_PARKING, None, ["Sørvest for Slottsparken", "Slottsparken Øst"], 100),
    _Area("Jernbanetorget", AreaType.NO_PARKING, None, ["Jernbanetorget"], 80),
    _Area(
        "St. Hanshaugen",
        AreaType.NO_PARKING,
        None,
        ["St. Hanshaugen park nord", "St. Hanshaugen park sør", "St. Hanshaugen park vest"],
        -10,
    ),
    _Area("Frognerparken", AreaType.SLOW_ZONE, 10, ["Frogner plass", "Frognerbadet", "Frogner Stadion"], 50),
    _Area(
        "Sofienbergparken",
        AreaType.SLOW_ZONE,
        15,
        ["Sofienbergparken nordvest", "Sofienbergparken nord", "Sofienbergparken sør"],
        20,
    ),
    _Area("Aker Brygge", AreaType.SLOW_ZONE, 6, ["Aker Brygge"], 200),
    _Area(
        "Botanisk hage",
        AreaType.NO_GO_ZONE,
        None,
        ["Botanisk hage sør-vest", "Botanisk Hage vest", "Botanisk Hage sør"],
        -25,
    ),
    _Area("Youngstorget", AreaType.SLOW_ZONE, 10, ["Torggata"], 120, _WEEKEND_NIGHTS),
)


def main(folder: Path) -> None:
    """Write all data files."""
    stations = oslo_stations(folder / "oslo")
    _write(DATA / "oslo_stations.json", {"stations": stations})
    _write(DATA / "oslo_zones.json", {"zones": oslo_zones(stations)})
    zones, repairs = paris_zones(json.loads((folder / "paris" / "geofencing_zones.json").read_text()))
    _write(DATA / "paris_zones.json", {"repairs": repairs, "zones": zones})
    print(f"{len(stations)} stations, {len(zones)} zones of Paris, {len(repairs)} repairs", *repairs, sep="\n  ")


# ── Oslo ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def oslo_stations(folder: Path) -> list[dict[str, Any]]:
    """Every station with its place, its size and, where the status feed knows it, what it held at that moment."""
    feed = json.loads((folder / "station_status.json").read_text())["data"]["stations"]
    statuses = {each["station_id"]: each for each in feed}
    with (folder / "station_information.csv").open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["station_id"]))
    return [_station(row, statuses.get(row["station_id"])) for row in rows]


def _station(row: dict[str, str], status: dict[str, Any] | None) -> dict[str, Any]:
    station: dict[str, Any] = {
        "id": int(row["station_id"]),
        "name": row["name"].strip(),
        "address": row["address"].strip(),
        "longitude": round(float(row["lon"]), _DECIMALS),
        "latitude": round(float(row["lat"]), _DECIMALS),
        "capacity": int(row["capacity"]),
    }
    if status is not None:
        station |= {
            "installed": status["is_installed"],
            "bikes": status["num_bikes_available"],
            "docks": status["num_docks_available"],
        }
    return station


def oslo_zones(stations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Zones invented for the demo: an operations area around all stations, and a few others at real places."""
    places = {station["name"]: (station["longitude"], station["latitude"]) for station in stations}
    around = MultiPoint(_metres(places.values())).buffer(_OSLO_BUFFER_M * 2).buffer(-_OSLO_BUFFER_M)
    zones = [_oslo_zone("Oslo", AreaType.OPERATIONS, None, around.simplify(_OSLO_SIMPLIFIED_M))]
    for each in _OSLO_ZONES:
        hull = MultiPoint(_metres(places[name] for name in each.stations)).convex_hull.buffer(each.growth, quad_segs=4)
        schedule = {"schedule": [window.model_dump(mode="json") for window in each.schedule]} if each.schedule else {}
        zones.append(_oslo_zone(each.name, each.area_type, each.speed, hull) | schedule)
    return zones


def _oslo_zone(name: str, area_type: AreaType, speed: int | None, area: BaseGeometry) -> dict[str, Any]:
    degrees = shapely.transform(area, lambda points: np.array(_degrees(points)))
    return _zone(f"{name} (demo)", ZoneRule.of(area_type, speed), degrees)


_OSLO: Final = (10.75, 59.91)


def _metres(places: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    scale = _METRES_PER_DEGREE * cos(radians(_OSLO[1]))
    return [((x - _OSLO[0]) * scale, (y - _OSLO[1]) * _METRES_PER_DEGREE) for x, y in places]


def _degrees(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    scale = _METRES_PER_DEGREE * cos(radians(_OSLO[1]))
    return [(_OSLO[0] + x / scale, _OSLO[1] + y / _METRES_PER_DEGREE) for x, y in points]


# ── Paris ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def paris_zones(feed: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The zones of a GBFS 3 feed in our words, and what had to be repaired.

    Of several rules the first counts, for all kinds of vehicles. The zones that allow everything, slow ones among them,
    make one operations area together: outside of it the feed's global rule forbids everything.
    """
    repairs: list[str] = []
    zones: list[dict[str, Any]] = []
    rideable: list[BaseGeometry] = []
    for number, feature in enumerate(feed["data"]["geofencing_zones"]["features"]):
        properties = feature["properties"]
        name = f"{properties['name'][0]['text'].strip()} #{number}"
        area = _repaired(name, shape(feature["geometry"]), repairs)
        rule = _rule(properties["rules"][0])
        speed = rule.maximum_speed_kph
        if rule.area_type in {AreaType.OPERATIONS, AreaType.SLOW_ZONE} and (speed is None or speed >= _WALKING_KPH):
            rideable.append(area)
        if rule.area_type is not AreaType.OPERATIONS:
            zones.append(_zone(name, rule, area))
    operations = _repaired("Paris", shapely.union_all(rideable, grid_size=10**-_DECIMALS), repairs)
    return [_zone("Paris", ZoneRule.of(AreaType.OPERATIONS), operations), *zones], repairs


def _rule(rule: dict[str, Any]) -> ZoneRule:
    return ZoneRule(
        ride_start_allowed=rule["ride_start_allowed"],
        ride_end_allowed=rule["ride_end_allowed"],
        ride_through_allowed=rule["ride_through_allowed"],
        maximum_speed_kph=rule.get("maximum_speed_kph"),
        station_parking=rule.get("station_parking", False),
    )


def _repaired(name: str, area: BaseGeometry, repairs: list[str]) -> BaseGeometry:
    rounded = shapely.transform(area, lambda points: np.round(points, _DECIMALS))
    if rounded.is_valid:
        return rounded
    valid = shapely.make_valid(rounded, method="structure")
    repairs.append(f"{name}: {shapely.is_valid_reason(rounded)}; made {len(shapely.get_parts(valid))} part(s) of it")
    return valid


# ── Both ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _zone(name: str, rule: ZoneRule, area: BaseGeometry) -> dict[str, Any]:
    polygons = [each for each in shapely.get_parts(area) if each.geom_type == "Polygon"]
    normal = shapely.orient_polygons(MultiPolygon(polygons))
    geometry = mapping(shapely.transform(normal, lambda points: np.round(points, _DECIMALS)))
    return {
        "name": name,
        "area_type": rule.area_type,
        "rule": rule.model_dump(exclude_defaults=True),
        "geometry": geometry,
    }


def _write(path: Path, document: dict[str, list[Any]]) -> None:
    """Compact JSON with one member of each list per line, so that a change shows as such."""
    parts = []
    for name, members in document.items():
        lines = ",\n".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in members)
        parts.append(f'"{name}":[\n{lines}\n]' if members else f'"{name}":[]')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
