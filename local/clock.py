"""Virtual time: timers on the kernel's clock, which can be moved forward."""

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from kickstand.kernel import clock
from local.state import State

_log = logging.getLogger(__name__)


class Timer:
    """An action that is due at a time, until it is cancelled."""

    def __init__(self, deadline: datetime, action: Callable[[], None]) -> None:
        self.deadline = deadline
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Forget the action."""
        self.action = None


class Clock:
    """The kernel's clock, with timers; the distance to real time survives a restart."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._changed = threading.Condition()
        self._heap: list[tuple[datetime, int, Timer]] = []
        self._order = itertools.count()
        self._running = True
        self._acting = False
        remembered = float(state.setting("clock_offset_seconds") or 0)
        ahead = clock.offset().total_seconds()
        if remembered > ahead:
            clock.advance(remembered - ahead)
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()

    @staticmethod
    def now() -> datetime:
        """The platform's time, in UTC."""
        return clock.now()

    def advance(self, seconds: float) -> datetime:
        """Move time forward and run what has become due.

        Raises:
            ValueError: for a negative number.
        """
        with self._changed:
            now = clock.advance(seconds)
            self._state.remember("clock_offset_seconds", str(clock.offset().total_seconds()))
            self._changed.notify_all()
        return now

    def at(self, deadline: datetime, action: Callable[[], None]) -> Timer:
        """Run ``action`` on the clock's thread when ``deadline`` comes; it must be quick."""
        timer = Timer(deadline, action)
        with self._changed:
            heapq.heappush(self._heap, (deadline, next(self._order), timer))
            if self._heap[0][2] is timer:
                self._changed.notify_all()
        return timer

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Run ``action`` when ``seconds`` have passed; see :meth:`at`."""
        return self.at(self.now() + timedelta(seconds=seconds), action)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until ``event`` is set, at most ``seconds`` of virtual time; answers whether it was set before."""
        late = threading.Event()

        def expire() -> None:
            late.set()
            event.set()

        timer = self.after(seconds, expire)
        event.wait()
        timer.cancel()
        return not late.is_set()

    def idle(self) -> bool:
        """Whether nothing is overdue or being done."""
        with self._changed:
            return not self._acting and (not self._heap or self._heap[0][0] > self.now())

    def stop(self) -> None:
        """End the clock's thread; timers that are left never run."""
        with self._changed:
            self._running = False
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._running:
                    return
                if not self._heap:
                    self._changed.wait()
                    continue
                deadline, _, timer = self._heap[0]
                remaining = (deadline - self.now()).total_seconds()
                if remaining > 0 and timer.action is not None:
                    self._changed.wait(min(remaining, threading.TIMEOUT_MAX))
                    continue
                heapq.heappop(self._heap)
                action = timer.action
                self._acting = action is not None
            if action is not None:
                try:
                    action()
                except Exception:  # noqa: BLE001 - logged; the next timers still run
                    _log.exception("a timer failed")
                finally:
                    self._acting = False
