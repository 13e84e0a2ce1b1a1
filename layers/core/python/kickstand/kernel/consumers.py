"""Consumers of table streams and queues: a function of changes or of a message becomes a Lambda handler of batches.

All report which part of a batch failed, so that only that part comes again. What fails for good ends in the failure
queue of its source. Delivery is at least once and, between items, in any order: consumers are idempotent.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Generic, TypeVar

from aws_lambda_powertools import Logger
from pydantic import BaseModel

from kickstand.kernel import store
from kickstand.kernel.errors import described
from kickstand.kernel.events import Event
from kickstand.kernel.items import Item

Entity = TypeVar("Entity", bound=BaseModel)
Message = TypeVar("Message", bound=BaseModel)
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

logger = Logger()


class Stuck(Exception):
    """The first record of a batch of several fails.

    Lambda halves a batch whose function raises, and only that: so a record that always fails ends up alone, and is
    given up alone. A batch that reports its first record as failed would come again as it is, and be given up whole.
    """


@dataclass(frozen=True)
class Change(Generic[Entity]):
    """What one write did to one item.

    Attributes:
        old: the entity before; ``None`` when the write created it.
        new: the entity after; ``None`` when the write removed it.
        event: the domain event that the write committed, or that an operator replays; ``None`` for neither.
    """

    old: Entity | None
    new: Entity | None
    event: Event | None


def stream_consumer(item: type[Item[Entity]]) -> Callable[[Callable[[Change[Entity]], None]], Handler]:
    """Make a function that follows the changes of one kind of item the handler of its table's stream.

    A stream is ordered by item, so a batch ends at the first change that fails: it and everything after it come again,
    in halves where it is the first of several (:class:`Stuck`). Records of other kinds of items are passed over.
    """

    def declare(follow: Callable[[Change[Entity]], None]) -> Handler:
        @wraps(follow)
        def handler(batch: dict[str, Any], _context: Any) -> dict[str, Any]:  # noqa: ANN401 - the Lambda context
            started = time.perf_counter()
            failures: list[str] = []
            for record in batch["Records"]:
                images = record["dynamodb"]
                if not _is_of(item, images):
                    continue
                store.begin()
                try:
                    follow(_change(item, images))
                except Exception as error:  # noqa: BLE001 - whatever it is, the stream brings the record again
                    failures.append(_failed(follow, error, images))
                    break
            return _unless_stuck(batch, _answer(follow, batch, failures, started))

        return handler

    return declare


def stream_batch_consumer(item: type[Item[Entity]]) -> Callable[[Callable[[list[Change[Entity]]], None]], Handler]:
    """Make a function that follows a whole batch of changes the handler of a table's stream.

    For projections that write less when they see many changes together. A record that cannot be read ends the batch:
    what came before it is followed, it and everything after it come again. When the function fails, all come again,
    in halves (:class:`Stuck`).
    """

    def declare(follow: Callable[[list[Change[Entity]]], None]) -> Handler:
        @wraps(follow)
        def handler(batch: dict[str, Any], _context: Any) -> dict[str, Any]:  # noqa: ANN401 - the Lambda context
            started = time.perf_counter()
            failures: list[str] = []
            changes: list[Change[Entity]] = []
            images = [each for record in batch["Records"] if _is_of(item, each := record["dynamodb"])]
            for each in images:
                try:
                    changes.append(_change(item, each))
                except Exception as error:  # noqa: BLE001 - whatever it is, the stream brings the record again
                    failures.append(_failed(follow, error, each))
                    break
            if changes:
                store.begin()
                try:
                    follow(changes)
                except Exception as error:  # noqa: BLE001 - likewise
                    failures = [_failed(follow, error, images[0])]
            return _unless_stuck(batch, _answer(follow, batch, failures, started))

        return handler

    return declare


def chained(*consumers: Handler) -> Handler:
    """One handler of a stream for several consumers, as a shard serves no more than two functions well.

    Every consumer sees every record. Where one of them fails, all see the records again from there on; they know those
    that they have followed.
    """

    def handler(batch: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - the Lambda context
        failures: set[str] = set()
        stuck: Stuck | None = None
        for consumer in consumers:
            try:
                answer = consumer(batch, context)
            except Stuck as error:
                stuck = error
            else:
                failures |= {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        if stuck is not None:
            raise stuck
        order = [_sequence(record["dynamodb"]) for record in batch["Records"]]
        first = next((sequence for sequence in order if sequence in failures), None)
        return {"batchItemFailures": [{"itemIdentifier": first}] if first else []}

    return handler


def _unless_stuck(batch: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    records = batch["Records"]
    if len(records) > 1 and answer["batchItemFailures"] == [{"itemIdentifier": _sequence(records[0]["dynamodb"])}]:
        raise Stuck
    return answer


def _sequence(images: Mapping[str, Any]) -> str:
    return str(images["SequenceNumber"])


def _failed(consumer: Callable[..., None], error: Exception, images: Mapping[str, Any]) -> str:
    sequence = _sequence(images)
    _log_failure(consumer, error, sequence=sequence, key=images["Keys"]["pk"]["S"])
    return sequence


def queue_consumer(message: type[Message]) -> Callable[[Callable[[Message], None]], Handler]:
    """Make a function of one message the handler of an SQS queue whose bodies are JSON documents.

    A queue has no order, so the other messages of a batch are taken although one fails.
    """

    def declare(receive: Callable[[Message], None]) -> Handler:
        return _of_queue(receive, lambda record: receive(message.model_validate_json(record["body"])))

    return declare


def dated_queue_consumer(message: type[Message]) -> Callable[[Callable[[Message, datetime], None]], Handler]:
    """:func:`queue_consumer` for a function that is told when a message was sent, too: the same at every delivery."""

    def declare(receive: Callable[[Message, datetime], None]) -> Handler:
        return _of_queue(receive, lambda record: receive(message.model_validate_json(record["body"]), _sent_at(record)))

    return declare


def _sent_at(record: Mapping[str, Any]) -> datetime:
    """The end of the millisecond in which SQS took a message in: nothing that it tells of was later."""
    return datetime.fromtimestamp((int(record["attributes"]["SentTimestamp"]) + 1) / 1000, UTC)


def _of_queue(receive: Callable[..., None], take: Callable[[Mapping[str, Any]], None]) -> Handler:
    @wraps(receive)
    def handler(batch: dict[str, Any], _context: Any) -> dict[str, Any]:  # noqa: ANN401 - the Lambda context
        started = time.perf_counter()
        failures: list[str] = []
        for record in batch["Records"]:
            store.begin()
            try:
                take(record)
            except Exception as error:  # noqa: BLE001 - whatever it is, the queue brings the message again
                _log_failure(receive, error, message_id=record["messageId"])
                failures.append(record["messageId"])
        return _answer(receive, batch, failures, started)

    return handler


def _is_of(item: type[Item[Any]], images: Mapping[str, Any]) -> bool:
    image = images.get("NewImage") or images.get("OldImage") or {}
    return bool(image.get("kind", {}).get("S") == item.KIND)


def _change(item: type[Item[Entity]], images: Mapping[str, Any]) -> Change[Entity]:
    old, new = (item.from_raw_data(images[name]) if name in images else None for name in ("OldImage", "NewImage"))
    before, after = _event(old), _event(new)
    return Change(
        old=old.entity if old else None,
        new=new.entity if new else None,
        event=after if after and (before is None or before.id != after.id or _is_replay(images)) else None,
    )


def _is_replay(images: Mapping[str, Any]) -> bool:
    """Whether an operator has touched the item so that its event is followed again; see ``docs/operations.md``."""
    asked = images["NewImage"].get("replayed_at")
    return asked is not None and asked != images.get("OldImage", {}).get("replayed_at")


def _event(item: Item[Any] | None) -> Event | None:
    return getattr(item, "event", None)


def _answer(
    consumer: Callable[..., None], batch: dict[str, Any], failures: list[str], started: float
) -> dict[str, Any]:
    logger.info(
        "batch",
        extra={
            "consumer": consumer.__name__,
            "records": len(batch["Records"]),
            "failures": len(failures),
            "ms": round((time.perf_counter() - started) * 1000, 1),
        },
    )
    return {"batchItemFailures": [{"itemIdentifier": failure} for failure in failures]}


def _log_failure(consumer: Callable[..., None], error: Exception, **where: str) -> None:
    logger.error("record failed", extra={"consumer": consumer.__name__, **described(error), **where})
