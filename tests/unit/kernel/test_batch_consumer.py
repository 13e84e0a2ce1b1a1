from typing import Any

import pytest

from kickstand.fleet.model import Vehicle
from kickstand.fleet.store import VehicleItem
from kickstand.kernel.consumers import Change, Stuck, stream_batch_consumer
from tests.support.vehicles import records, vehicle


def consume(batch: dict[str, Any], *, failing: bool = False) -> tuple[list[list[int]], list[str]]:
    """The ids that the function followed, by call, and the sequence numbers reported as failed."""
    calls: list[list[int]] = []

    @stream_batch_consumer(VehicleItem)
    def follow(changes: list[Change[Vehicle]]) -> None:
        calls.append([change.new.id for change in changes if change.new])
        if failing:
            raise RuntimeError

    answer = follow(batch, None)
    return calls, [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def test_all_changes_come_at_once_and_other_items_do_not() -> None:
    batch = records([(None, vehicle(1)), (None, vehicle(2)), (vehicle(2), vehicle(3))])
    batch["Records"][1]["dynamodb"]["NewImage"]["kind"] = {"S": "network"}
    assert consume(batch) == ([[1, 3]], [])


def test_a_batch_of_others_calls_nobody() -> None:
    assert consume({"Records": []}) == ([], [])


def test_a_failure_brings_the_whole_batch_again_in_halves() -> None:
    batch = records([(None, vehicle(1)), (None, vehicle(2))])
    with pytest.raises(Stuck):
        consume(batch, failing=True)
    assert consume({"Records": batch["Records"][1:]}, failing=True) == ([[2]], ["2"])


def test_an_unreadable_record_comes_again_with_what_follows_it() -> None:
    batch = records([(None, vehicle(1)), (None, vehicle(2)), (None, vehicle(3))])
    batch["Records"][1]["dynamodb"]["NewImage"]["state"] = {"S": "flying"}
    assert consume(batch) == ([[1]], ["2"])


def test_a_failure_counts_from_the_first_record_even_where_a_later_one_is_unreadable() -> None:
    batch = records([(None, vehicle(1)), (None, vehicle(2))])
    batch["Records"][1]["dynamodb"]["NewImage"]["state"] = {"S": "flying"}
    with pytest.raises(Stuck):
        consume(batch, failing=True)
