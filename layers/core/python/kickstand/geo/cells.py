"""H3 cells: what positions are indexed by. The only module that knows h3."""

from math import ceil, sqrt
from typing import Final

import h3

from kickstand.kernel.place import Position

RESOLUTION: Final = 8
"""Hexagons of about 0.7 km²."""

# Hexagons are not all alike: these bound the edges of every cell at this resolution, worldwide.
_LONGEST_EDGE_M: Final = 690.0
_SHORTEST_EDGE_M: Final = 300.0


def cell_of(position: Position) -> str:
    """The cell that a position lies in, as H3 writes it: 15 hexadecimal digits."""
    return str(h3.latlng_to_cell(position.latitude, position.longitude, RESOLUTION))


def cells_around(centre: Position, radius_m: float) -> list[str]:
    """Every cell that may hold a position within ``radius_m`` metres of ``centre``, the nearest first."""
    rings = ceil((radius_m + _LONGEST_EDGE_M) / (_SHORTEST_EDGE_M * sqrt(3)))
    near: list[tuple[float, str]] = []
    for cell in h3.grid_disk(cell_of(centre), rings):
        latitude, longitude = h3.cell_to_latlng(cell)
        distance = centre.distance_m(Position(longitude=longitude, latitude=latitude))
        if distance <= radius_m + _LONGEST_EDGE_M:
            near.append((distance, str(cell)))
    return [cell for _, cell in sorted(near)]
