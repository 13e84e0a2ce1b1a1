"""SQS queues that survive a restart, and the delivery of their messages to functions."""

import hashlib
import json
import logging
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.clock import Clock
from local.functions import Functions
from local.stacks import ACCOUNT, REGION
from local.state import State
from local.template import Queue, Source
from local.types import Json

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Message:
    """A received message; times in seconds since the epoch."""

    id: str
    receipt: str
    body: str
    attributes: Mapping[str, Json]
    sent_at: float
    receives: int
    first_received_at: float

    @property
    def system_attributes(self) -> dict[str, str]:
        """The attributes that SQS itself sets."""
        return {
            "ApproximateReceiveCount": str(self.receives),
            "SentTimestamp": str(round(self.sent_at * 1000)),
            "SenderId": ACCOUNT,
            "ApproximateFirstReceiveTimestamp": str(round(self.first_received_at * 1000)),
        }


class Queues:
    """The queues of the template, by ARN. Delays and visibility run on virtual time."""

    def __init__(self, queues: Mapping[str, Queue], state: State, clock: Clock) -> None:
        self.queues = queues
        self._state = state
        self._clock = clock
        self._arrivals = {arn: threading.Event() for arn in queues}

    def by_url(self, url: str) -> Queue | None:
        """The queue that a client means by a URL, whatever host it uses."""
        name = url.rsplit("/", 1)[-1]
        return next((queue for queue in self.queues.values() if queue.name == name), None)

    def send(
        self, arn: str, body: str, *, delay: float | None = None, attributes: Mapping[str, Json] | None = None
    ) -> str:
        """Put a message into a queue; answers its id. ``delay`` in seconds, the queue's own when left out."""
        identity = str(uuid.uuid4())
        now = self._clock.now().timestamp()
        due = now + (self.queues[arn].delay if delay is None else delay)
        self._state.run(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, 0, NULL, NULL)",
            (identity, arn, body, json.dumps(attributes or {}), now, due),
        )
        self._arrivals[arn].set()
        return identity

    def receive(self, arn: str, limit: int, *, visibility: float | None = None, wait: float = 0) -> list[Message]:
        """Take up to ``limit`` messages that are visible; waits up to ``wait`` real seconds for the first.

        A message that was received too often moves to the dead-letter queue instead.
        """
        found = self._take(arn, limit, visibility)
        if not found and wait:
            self.await_arrival(arn, wait)
            found = self._take(arn, limit, visibility)
        return found

    def await_arrival(self, arn: str, seconds: float) -> None:
        """Return when a message has come since the last such wait, or after ``seconds``."""
        arrival = self._arrivals[arn]
        arrival.wait(seconds)
        arrival.clear()

    def wake(self) -> None:
        """End every wait for a message."""
        for arrival in self._arrivals.values():
            arrival.set()

    def delete(self, arn: str, receipt: str) -> None:
        """Remove a received message."""
        self._state.run("DELETE FROM messages WHERE queue = ? AND receipt = ?", (arn, receipt))

    def change_visibility(self, arn: str, receipt: str, seconds: float) -> None:
        """Let a received message come back after ``seconds``."""
        due = self._clock.now().timestamp() + seconds
        self._state.run("UPDATE messages SET visible_at = ? WHERE queue = ? AND receipt = ?", (due, arn, receipt))

    def purge(self, arn: str) -> None:
        """Remove every message."""
        self._state.run("DELETE FROM messages WHERE queue = ?", (arn,))

    def depth(self, arn: str) -> tuple[int, int]:
        """How many messages are visible, and how many are not."""
        now = self._clock.now().timestamp()
        row = self._state.rows(
            "SELECT count(*) FILTER (WHERE visible_at <= ?) visible, count(*) FILTER (WHERE visible_at > ?) hidden "
            "FROM messages WHERE queue = ?",
            (now, now, arn),
        )[0]
        return row["visible"], row["hidden"]

    def _take(self, arn: str, limit: int, visibility: float | None) -> list[Message]:
        queue = self.queues[arn]
        now = self._clock.now().timestamp()
        hidden_until = now + (queue.visibility_timeout if visibility is None else visibility)
        taken = []
        with self._state.transaction():
            rows = self._state.rows(
                "SELECT * FROM messages WHERE queue = ? AND visible_at <= ? ORDER BY visible_at LIMIT ?",
                (arn, now, limit),
            )
            for row in rows:
                if queue.dead_letter_arn and row["receives"] >= queue.max_receive_count:
                    self._state.run(
                        "UPDATE messages SET queue = ?, visible_at = ?, receives = 0, receipt = NULL WHERE id = ?",
                        (queue.dead_letter_arn, now, row["id"]),
                    )
                    self._arrivals[queue.dead_letter_arn].set()
                    continue
                message = Message(
                    row["id"],
                    str(uuid.uuid4()),
                    row["body"],
                    json.loads(row["attributes"]),
                    row["sent_at"],
                    row["receives"] + 1,
                    row["first_received_at"] or now,
                )
                self._state.run(
                    "UPDATE messages SET visible_at = ?, receives = ?, first_received_at = ?, receipt = ? WHERE id = ?",
                    (hidden_until, message.receives, message.first_received_at, message.receipt, message.id),
                )
                taken.append(message)
        return taken


class QueueReader(threading.Thread):
    """Delivers one queue's messages to one function, in batches.

    What failed comes back after a second, not after the queue's visibility timeout: a person waits for it.
    """

    def __init__(self, source: Source, queues: Queues, functions: Functions) -> None:
        super().__init__(name=f"queue:{source.source_arn.rsplit(':', 1)[-1]}", daemon=True)
        self._source = source
        self._queues = queues
        self._functions = functions
        self._running = True
        self._delivering = False

    def run(self) -> None:
        """Deliver until stopped."""
        arn = self._source.source_arn
        while self._running:
            self._delivering = True
            try:
                messages = self._queues.receive(arn, self._source.batch_size)
                if messages:
                    self._deliver(messages)
            except Exception:  # noqa: BLE001 - logged; the messages come back
                _log.exception("delivering messages of %s failed", arn)
                messages = []
            finally:
                self._delivering = False
            if not messages:
                self._queues.await_arrival(arn, _POLL_SECONDS)

    def idle(self) -> bool:
        """Whether nothing is being delivered or waits to be."""
        return not self._delivering and self._queues.depth(self._source.source_arn)[0] == 0

    def stop(self) -> None:
        """End after the batch that is being delivered."""
        self._running = False
        self._queues.wake()
        self.join()

    def _deliver(self, messages: Sequence[Message]) -> None:
        arn = self._source.source_arn
        records = {message.id: _record(message, arn) for message in messages}
        accepted = {key: record for key, record in records.items() if self._source.accepts(_filterable(record))}
        failed: set[str] = set()
        if accepted:
            invocation = self._functions.invoke(self._source.function_arn, {"Records": list(accepted.values())})
            failed = set(accepted) if invocation.error else self._failures(invocation.result, set(accepted))
        for message in messages:
            if message.id in failed:
                self._queues.change_visibility(arn, message.receipt, _RETRY_SECONDS)
            else:
                self._queues.delete(arn, message.receipt)

    def _failures(self, result: Json, delivered: set[str]) -> set[str]:
        if not self._source.partial_responses or not isinstance(result, Mapping):
            return set()
        failed = {failure.get("itemIdentifier") for failure in result.get("batchItemFailures") or []}
        return delivered if failed - delivered else failed


def _record(message: Message, arn: str) -> dict[str, Json]:
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": message.system_attributes,
        "messageAttributes": message.attributes,
        "md5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    }


def _filterable(record: Mapping[str, Json]) -> dict[str, Json]:
    """The record with its body decoded, as filters see it."""
    try:
        return {**record, "body": json.loads(record["body"])}
    except ValueError:
        return dict(record)
