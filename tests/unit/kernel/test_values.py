"""Money, positions, the clock and events."""

from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kickstand.kernel import clock
from kickstand.kernel.events import Event
from kickstand.kernel.money import round_half_up, vat_on
from kickstand.kernel.place import Position

AMOUNTS = st.integers(-(10**9), 10**9)


@pytest.mark.parametrize(("net", "percent", "vat"), [(280, 19, 53), (10, 25, 3), (-10, 25, -3), (1, 49, 0), (1, 50, 1)])
def test_vat_is_rounded_half_away_from_zero(net: int, percent: int, vat: int) -> None:
    assert vat_on(net, percent) == vat


@given(AMOUNTS, st.integers(1, 1000))
def test_rounding_is_never_off_by_more_than_half(numerator: int, denominator: int) -> None:
    assert abs(round_half_up(numerator, denominator) * denominator - numerator) * 2 <= denominator
    assert round_half_up(-numerator, denominator) == -round_half_up(numerator, denominator)


@pytest.mark.parametrize(("longitude", "latitude"), [(181, 0), (0, 91), (float("nan"), 0), (0, float("inf"))])
def test_positions_are_on_earth(longitude: float, latitude: float) -> None:
    with pytest.raises(ValidationError):
        Position(longitude=longitude, latitude=latitude)


def test_distances() -> None:
    oslo, paris = Position(longitude=10.7522, latitude=59.9139), Position(longitude=2.3522, latitude=48.8566)
    assert oslo.distance_m(paris) == pytest.approx(1_343_000, rel=0.005)
    assert oslo.distance_m(oslo) == 0
    assert Position(longitude=-180, latitude=0).distance_m(Position(longitude=180, latitude=0)) < 1


def test_the_clock_only_moves_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_offset", timedelta())
    before = clock.now()
    assert before.tzinfo is UTC
    assert clock.advance(3600) - before >= timedelta(hours=1)
    assert clock.offset() == timedelta(hours=1)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


def test_events_carry_what_happened() -> None:
    event = Event.new("RentalPaused", automatic=True)
    assert (event.name, event.data) == ("RentalPaused", {"automatic": True})
    assert event.id != Event.new("RentalPaused").id
