import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kickstand.kernel import clock as kernel
from local.clock import Clock
from local.state import State


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    state = State(tmp_path / "state.db")
    clock = Clock(state)
    yield clock
    clock.stop()
    state.close()


def test_timers_run_in_the_order_of_their_deadlines_when_time_moves(clock: Clock) -> None:
    ran: list[str] = []
    done = threading.Event()

    def second() -> None:
        ran.append("second")
        done.set()

    clock.after(200, second)
    clock.after(100, lambda: ran.append("first"))
    clock.after(150, lambda: ran.append("cancelled")).cancel()
    clock.after(1000, lambda: ran.append("later"))
    clock.advance(300)
    assert done.wait(1)
    assert ran == ["first", "second"]


def test_a_short_timer_runs_in_real_time(clock: Clock) -> None:
    done = threading.Event()
    started = time.perf_counter()
    clock.after(0.03, done.set)
    assert done.wait(1)
    assert 0.03 <= time.perf_counter() - started < 0.2


def test_a_wait_ends_with_its_event_or_its_time(clock: Clock) -> None:
    event = threading.Event()
    outcomes: list[bool] = []
    waiting = threading.Thread(target=lambda: outcomes.append(clock.wait(event, 3600)))
    waiting.start()
    time.sleep(0.02)
    clock.advance(3600)
    waiting.join(1)
    event.clear()
    threading.Timer(0.02, event.set).start()
    outcomes.append(clock.wait(event, 3600))
    assert outcomes == [False, True]


def test_a_timer_that_fails_does_not_stop_the_next(clock: Clock) -> None:
    done = threading.Event()

    def fail() -> None:
        raise RuntimeError

    clock.after(0, fail)
    clock.after(0.01, done.set)
    assert done.wait(1)


def test_the_distance_to_real_time_is_remembered(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")
    Clock(state).stop()
    first = Clock(state)
    first.advance(50)
    first.stop()
    ahead = kernel.offset()
    assert state.setting("clock_offset_seconds") == str(ahead.total_seconds())
    state.remember("clock_offset_seconds", str((ahead + timedelta(seconds=10)).total_seconds()))
    Clock(state).stop()
    assert kernel.offset() == ahead + timedelta(seconds=10)
    state.close()
