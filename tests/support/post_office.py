"""Everything around the delivery of webhooks, driven step by step by a test: queue, workflows, time and a receiver.

Nothing happens behind the test's back, and time stands still until it is moved.
"""

import heapq
import itertools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from kickstand.kernel import clock, store
from kickstand.webhooks import gateway, service
from kickstand.webhooks.model import (
    EVERYTHING,
    Again,
    Endpoint,
    Failure,
    Lane,
    Outcome,
    Replay,
    SignatureScheme,
    Wake,
)
from kickstand.webhooks.store import LaneItem
from reactions.webhooks import deliver_webhooks
from tests.support.receivers import is_genuine
from tests.support.world import Crash
from workflows._tasks import TaskFailed
from workflows.webhook import retry_webhook

SCHEME: Final = SignatureScheme(signature_header="Signature", id_header="uowid")
CLIENT: Final = 4711
TAKEN: Final = Outcome(failure=None, status=200)
VISIBILITY: Final = timedelta(seconds=180)
_MOST_RECEIVES: Final = 10
_PATIENCE: Final = 2_000


@dataclass(frozen=True)
class Parcel:
    """A request that the receiver got, and what it made of it."""

    name: str
    url: str
    body: str
    at: datetime
    outcome: Outcome

    @property
    def event(self) -> str:
        """The event's id."""
        return self.name.rpartition(".")[2]


@dataclass
class Message:
    """A message in the queue; it is there until it has been handled."""

    body: str
    receives: int = 0


Conduct = Callable[[Parcel], Outcome]


@dataclass
class PostOffice:
    """The deliverer's surroundings.

    Attributes:
        conduct: what the receiver does with a request.
        shuffle: does what is due in any order and delivers each message twice, where given.
        parcels: what the receiver got.
        dead: messages that were given up.
        after_effect: is called after everything that happens outside the tables.
    """

    monkeypatch: pytest.MonkeyPatch
    conduct: Conduct = lambda _parcel: TAKEN
    shuffle: random.Random | None = None
    parcels: list[Parcel] = field(default_factory=list)
    executions: dict[str, str] = field(default_factory=dict)
    dead: list[Message] = field(default_factory=list)
    after_effect: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.now = clock.now()
        self._order = itertools.count()
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self.monkeypatch.setattr(clock, "now", lambda: self.now)
        self.monkeypatch.setattr(gateway, "ask", self._ask)
        self.monkeypatch.setattr(gateway, "start_workflow", self._start)
        self.monkeypatch.setattr(gateway, "post", self._post)
        self.monkeypatch.setattr(gateway, "check", lambda _target: None)
        self.monkeypatch.setattr(random, "random", lambda: 0.5)

    # ── What the engine meets ────────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, errands: Sequence[Wake | Again | Replay], *, delay_s: int = 0) -> None:
        for errand in errands:
            for _ in range(2 if self.shuffle else 1):
                self._queue(Message(errand.model_dump_json()), timedelta(seconds=delay_s))
        self.after_effect()

    def _start(self, lane: Lane) -> None:
        name = f"webhook-{lane.endpoint_id}-{lane.owner}"
        if name not in self.executions:
            self.executions[name] = "RUNNING"
            known = {
                "client_id": lane.client_id,
                "endpoint_id": lane.endpoint_id,
                "subject": lane.subject,
                "owner": lane.owner,
            }
            self._at(self.now, lambda: self._task(name, known))
        self.after_effect()

    def _post(self, url: str, body: str, stamp: Callable[[], Mapping[str, str]], *, about: str) -> Outcome:
        headers = stamp()
        assert headers["uowid"] == about
        sent = Parcel(about, url, body, self.now, TAKEN)
        outcome = self.conduct(sent)
        self.parcels.append(Parcel(about, url, body, self.now, outcome))
        endpoint = self.endpoint(int(about.partition(".")[0]))
        if endpoint is not None:
            assert is_genuine(endpoint.secret, headers["Signature"], body.encode())
        self.after_effect()
        return outcome

    def forget_messages(self, *, but: int = 0) -> None:
        """Lose everything that is planned but for the first messages."""
        del self._due[but:]

    # ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _at(self, when: datetime, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._order), action))

    def _queue(self, message: Message, delay: timedelta) -> None:
        self._at(self.now + delay, lambda: self._receive(message))

    def _receive(self, message: Message) -> None:
        message.receives += 1
        batch = {"Records": [{"messageId": "1", "body": message.body}]}
        if not deliver_webhooks(batch, None)["batchItemFailures"]:
            return
        if message.receives < _MOST_RECEIVES:
            self._queue(message, VISIBILITY)
        else:
            self.dead.append(message)

    def _task(self, name: str, known: dict[str, Any]) -> None:
        try:
            step = retry_webhook(json.loads(json.dumps(known)), None)
        except TaskFailed:
            self._at(self.now + timedelta(seconds=2), lambda: self._task(name, known))
            return
        if step["next"] == "wait":
            self._at(self.now + timedelta(seconds=step["seconds"]), lambda: self._task(name, known))
        else:
            self.executions[name] = {"done": "SUCCEEDED", "park": "FAILED"}[step["next"]]

    def settle(self) -> None:
        """Do what is due now."""
        self.passes(timedelta(0))

    def passes(self, span: timedelta) -> None:
        """Let time pass, and do everything when it is due."""
        until = self.now + span
        for _ in range(_PATIENCE):
            if not self._due or self._due[0][0] > until:
                self.now = until
                return
            if self.shuffle and self._due[0][0] <= self.now:
                ready = [each for each in self._due if each[0] <= self.now]
                chosen = self.shuffle.choice(ready)
                self._due.remove(chosen)
                heapq.heapify(self._due)
            else:
                chosen = heapq.heappop(self._due)
            self.now = max(self.now, chosen[0])
            chosen[2]()
        raise AssertionError("it never comes to rest")

    @property
    def is_idle(self) -> bool:
        """Whether nothing is planned any more."""
        return not self._due

    # ── What a test does ─────────────────────────────────────────────────────────────────────────────────────────────

    def register(self, url: str = "https://receiver.example/hooks", *events: str, client: int = CLIENT) -> Endpoint:
        """A new endpoint of a client."""
        store.begin()
        return service.register(client, url, events or [EVERYTHING], SCHEME)

    def endpoint(self, endpoint_id: int, client: int = CLIENT) -> Endpoint | None:
        """An endpoint as it is now."""
        store.begin()
        return next((each for each in service.endpoints(client) if each.id == endpoint_id), None)

    def publish(self, *events: str, subject: str = "trip-1", path: str = "/trips/events") -> None:
        """Tell the client something, again and again until it has worked."""
        for event in events:
            for _ in range(20):
                store.begin()
                try:
                    service.publish(CLIENT, path, subject, event, {"event": event})
                except Crash:
                    continue
                break
            else:
                raise AssertionError("it is never published")

    def lane(self, endpoint: Endpoint, subject: str = "trip-1") -> Lane:
        """A lane as it is now."""
        store.begin()
        item = store.load(LaneItem.key(endpoint.id, subject))
        assert item is not None
        return item.entity

    @property
    def taken(self) -> list[str]:
        """The events that the receiver has acknowledged, in its order."""
        return [each.event for each in self.parcels if each.outcome.failure is None]


def failing(*failures: Outcome | int | Failure | None) -> Conduct:
    """A receiver that does this, one after the other, and takes everything from then on."""
    left = list(failures)

    def conduct(_: Parcel) -> Outcome:
        if not left:
            return TAKEN
        match left.pop(0):
            case Outcome() as outcome:
                return outcome
            case Failure() as failure:
                return Outcome(failure=failure)
            case int() as status:
                return Outcome(failure=Failure.GONE if status == 410 else Failure.STATUS, status=status)
            case _:
                return TAKEN

    return conduct
