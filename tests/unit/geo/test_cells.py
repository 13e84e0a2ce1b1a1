from math import cos, radians

from hypothesis import given
from hypothesis import strategies as st

from kickstand.geo.cells import cell_of, cells_around
from kickstand.kernel.place import Position

OSLO = Position(longitude=10.7522, latitude=59.9139)

cities = st.builds(Position, longitude=st.floats(-180, 180), latitude=st.floats(-70, 70))


def test_a_cell_is_written_as_h3_writes_it() -> None:
    assert cell_of(OSLO) == "8809993867fffff"


@given(cities, st.floats(0, 3000), st.floats(0, 1), st.floats(0, 1))
def test_every_position_within_the_radius_lies_in_one_of_the_cells(
    centre: Position, radius: float, east: float, north: float
) -> None:
    latitude = centre.latitude + (2 * north - 1) * radius / 111_195
    longitude = centre.longitude + (2 * east - 1) * radius / 111_195 / cos(radians(centre.latitude))
    position = Position(longitude=(longitude + 180) % 360 - 180, latitude=latitude)
    if centre.distance_m(position) <= radius:
        assert cell_of(position) in cells_around(centre, radius)


def test_the_nearest_cell_comes_first_and_far_ones_stay_away() -> None:
    cells = cells_around(OSLO, 500)
    assert cells[0] == cell_of(OSLO)
    assert 3 <= len(cells) <= 12
    assert len(set(cells)) == len(cells)
