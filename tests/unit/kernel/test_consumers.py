import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel, ConfigDict

from kickstand.kernel import consumers, store
from kickstand.kernel.consumers import Change, Stuck, dated_queue_consumer, queue_consumer, stream_consumer
from kickstand.kernel.events import Event
from kickstand.kernel.items import Item, Key, Value


class Door(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: int
    open: bool
    event: Event | None = None


class DoorItem(Item[Door]):
    class Meta:
        table_name = "doors"
        region = "eu-north-1"

    KIND = "door"
    ENTITY = Door

    id = Value(int)
    open = Value(bool)
    event = Value(Event, null=True)

    @classmethod
    def key_of(cls, entity: Door) -> Key["DoorItem"]:
        return Key(cls, f"DOOR#{entity.id}", "DOOR")


def image(door: Door) -> dict[str, Any]:
    return DoorItem.of(door).to_dynamodb_dict()


def record(old: Door | None, new: Door | None, sequence: str = "1") -> dict[str, Any]:
    images = {name: image(door) for name, door in (("OldImage", old), ("NewImage", new)) if door}
    keys = {name: value for name, value in next(iter(images.values())).items() if name in {"pk", "sk"}}
    return {"dynamodb": {"Keys": keys, "SequenceNumber": sequence, **images}}


def opened(identifier: int = 1) -> Door:
    return Door(id=identifier, open=True, event=Event.new("DoorOpened"))


def test_a_change_carries_both_entities_and_the_event_it_brought() -> None:
    seen: list[Change[Door]] = []
    handler = stream_consumer(DoorItem)(seen.append)
    closed, now = Door(id=1, open=False, event=Event.new("DoorClosed")), opened()
    repainted = now.model_copy(update={"open": False})
    answer = handler(
        {"Records": [record(None, closed), record(closed, now), record(now, repainted), record(repainted, None)]}, None
    )
    assert answer == {"batchItemFailures": []}
    assert seen == [
        Change(None, closed, closed.event),
        Change(closed, now, now.event),
        Change(now, repainted, None),
        Change(repainted, None, None),
    ]


def test_an_event_comes_again_when_an_operator_replays_it() -> None:
    seen: list[Change[Door]] = []
    now = opened()
    touched, later = record(now, now), record(now, now.model_copy(update={"open": False}))
    touched["dynamodb"]["NewImage"]["replayed_at"] = {"S": "2026-01-31T12:00:00Z"}
    for name in ("OldImage", "NewImage"):
        later["dynamodb"][name]["replayed_at"] = {"S": "2026-01-31T12:00:00Z"}
    stream_consumer(DoorItem)(seen.append)({"Records": [touched, later]}, None)
    assert [each.event for each in seen] == [now.event, None]


def test_an_item_without_event_is_followed_too() -> None:
    seen: list[Change[Door]] = []
    stream_consumer(DoorItem)(seen.append)({"Records": [record(None, Door(id=1, open=True))]}, None)
    assert seen == [Change(None, Door(id=1, open=True), None)]


def test_other_kinds_of_items_are_passed_over() -> None:
    seen: list[Change[Door]] = []
    window = record(None, opened())
    window["dynamodb"]["NewImage"]["kind"] = {"S": "window"}
    stream_consumer(DoorItem)(seen.append)({"Records": [window]}, None)
    assert seen == []


def test_a_batch_ends_at_the_first_failure_so_that_order_is_kept() -> None:
    seen: list[int] = []

    @stream_consumer(DoorItem)
    def follow(change: Change[Door]) -> None:
        assert change.new
        if change.new.id == 2:
            raise OSError
        seen.append(change.new.id)

    records = [record(None, opened(each), sequence=f"s{each}") for each in (1, 2, 3)]
    assert follow({"Records": records}, None) == {"batchItemFailures": [{"itemIdentifier": "s2"}]}
    assert seen == [1]


def test_a_record_that_always_fails_ends_up_alone() -> None:
    seen: list[int] = []

    @stream_consumer(DoorItem)
    def follow(change: Change[Door]) -> None:
        assert change.new
        if change.new.id == 2:
            raise OSError(str(change.new))
        seen.append(change.new.id)

    records = [record(None, opened(each), sequence=f"s{each}") for each in (2, 3, 4)]
    with pytest.raises(Stuck) as stuck:
        follow({"Records": records}, None)
    assert (str(stuck.value), stuck.value.__cause__, stuck.value.__context__) == ("", None, None)
    assert follow({"Records": records[:1]}, None) == {"batchItemFailures": [{"itemIdentifier": "s2"}]}
    assert follow({"Records": records[1:]}, None) == {"batchItemFailures": []}
    assert seen == [3, 4]


def test_a_record_that_cannot_be_decoded_is_reported() -> None:
    broken = record(None, opened(), sequence="s9")
    broken["dynamodb"]["NewImage"]["id"] = {"N": "1.5"}
    seen: list[Change[Door]] = []
    answer = stream_consumer(DoorItem)(seen.append)({"Records": [broken]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "s9"}]}
    assert seen == []


def test_what_one_record_read_is_forgotten_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[bool] = []
    monkeypatch.setattr(store, "begin", lambda: begun.append(True))
    stream_consumer(DoorItem)(lambda _: None)({"Records": [record(None, opened(1)), record(None, opened(2))]}, None)
    assert len(begun) == 2


class Ring(BaseModel):
    bell: int


def test_the_other_messages_of_a_queue_are_taken_although_one_fails() -> None:
    rung: list[int] = []

    @queue_consumer(Ring)
    def receive(message: Ring) -> None:
        if message.bell == 2:
            raise OSError
        rung.append(message.bell)

    bodies = {"a": '{"bell": 1}', "b": '{"bell": 2}', "c": "no json", "d": '{"bell": 4}'}
    answer = receive({"Records": [{"messageId": name, "body": body} for name, body in bodies.items()]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "c"}]}
    assert rung == [1, 4]


def test_a_message_is_as_old_at_every_delivery() -> None:
    sent: list[datetime] = []

    @dated_queue_consumer(Ring)
    def receive(message: Ring, sent_at: datetime) -> None:
        sent.append(sent_at)

    attributes = {"SentTimestamp": "1767600000123", "ApproximateFirstReceiveTimestamp": "1767600009999"}
    record = {"messageId": "a", "body": '{"bell": 1}', "attributes": attributes}
    for count in ("1", "2"):
        again = record | {"attributes": attributes | {"ApproximateReceiveCount": count}}
        assert receive({"Records": [again]}, None) == {"batchItemFailures": []}
    assert sent == [datetime(2026, 1, 5, 8, 0, 0, 124_000, tzinfo=UTC)] * 2, "the end of the millisecond"


def test_logs_say_what_failed_and_quote_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    secret = uuid4().hex
    monkeypatch.setattr(consumers.logger, "error", lambda text, extra: lines.append(f"{text} {json.dumps(extra)}"))

    @queue_consumer(Ring)
    def receive(message: Ring) -> None:
        raise ValueError(secret)

    receive({"Records": [{"messageId": "a", "body": '{"bell": 1}'}, {"messageId": "b", "body": secret}]}, None)
    assert len(lines) == 2
    assert "ValueError" in lines[0]
    assert "receive" in lines[0]
    assert "ValidationError" in lines[1]
    assert not any(secret in line for line in lines)


def test_several_consumers_of_a_stream_go_on_from_the_first_that_failed() -> None:
    seen: list[tuple[str, int]] = []

    def follower(name: str, fails_at: int | None) -> consumers.Handler:
        @stream_consumer(DoorItem)
        def follow(change: Change[Door]) -> None:
            assert change.new is not None
            if change.new.id == fails_at:
                raise ZeroDivisionError
            seen.append((name, change.new.id))

        return follow

    records = [record(None, opened(number), str(number)) for number in (1, 2, 3)]
    handler = consumers.chained(follower("a", None), follower("b", 3), follower("c", 2))
    assert handler({"Records": records}, None) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert seen == [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2), ("c", 1)]
    assert consumers.chained(follower("a", None))({"Records": records}, None) == {"batchItemFailures": []}


def test_one_of_several_consumers_that_is_stuck_has_the_batch_halved_after_all_have_seen_it() -> None:
    seen: list[Change[Door]] = []

    @stream_consumer(DoorItem)
    def stuck(_: Change[Door]) -> None:
        raise ZeroDivisionError

    handler = consumers.chained(stuck, stream_consumer(DoorItem)(seen.append))
    with pytest.raises(Stuck):
        handler({"Records": [record(None, opened(1), "1"), record(None, opened(2), "2")]}, None)
    assert len(seen) == 2
