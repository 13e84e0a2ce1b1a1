"""The fleet simulator: vehicles that answer commands, and stations that hold them.

Both report through the IoT rules of the template, each on its own topic.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal, NamedTuple, TypeAlias
from uuid import UUID

from kickstand.fleet.model import Progress
from kickstand.kernel import ids
from local.clock import Clock
from local.errors import ControlError
from local.queues import Queues
from local.template import TopicRule
from local.types import Json

_log = logging.getLogger(__name__)
Answer: TypeAlias = Literal["acknowledge", "reject", "silent"]
_ANSWERS = ("acknowledge", "reject", "silent")
_DELAY_MS = 30.0
_PREFIX, _STATIONS = "vehicles", "stations"
_REPORTED = ("move_to", "battery_percent", "speed_kmh")
_LOCKING = ("lock", "unlock")
_DEEDS = ("dock", "undock", "progress", "repair")
_LONGITUDE, _LATITUDE, _FULL = 180, 90, 100
_FASTEST_KMH = 300
_LONGEST_DELAY_MS = 86_400_000


@dataclass(frozen=True)
class Behaviour:
    """How a vehicle answers commands: after how many milliseconds, and per action how."""

    delay_ms: float = _DELAY_MS
    answers: Mapping[str, Answer] = field(default_factory=dict)


class Dock(NamedTuple):
    """One dock of a station, which goes by the number of its cluster."""

    cluster_id: int
    number: int


@dataclass(frozen=True)
class Status:
    """What a vehicle knows about itself; degrees, percent, km/h.

    Attributes:
        dock: what holds it, which is for its station to tell.
    """

    longitude: float
    latitude: float
    battery_percent: int = _FULL
    locked: bool = True
    speed_kmh: float = 0.0
    dock: Dock | None = None

    @property
    def reported(self) -> dict[str, Json]:
        """What it tells about itself."""
        return {name: value for name, value in vars(self).items() if name != "dock"}


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
        self._told: dict[int, str] = {}
        self._pending = 0
        self.locate: Callable[[int], Status | None] = lambda _: None
        """Asked for a vehicle that the simulator has not met."""
        self.locate_station: Callable[[int], tuple[float, float] | None] = lambda _: None
        """Asked for the longitude and latitude of a station, by its cluster."""
        self.repair: Callable[[int], bool] = lambda _: False
        """Told that a vehicle has been repaired; answers whether it waited for that."""

    def publish(self, topic: str, payload: bytes) -> None:
        """A message from the platform's side: a command is answered, anything else goes to the rules as it is."""
        parts = topic.split("/")
        if len(parts) == 3 and parts[0] == _PREFIX and parts[2] == "commands":  # noqa: PLR2004 - prefix, id, channel
            self._receive(json.loads(payload))
        else:
            self._to_rules(topic, payload.decode())

    def control(self, vehicle: str, request: Mapping[str, Json]) -> dict[str, Json]:
        """Change how one vehicle, or ``all``, behaves; a new position, charge or speed is reported at once.

        So is what somebody does with it: ``dock`` puts it into a dock, ``undock`` takes it out of the one that holds
        it, ``progress`` is how far it has come with what it was told last, ``repair`` mends what riders reported.

        Raises:
            ControlError: for a request that is not understood, or that cannot happen.
        """
        settings = dict(request)
        reported: dict[str, Json] = {key: settings.pop(key) for key in _REPORTED if key in settings}
        deeds: dict[str, Json] = {key: settings.pop(key) for key in _DEEDS if key in settings}
        identity = _identity(vehicle)
        if identity is None and (reported or deeds):
            raise ControlError("what is reported or done is so for one vehicle, not for all")
        if settings:
            self._behave(identity, settings)
        if identity is not None:
            if reported:
                self._report(identity, reported)
            for deed, value in deeds.items():
                self._do(identity, deed, value)
        return self.describe(identity)

    def describe(self, vehicle: int | None) -> dict[str, Json]:
        """The behaviour of a vehicle, or of all; and what it last reported."""
        with self._lock:
            behaviour = self._everywhere if vehicle is None else self._behaviours.get(vehicle, self._everywhere)
            status = None if vehicle is None else self._statuses.get(vehicle)
        described: dict[str, Json] = {"delay_ms": behaviour.delay_ms, **behaviour.answers}
        if status:
            described["reported"] = status.reported
            if status.dock:
                described["dock"] = status.dock._asdict()
        return described

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
        status = self._status(vehicle)
        if status is None and "longitude" not in changes:
            raise ControlError("the position of this vehicle is not known yet: give move_to")
        status = replace(status, **changes) if status else Status(**changes)
        self._keep(vehicle, status)
        self._say(vehicle, type="telemetry", **status.reported)

    def _do(self, vehicle: int, deed: str, value: Json) -> None:
        match deed:
            case "dock":
                self._put_into(vehicle, _dock(value))
            case "repair":
                if value is not True or not self.repair(vehicle):
                    raise ControlError("repair is true, for a vehicle that waits for repair")
            case "undock":
                if value is not True or not self._take_out(vehicle):
                    raise ControlError("undock is true, for a vehicle in a dock")
            case "progress":
                told = self._told.get(vehicle)
                if told is None or value not in tuple(Progress):
                    words = ", ".join(Progress)
                    raise ControlError(f"progress is one of {words}, for a vehicle that was told to lock or unlock")
                self._say(vehicle, type="progress", command_id=told, progress=value)

    def _put_into(self, vehicle: int, dock: Dock) -> None:
        place = self.locate_station(dock.cluster_id)
        if place is None:
            raise ControlError(f"there is no station {dock.cluster_id}")
        longitude, latitude = place
        status = self._status(vehicle) or Status(longitude, latitude)
        if status.dock:
            raise ControlError(f"dock {status.dock.number} of the station {status.dock.cluster_id} holds it: undock it")
        moved = replace(status, longitude=longitude, latitude=latitude, locked=True, speed_kmh=0.0, dock=dock)
        self._keep(vehicle, moved)
        self._station_says(vehicle, dock, "docking")

    def _take_out(self, vehicle: int) -> bool:
        """Take a vehicle out of its dock; answers whether it was in one."""
        status = self._status(vehicle)
        if status is None or status.dock is None:
            return False
        self._keep(vehicle, replace(status, dock=None))
        self._station_says(vehicle, status.dock, "undocking")
        return True

    def _status(self, vehicle: int) -> Status | None:
        with self._lock:
            known = self._statuses.get(vehicle)
        return known or self.locate(vehicle)

    def _keep(self, vehicle: int, status: Status) -> None:
        with self._lock:
            self._statuses[vehicle] = status

    def _say(self, vehicle: int, **message: Json) -> None:
        words = {"vehicle_id": vehicle, "at": self._clock.now().isoformat(), **message}
        self._to_rules(f"{_PREFIX}/{vehicle}/messages", json.dumps(words))

    def _station_says(self, vehicle: int, dock: Dock, what: str) -> None:
        words = {"type": what, **dock._asdict(), "vehicle_id": vehicle, "at": self._clock.now().isoformat()}
        self._to_rules(f"{_STATIONS}/{dock.cluster_id}/messages", json.dumps(words))

    def _receive(self, command: Mapping[str, Json]) -> None:
        vehicle, action = int(command["vehicle_id"]), str(command["action"])
        with self._lock:
            if action in _LOCKING:
                self._told[vehicle] = str(command["command_id"])
            behaviour = self._behaviours.get(vehicle, self._everywhere)
            answer = behaviour.answers.get(action, "acknowledge")
            if answer == "silent":
                return
            self._pending += 1
        due = self._clock.now() + timedelta(milliseconds=behaviour.delay_ms)
        self._clock.at(due, lambda: self._answer(vehicle, action, str(command["command_id"]), answer))

    def _answer(self, vehicle: int, action: str, command_id: str, answer: Answer) -> None:
        done = answer == "acknowledge"
        outcome, reason = ("done", None) if done else ("rejected", "refused by the vehicle")
        self._say(vehicle, type="acknowledgement", command_id=command_id, outcome=outcome, reason=reason)
        if done and action in _LOCKING and (status := self._status(vehicle)):
            self._keep(vehicle, replace(status, locked=action == "lock"))
        if done and action == "unlock":
            self._take_out(vehicle)
        with self._lock:
            self._pending -= 1

    def _to_rules(self, topic: str, payload: str) -> None:
        for rule in self._rules:
            if topic_matches(rule.topic_filter, topic) and admits(rule, topic, payload):
                for url in rule.queue_urls:
                    if queue := self._queues.by_url(url):
                        self._queues.send(queue.arn, payload)


def admits(rule: TopicRule, topic: str, payload: str) -> bool:
    """Whether a message says the same as its topic, and is of a type, where the rule asks for that."""
    if rule.told_by is None:
        return True
    level, member = rule.told_by
    try:
        message = json.loads(payload)
        told, type_ = message[member], message.get("type")
    except (ValueError, KeyError, TypeError):
        return False
    if (rule.only and type_ not in rule.only) or (rule.never and (type_ is None or type_ in rule.never)):
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


def _dock(value: Json) -> Dock:
    match value:
        case {"cluster_id": int() as cluster_id, "number": int() as number, **others} if not others:
            if not isinstance(cluster_id, bool) and not isinstance(number, bool) and number > 0:
                return Dock(cluster_id, number)
    raise ControlError('dock is {"cluster_id": …, "number": …}, both whole numbers')
