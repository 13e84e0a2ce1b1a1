from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from kickstand.kernel import clock


@given(st.integers(0, 2**42), st.integers(0, 999))
def test_milliseconds_are_exact_and_cut_off(number: int, more: int) -> None:
    at = clock.at_milliseconds(number)
    assert clock.milliseconds(at) == number
    assert clock.milliseconds(at + timedelta(microseconds=more)) == number


def test_milliseconds_count_from_1970_in_every_zone() -> None:
    at = datetime(1970, 1, 1, 1, 0, 1, tzinfo=timezone(timedelta(hours=1)))
    assert clock.milliseconds(at) == 1_000
    assert clock.at_milliseconds(1_000) == at
    assert clock.at_milliseconds(1_000).tzinfo is UTC
