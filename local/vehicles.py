"""The fleet simulator: vehicles that answer commands and report their state through the IoT rules of the template."""

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal, TypeAlias
from uuid import UUID

from kickstand.kernel import ids
from local.clock import Clock
from local.queues import Queues
from local.template import TopicRule
from local.types import Json

_log = logging.getLogger(__name__)
Answer: TypeAlias = Literal["acknowledge", "reject", "silent"]
_ANSWERS = ("acknowledge", "reject", "silent")
_DELAY_MS = 30.0
_PREFIX = "vehicles"
_LONGITUDE, _LATITUDE, _FULL = 180, 90, 100
_FASTEST_KMH = 300
_LONGEST_DELAY_MS = 86_400_000


class ControlError(ValueError):
    """A request to the simulator that it cannot follow; the message says why."""


@dataclass(frozen=True)
class Behaviour:
    """How a vehicle answers commands: after how many milliseconds, and per action how."""

    delay_ms: float = _DELAY_MS
    answers: Mapping[str, Answer] = field(default_factory=dict)


@dataclass(frozen=True)
class Status:
    """What a vehicle reports about itself; degrees, percent, km/h."""

    longitude: float
    latitude: float
    battery_percent: int = _FULL
    locked: bool = True
    speed_kmh: float = 0.0


class Vehicles:
    """All vehicles of the local fleet."""

    def __init__(self, rules: Sequence[TopicRule], queues: Queues, clock: Clock) -> None:
        self._rules = rules
        self._queues = queues
        self._clock = clock
        self._lock = threading.Lock()
        self._everywhere = Behaviour()
        self._behaviours: dict[int, Behaviour] = {}
        self._statuses: dict[int, Status] = {}
        self._pending = 0
        self.locate: Callable[[int], Status | None] = lambda _: None
        """Asked for a vehicle that the simulator has not met."""

    def publish(self, topic: str, payload: bytes) -> None:
        """A message from the platform's side: a command is answered, anything else goes to the rules as it is."""
        parts = topic.split("/")
        if len(parts) == 3 and parts[0] == _PREFIX and parts[2] == "commands":  # noqa: PLR2004 - prefix, id, channel
            self._receive(json.loads(payload))
        else:
            self._to_rules(topic, payload.decode())

    def control(self, vehicle: str, request: Mapping[str, Json]) -> dict[str, Json]:
        """Change how one vehicle, or ``all``, behaves; a new position, charge or speed is reported at once.

        Raises:
            ControlError: for a request that is not understood.
        """
        settings = dict(request)
        reported: dict[str, Json] = {
            key: settings.pop(key) for key in ("move_to", "battery_percent", "speed_kmh") if key in settings
        }
        identity = _identity(vehicle)
        if reported and identity is None:
            raise ControlError("a position, charge or speed is reported for one vehicle, not for all")
        if settings:
            self._behave(identity, settings)
        if reported and identity is not None:
            self._report(identity, reported)
        return self.describe(identity)

    def describe(self, vehicle: int | None) -> dict[str, Json]:
        """The behaviour of a vehicle, or of all; and what it last reported."""
        with self._lock:
            behaviour = self._everywhere if vehicle is None else self._behaviours.get(vehicle, self._everywhere)
            status = None if vehicle is None else self._statuses.get(vehicle)
        return {"delay_ms": behaviour.delay_ms, **behaviour.answers, **({"reported": vars(status)} if status else {})}

    def idle(self) -> bool:
        """Whether no answer is on its way."""
        return self._pending == 0

    def _behave(self, vehicle: int | None, settings: Mapping[str, Json]) -> None:
        for action, answer in settings.items():
            if action == "delay_ms":
                if not _within(answer, _LONGEST_DELAY_MS):
                    raise ControlError("delay_ms is a number of milliseconds, a day at most")
            elif answer not in _ANSWERS:
                raise ControlError(f"{action}: one of {', '.join(_ANSWERS)}")
        answers = {action: answer for action, answer in settings.items() if action != "delay_ms"}
        with self._lock:
            known = self._everywhere if vehicle is None else self._behaviours.get(vehicle, self._everywhere)
            changed = Behaviour(settings.get("delay_ms", known.delay_ms), {**known.answers, **answers})
            if vehicle is None:
                self._everywhere = changed
                self._behaviours.clear()
            else:
                self._behaviours[vehicle] = changed

    def _report(self, vehicle: int, reported: Mapping[str, Json]) -> None:
        changes: dict[str, Json] = {key: value for key, value in reported.items() if key != "move_to"}
        battery, speed = changes.get("battery_percent", 0), changes.get("speed_kmh", 0)
        if not isinstance(battery, int) or not _within(battery, _FULL):
            raise ControlError("battery_percent is a whole number from 0 to 100")
        if not _within(speed, _FASTEST_KMH):
            raise ControlError(f"speed_kmh is a number from 0 to {_FASTEST_KMH}")
        if "move_to" in reported:
            changes["longitude"], changes["latitude"] = _position(reported["move_to"])
        with self._lock:
            status = self._statuses.get(vehicle)
        status = status or self.locate(vehicle)
        if status is None and "longitude" not in changes:
            raise ControlError("the position of this vehicle is not known yet: give move_to")
        status = replace(status, **changes) if status else Status(**changes)
        with self._lock:
            self._statuses[vehicle] = status
        telemetry = {"type": "telemetry", "vehicle_id": vehicle, "at": self._clock.now().isoformat(), **vars(status)}
        self._to_rules(f"{_PREFIX}/{vehicle}/messages", json.dumps(telemetry))

    def _receive(self, command: Mapping[str, Json]) -> None:
        vehicle, action = int(command["vehicle_id"]), str(command["action"])
        with self._lock:
            behaviour = self._behaviours.get(vehicle, self._everywhere)
            answer = behaviour.answers.get(action, "acknowledge")
            if answer == "silent":
                return
            self._pending += 1
        due = self._clock.now() + timedelta(milliseconds=behaviour.delay_ms)
        self._clock.at(due, lambda: self._answer(vehicle, action, str(command["command_id"]), answer))

    def _answer(self, vehicle: int, action: str, command_id: str, answer: Answer) -> None:
        done = answer == "acknowledge"
        acknowledgement = {
            "type": "acknowledgement",
            "vehicle_id": vehicle,
            "command_id": command_id,
            "outcome": "done" if done else "rejected",
            "reason": None if done else "refused by the vehicle",
            "at": self._clock.now().isoformat(),
        }
        if done and action in {"lock", "unlock"}:
            self._set_lock(vehicle, locked=action == "lock")
        self._to_rules(f"{_PREFIX}/{vehicle}/messages", json.dumps(acknowledgement))
        with self._lock:
            self._pending -= 1

    def _set_lock(self, vehicle: int, *, locked: bool) -> None:
        located = None if vehicle in self._statuses else self.locate(vehicle)
        with self._lock:
            status = self._statuses.get(vehicle, located)
            if status:
                self._statuses[vehicle] = replace(status, locked=locked)

    def _to_rules(self, topic: str, payload: str) -> None:
        for rule in self._rules:
            if topic_matches(rule.topic_filter, topic) and tells_its_topic(rule, topic, payload):
                for url in rule.queue_urls:
                    if queue := self._queues.by_url(url):
                        self._queues.send(queue.arn, payload)


def tells_its_topic(rule: TopicRule, topic: str, payload: str) -> bool:
    """Whether a message says the same as its topic, where the rule asks for that."""
    if rule.told_by is None:
        return True
    level, member = rule.told_by
    try:
        told = json.loads(payload)[member]
    except (ValueError, KeyError, TypeError):
        return False
    return str(told) == topic.split("/")[level - 1]


def topic_matches(topic_filter: str, topic: str) -> bool:
    """Whether an MQTT topic matches a filter with ``+`` for one level and ``#`` for all that follow."""
    wanted, given = topic_filter.split("/"), topic.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(given) or level not in {"+", given[index]}:
            return False
    return len(wanted) == len(given)


def _within(value: Json, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _identity(vehicle: str) -> int | None:
    if vehicle == "all":
        return None
    if vehicle.isdecimal():
        return int(vehicle)
    try:
        return ids.id_of(UUID(vehicle))
    except ValueError:
        raise ControlError("a vehicle is named by its number or its UUID, all of them by 'all'") from None


def _position(value: Json) -> tuple[float, float]:
    match value:
        case [int() | float() as longitude, int() | float() as latitude]:
            if abs(longitude) <= _LONGITUDE and abs(latitude) <= _LATITUDE:
                return float(longitude), float(latitude)
    raise ControlError("move_to is [longitude, latitude] in degrees")
