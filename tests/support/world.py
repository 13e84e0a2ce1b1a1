"""A city with everything around it that reacts: streams, vehicles and workflows, driven step by step by a test.

Nothing happens behind the test's back: records wait until they are delivered, and vehicles answer when they are asked.
"""

import json
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Self

import pytest
from botocore.config import Config
from botocore.session import Session

from kickstand.billing import gateway as documents
from kickstand.fleet import gateway as channel
from kickstand.fleet.model import Command, Vehicle
from kickstand.kernel import clock, items, store
from kickstand.kernel.consumers import Stuck
from kickstand.kernel.place import Position
from kickstand.rental import gateway as outside
from kickstand.rental import lifecycle
from kickstand.rental.model import Rental
from reactions import rental as rental_reactions
from reactions import vehicles as vehicle_reactions
from tests.support.city import City
from workflows import rental as tasks
from workflows._tasks import TaskFailed

Records = list[dict[str, Any]]
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

_CONSUMERS: Final[Mapping[str, Handler]] = {
    "RENTAL_TABLE": rental_reactions.follow_rentals,
    "FLEET_TABLE": rental_reactions.follow_commands,
}
_PATIENCE: Final = 20


class Crash(Exception):
    """The process died at this point."""


class Streams:
    """The tables' streams, from now on; of rentals and of the fleet, if nothing else is said."""

    def __init__(self, *variables: str) -> None:
        # Engines name shards in fewer characters than AWS does.
        config = Config(parameter_validation=False)
        endpoint = os.environ["AWS_ENDPOINT_URL_DYNAMODB"]
        self._client: Any = Session().create_client("dynamodbstreams", endpoint_url=endpoint, config=config)
        self._iterators = {variable: self._latest(os.environ[variable]) for variable in variables or _CONSUMERS}

    def new(self, variable: str) -> Records:
        """What has been added since the last time."""
        answer = self._client.get_records(ShardIterator=self._iterators[variable])
        self._iterators[variable] = answer["NextShardIterator"]
        return list(answer["Records"])

    def _latest(self, table: str) -> str:
        stream = self._client.list_streams(TableName=table)["Streams"][0]["StreamArn"]
        shard = self._client.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][0]["ShardId"]
        chosen = {"StreamArn": stream, "ShardId": shard, "ShardIteratorType": "LATEST"}
        return str(self._client.get_shard_iterator(**chosen)["ShardIterator"])


@dataclass
class World:
    """A city and all that surrounds it. Time stands still until it is moved.

    Attributes:
        shuffle: delivers every record twice and in an order of its own, where given.
    """

    monkeypatch: pytest.MonkeyPatch
    city: City = field(default_factory=City)
    shuffle: random.Random | None = None
    published: list[Command] = field(default_factory=list)
    started: set[int] = field(default_factory=set)
    announced: list[int] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)
    dying: "Dying" = field(default_factory=lambda: Dying())  # noqa: PLW0108 - declared below

    def __post_init__(self) -> None:
        self.streams = Streams()
        self.now = clock.now()
        self.monkeypatch.setattr(clock, "now", lambda: self.now)
        self._unanswered: list[Command] = []
        self.monkeypatch.setattr(channel, "publish", self._publish)
        self.monkeypatch.setattr(outside, "start_workflow", self.started.add)
        self.monkeypatch.setattr(outside, "wake_workflow", lambda _token: None)
        self.monkeypatch.setattr(outside, "publish", lambda rental: self.announced.append(rental.id))
        self.monkeypatch.setattr(documents, "put", lambda key, body, _name: self.documents.update({key: body}))

    def _publish(self, command: Command) -> None:
        # A vehicle obeys a command once, however often it hears of it.
        if command.id not in {each.id for each in self.published}:
            self._unanswered.append(command)
        self.published.append(command)

    def deliver(self) -> bool:
        """Hand all waiting records to their consumers until they are taken; answers whether there were any."""
        batches = {variable: self.streams.new(variable) for variable in _CONSUMERS}
        for variable, records in batches.items():
            doubled = records * 2 if self.shuffle else records
            if self.shuffle:
                self.shuffle.shuffle(doubled)
            self._consume(_CONSUMERS[variable], doubled)
        return any(batches.values())

    def _consume(self, handler: Handler, records: Records) -> None:
        for _ in range(_PATIENCE):
            if not records:
                return
            try:
                failed = {each["itemIdentifier"] for each in handler({"Records": records}, None)["batchItemFailures"]}
            except Stuck:
                half = len(records) // 2
                self._consume(handler, records[:half])
                records = records[half:]
                continue
            first = next((n for n, each in enumerate(records) if each["dynamodb"]["SequenceNumber"] in failed), None)
            records = records[first:] if first is not None else []
        raise AssertionError("a record is never consumed")

    def settle(self, *, answers: bool = True) -> None:
        """Deliver until nothing is left; vehicles answer what they are told, unless ``answers`` is off."""
        while self.deliver() or (answers and self._answer()):
            pass

    def _answer(self) -> bool:
        commands, self._unanswered = self._unanswered, []
        for command in commands:
            self.say(command.vehicle_id, type="acknowledgement", command_id=command.id, outcome="done")
        return bool(commands)

    def say(self, vehicle_id: int, **message: Any) -> None:
        """Let a vehicle say something; a queue brings it again where it is not taken."""
        body = json.dumps({"vehicle_id": vehicle_id, "at": clock.now().isoformat(), **message})
        for _ in range(_PATIENCE):
            sent = {"SentTimestamp": str(clock.milliseconds(clock.now()))}
            batch = {"Records": [{"messageId": "1", "body": body, "attributes": sent}]}
            if not vehicle_reactions.receive_messages(batch, None)["batchItemFailures"]:
                return
        raise AssertionError("a message is never taken")

    def ride(self, vehicle: Vehicle, to: Position, *, locked: bool = False) -> None:
        """Let a vehicle report from another place."""
        place = {"longitude": to.longitude, "latitude": to.latitude}
        self.say(vehicle.id, type="telemetry", battery_percent=70, locked=locked, speed_kmh=15, **place)

    def finish(self, rental: Rental) -> None:
        """The tasks that the workflow runs for a rental that is over, each again until it succeeds."""
        for task in (tasks.record_charge, tasks.issue_receipt, tasks.publish_completed):
            self.insist(lambda task=task: task({"rental_id": rental.id}, None))  # type: ignore[misc]

    def insist(self, call: Callable[[], Any]) -> Any:
        """What a caller does that knows no failure but one: it tries again."""
        for _ in range(_PATIENCE):
            store.begin()
            try:
                return call()
            except (Crash, TaskFailed):
                continue
        raise AssertionError("it never succeeds")

    def advance(self, seconds: float) -> None:
        """Move the clock; nothing goes off by itself."""
        self.now += timedelta(seconds=seconds)

    def go_off(self) -> None:
        """Let the workflows do what is due, in the order of time, until nothing is."""
        for rental_id in sorted(self.started):
            for _ in range(_PATIENCE * 10):
                store.begin()
                deadline = lifecycle.situation(rental_id).deadline
                if deadline is None or deadline.at > self.now:
                    break
                tasks.act({"rental_id": rental_id, "timer": deadline.timer}, None)
            else:
                raise AssertionError("a timer goes off for ever")


class Dying:
    """Kills the process once, right after its ``at``-th write has been done; counts writes meanwhile."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.writes = 0

    def __enter__(self) -> Self:
        self._events = items.connection().client.meta.events
        for operation in ("PutItem", "UpdateItem", "TransactWriteItems"):
            self._events.register(f"after-call.dynamodb.{operation}", self._count)
        return self

    def __exit__(self, *_: object) -> None:
        for operation in ("PutItem", "UpdateItem", "TransactWriteItems"):
            self._events.unregister(f"after-call.dynamodb.{operation}", self._count)

    def _count(self, http_response: Any, **_: Any) -> None:
        if http_response.status_code != 200:
            return
        self.writes += 1
        if self.writes == self.at:
            raise Crash
