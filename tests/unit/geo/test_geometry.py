from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kickstand.geo.errors import InvalidZone, ZoneFlaw
from kickstand.geo.geometry import Judge, checked
from kickstand.geo.model import AreaType, Coordinates, EndRefusal, MultiPolygon, Parking, Zone
from kickstand.kernel.place import Position
from tests.support.zones import OSLO, at, square, zone

CITY = zone(1)


def exchanged(ring: Sequence[Coordinates]) -> tuple[Coordinates, ...]:
    return tuple((latitude, longitude) for longitude, latitude in ring)


# ── Checking ─────────────────────────────────────────────────────────────────────────────────────────────────────────

WRONG: list[tuple[str, Sequence[Coordinates], ZoneFlaw, str]] = [
    ("not a number", [(10.7, 59.9), (nan, 59.9), (10.8, 60), (10.7, 59.9)], ZoneFlaw.NOT_A_NUMBER, "border, point 2"),
    ("infinite", [(10.7, 59.9), (10.8, inf), (10.8, 60), (10.7, 59.9)], ZoneFlaw.NOT_A_NUMBER, "border, point 2"),
    (
        "no Earth",
        [(10.7, 59.9), (10.8, 59.9), (190, 60), (10.7, 59.9)],
        ZoneFlaw.OUT_OF_BOUNDS,
        "point 3 (190.0, 60.0)",
    ),
    ("pole", [(10.7, 59.9), (10.8, 181), (10.8, 60), (10.7, 59.9)], ZoneFlaw.OUT_OF_BOUNDS, "point 2 (10.8, 181.0)"),
    (
        "exchanged",
        [(37.6, 100.1), (37.7, 100.1), (37.7, 101), (37.6, 100.1)],
        ZoneFlaw.SWAPPED,
        "point 1 (37.6, 100.1)",
    ),
    ("line", [(10.7, 59.9), (10.8, 59.9), (10.7, 59.9)], ZoneFlaw.TOO_FEW_POINTS, "has 3 points"),
    ("nothing", [], ZoneFlaw.TOO_FEW_POINTS, "has 0 points"),
    ("open", [(10.7, 59.9), (10.8, 59.9), (10.8, 60), (10.7, 60)], ZoneFlaw.NOT_CLOSED, "ends at (10.7, 60.0)"),
    (
        "bow tie",
        [(10.7, 59.9), (10.8, 60), (10.8, 59.9), (10.7, 60), (10.7, 59.9)],
        ZoneFlaw.NOT_SIMPLE,
        "10.75, 59.95",
    ),
    ("flat", [(10.7, 59.9), (10.8, 59.9), (10.9, 59.9), (10.7, 59.9)], ZoneFlaw.NOT_SIMPLE, "border"),
    ("a country", [(5, 58), (12, 58), (12, 63), (5, 58)], ZoneFlaw.TOO_WIDE, "km tall"),
    ("around the world", [(179, 1), (-179, 1), (-179, 2), (179, 1)], ZoneFlaw.TOO_WIDE, "km wide"),
    ("elsewhere", square(500, Position(longitude=2.35, latitude=48.86)), ZoneFlaw.TOO_FAR, "1337 km away"),
    ("exchanged, on Earth", exchanged(square(500)), ZoneFlaw.SWAPPED, "latitude before longitude"),
]


@pytest.mark.parametrize(("ring", "flaw", "words"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_a_wrong_polygon_is_refused_with_its_place(ring: Sequence[Coordinates], flaw: ZoneFlaw, words: str) -> None:
    with pytest.raises(InvalidZone) as refusal:
        checked([CITY, zone(2, AreaType.SLOW_ZONE, ring=ring, name="Slottsparken")])
    assert refusal.value.flaw is flaw
    assert 'Zone "Slottsparken"' in str(refusal.value)
    assert words in str(refusal.value) or flaw is ZoneFlaw.NOT_SIMPLE


def test_a_self_intersection_is_named_by_its_coordinates() -> None:
    bow_tie = [(10.7, 59.9), (10.8, 60.0), (10.8, 59.9), (10.7, 60.0), (10.7, 59.9)]
    with pytest.raises(InvalidZone, match=r"self-intersection at 10\.75, 59\.95"):
        checked([zone(1, ring=bow_tie)])


def test_a_hole_is_checked_like_a_border() -> None:
    with pytest.raises(InvalidZone, match="polygon 1, hole 1 begins at"):
        checked([zone(1, holes=[square(100)[:-1]])])
    with pytest.raises(InvalidZone, match="hole lies outside shell"):
        checked([zone(1, holes=[square(100, at(7000, 0))])])


@pytest.mark.parametrize("coordinates", [(), ((),)])
def test_a_zone_without_polygon_or_ring_is_refused(coordinates: tuple[()]) -> None:
    with pytest.raises(InvalidZone) as refusal:
        checked([CITY.model_copy(update={"geometry": MultiPolygon(coordinates=coordinates)})])
    assert refusal.value.flaw is ZoneFlaw.EMPTY


def test_a_city_in_which_everything_is_exchanged_is_found_out_by_a_place_in_it() -> None:
    zones = [zone(1, ring=exchanged(square(5000))), zone(2, AreaType.SLOW_ZONE, ring=exchanged(square(500)))]
    checked(zones)
    with pytest.raises(InvalidZone) as refusal:
        checked(zones, near=OSLO)
    assert refusal.value.flaw is ZoneFlaw.SWAPPED


def test_where_both_orders_are_in_the_city_nothing_is_suspected() -> None:
    gabon = Position(longitude=10.2, latitude=10.1)
    assert checked([zone(1, ring=exchanged(square(5000, gabon)))], near=gabon)


def test_the_normal_form_has_seven_decimals_and_the_borders_of_rfc_7946() -> None:
    clockwise = tuple(reversed(square(5000)))
    (normal,) = checked([zone(1, ring=clockwise, holes=[square(100)])])
    border, hole = normal.geometry.coordinates[0]
    assert signed_area(border) > 0 > signed_area(hole)
    assert all(value == round(value, 7) for point in border for value in point)


def test_the_normal_form_is_its_own_normal_form() -> None:
    once = checked([zone(1, holes=[square(100)]), zone(2, AreaType.NO_GO_ZONE, ring=square(50))])
    assert checked(once) == once


def signed_area(ring: Sequence[Coordinates]) -> float:
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring)) / 2


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=6), st.booleans())
def test_whatever_ring_comes_it_is_taken_or_refused(points: list[Coordinates], close: bool) -> None:
    ring = [*points, points[0]] if points and close else points
    with suppress(InvalidZone):
        checked([zone(1, ring=ring)])


# ── Judging ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def judge(*zones: Zone, parking: Parking = Parking.FREE_FLOATING) -> Judge:
    return Judge(7, parking, checked([CITY, *zones]))


def test_inside_the_operations_area_everything_is_allowed() -> None:
    verdict = judge().verdict(OSLO)
    assert verdict.geofence_version == 7
    assert verdict.ride_start_allowed
    assert verdict.end_refusal is None
    assert verdict.max_speed_kmh is None


def test_outside_nothing_starts_or_ends() -> None:
    verdict = judge().verdict(at(5100, 0))
    assert not verdict.ride_start_allowed
    assert verdict.end_refusal is EndRefusal.OUTSIDE_OPERATIONS


def test_a_hole_is_outside() -> None:
    holed = Judge(1, Parking.FREE_FLOATING, checked([zone(1, holes=[square(100)])]))
    assert holed.verdict(OSLO).end_refusal is EndRefusal.OUTSIDE_OPERATIONS


def test_a_border_belongs_to_its_zone() -> None:
    corner = CITY.geometry.coordinates[0][0][0]
    assert (
        Judge(1, Parking.FREE_FLOATING, [CITY])
        .verdict(Position(longitude=corner[0], latitude=corner[1]))
        .ride_end_allowed
    )


@pytest.mark.parametrize(
    ("area_type", "start", "refusal", "speed"),
    [
        (AreaType.NO_PARKING, True, EndRefusal.NO_PARKING, None),
        (AreaType.SLOW_ZONE, True, None, 10),
        (AreaType.NO_GO_ZONE, False, EndRefusal.NO_GO, None),
    ],
)
def test_each_area_type_means_what_it_says(
    area_type: AreaType, start: bool, refusal: EndRefusal | None, speed: int | None
) -> None:
    verdict = judge(zone(2, area_type, ring=square(500))).verdict(OSLO)
    assert (verdict.ride_start_allowed, verdict.end_refusal, verdict.max_speed_kmh) == (start, refusal, speed)


def test_of_overlapping_zones_the_strictest_counts() -> None:
    slow, slower = zone(2, AreaType.SLOW_ZONE, ring=square(900)), zone(3, AreaType.SLOW_ZONE, ring=square(800), speed=6)
    no_parking, no_go = zone(4, AreaType.NO_PARKING, ring=square(700)), zone(5, AreaType.NO_GO_ZONE, ring=square(100))
    both = judge(slow, slower, no_parking, no_go)
    assert both.verdict(at(850, 0)).max_speed_kmh == 10
    assert both.verdict(at(750, 0)).max_speed_kmh == 6
    assert both.verdict(at(650, 0)).end_refusal is EndRefusal.NO_PARKING
    assert both.verdict(OSLO).end_refusal is EndRefusal.NO_GO
    assert both.verdict(OSLO).max_speed_kmh == 6


def test_no_go_is_named_even_outside() -> None:
    far = at(6000, 0)
    assert judge(zone(2, AreaType.NO_GO_ZONE, ring=square(50, far))).verdict(far).end_refusal is EndRefusal.NO_GO


def test_mandatory_parking_ends_in_parking_spots_only() -> None:
    by = judge(zone(2, AreaType.PARKING_SPOT, ring=square(20)), parking=Parking.MANDATORY)
    assert by.verdict(OSLO).ride_end_allowed
    elsewhere = by.verdict(at(30, 0))
    assert elsewhere.end_refusal is EndRefusal.NOT_IN_PARKING_SPOT
    assert elsewhere.ride_start_allowed


def test_a_zone_may_forbid_the_start_alone() -> None:
    fenced = zone(2, AreaType.SLOW_ZONE, ring=square(500))
    rule = fenced.rule.model_copy(update={"ride_start_allowed": False})
    verdict = judge(fenced.model_copy(update={"rule": rule})).verdict(OSLO)
    assert not verdict.ride_start_allowed
    assert verdict.ride_end_allowed


@given(st.permutations(range(5)), st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_the_order_of_zones_does_not_matter(order: list[int], east: float, north: float) -> None:
    types = [AreaType.SLOW_ZONE, AreaType.NO_PARKING, AreaType.NO_GO_ZONE, AreaType.SLOW_ZONE, AreaType.NO_PARKING]
    zones = [zone(number + 2, each, ring=square(200 * (number + 1))) for number, each in enumerate(types)]
    position = at(east, north)
    shuffled = Judge(7, Parking.FREE_FLOATING, [*(zones[index] for index in order), CITY])
    assert shuffled.verdict(position) == Judge(7, Parking.FREE_FLOATING, [CITY, *zones]).verdict(position)
