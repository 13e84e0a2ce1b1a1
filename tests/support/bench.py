"""Measures, and prints what it found as tables."""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any


def milliseconds(call: Callable[[], Any], times: int, *, before: Callable[[], Any] = lambda: None) -> float:
    """The median time of a call; what ``before`` does ahead of each is not counted."""
    taken = []
    for _ in range(times):
        before()
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return median(taken) * 1000


class Table:
    """Rows of figures under a title, printed when it is complete."""

    def __init__(self, title: str, *columns: str) -> None:
        self._title = title
        self._columns = columns
        self._rows: list[Sequence[str]] = []

    def row(self, *cells: float | str) -> None:
        """Add a row; numbers of a kind keep their precision."""
        self._rows.append([cell if isinstance(cell, str) else f"{cell:,.{_decimals(cell)}f}" for cell in cells])

    def show(self, *notes: str) -> None:
        """Print everything, with remarks below."""
        widths = [max(map(len, column)) for column in zip(self._columns, *self._rows, strict=True)]
        print(f"\n\n{self._title}\n")
        for cells in (self._columns, ["─" * width for width in widths], *self._rows):
            first, *others = (
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
            )
            print("  " + "   ".join((first, *others)).rstrip())
        for note in notes:
            print(f"  {note}")


def _decimals(number: float) -> int:
    if isinstance(number, int):
        return 0
    return next((places for limit, places in ((0.1, 3), (10, 2), (100, 1)) if abs(number) < limit), 0)
