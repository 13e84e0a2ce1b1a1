"""Reading in one round trip, writing in one transaction."""

from functools import partial
from typing import Any

import pytest
from botocore.session import Session
from pynamodb.exceptions import TransactWriteError, UpdateError

from kickstand.identity.errors import ExternalIdTaken, RiderNotFound
from kickstand.identity.model import ExternalUser
from kickstand.identity.store import ExternalUserItem, RiderItem
from kickstand.kernel import items, store
from kickstand.kernel.errors import Contention
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.faults import Calls, Kind


@pytest.fixture
def city(aws: Session) -> City:
    return City()


def test_what_is_expected_comes_with_the_first_reading(city: City) -> None:
    keys = [RiderItem.key_of(city.rider()) for _ in range(3)]
    store.begin()
    store.expect(*keys)
    with measured() as usage:
        found = store.load_all(keys)
        assert store.load(keys[1]) is found[1]
        assert store.load(RiderItem.key(404)) is None
        assert store.load(RiderItem.key(404)) is None
    assert usage.calls == ["BatchGetItem", "BatchGetItem"]


def test_more_than_a_hundred_items_take_more_round_trips(city: City) -> None:
    keys = [RiderItem.key(number) for number in range(230)]
    store.begin()
    with measured() as usage:
        assert store.load_all(keys) == [None] * 230
    assert usage.calls == ["BatchGetItem"] * 3


def test_what_was_written_is_read_again(city: City) -> None:
    rider = city.rider()
    key = RiderItem.key_of(rider)
    store.begin()
    assert store.load(key) is not None
    assert store.change(key, [RiderItem.first_name.set("Agatha")], condition=RiderItem.pk.exists())
    changed = store.load(key)
    assert changed is not None
    assert changed.entity == rider.model_copy(update={"first_name": "Agatha"})


def test_a_condition_that_fails_is_told_and_changes_nothing(city: City) -> None:
    key = RiderItem.key_of(city.rider())
    assert not store.change(key, [RiderItem.first_name.set("A")], condition=RiderItem.left_unlocked == 9)
    assert not store.create(RiderItem.of(city.rider("A-1")))


def test_the_first_refusal_in_the_order_of_writing_is_raised(city: City) -> None:
    taken, other = RiderItem.key_of(city.rider()), RiderItem.key_of(city.rider())
    with pytest.raises(ExternalIdTaken), store.Transaction() as tx:
        tx.update(
            taken, [RiderItem.first_name.set("A")], condition=RiderItem.left_unlocked == 9, otherwise=ExternalIdTaken
        )
        tx.delete(other, condition=RiderItem.left_unlocked == 9, otherwise=RiderNotFound)
    with pytest.raises(RiderNotFound), store.Transaction() as tx:
        tx.require(other, RiderItem.left_unlocked == 9, otherwise=RiderNotFound)
        tx.update(taken, [RiderItem.first_name.set("A")])
    unchanged = store.load(taken)
    assert unchanged is not None
    assert unchanged.first_name is None


def test_an_error_inside_writes_nothing(city: City) -> None:
    key = ExternalUserItem.key("1#x")
    with pytest.raises(ZeroDivisionError), store.Transaction() as tx:
        tx.create(ExternalUserItem.of(ExternalUser(client_id=1, user_key="1#x", rider_id=1)))
        _ = 1 // 0
    assert store.load(key) is None


def test_conflicts_are_tried_again_and_given_up_in_the_end(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    client: Any = items.connection().client
    conflicts = {"left": 2}
    ask = client._make_api_call

    def contended(operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "TransactWriteItems" and conflicts["left"]:
            conflicts["left"] -= 1
            reasons = [{"Code": "TransactionConflict"}] * len(arguments["TransactItems"])
            answer = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}
            raise client.exceptions.TransactionCanceledException(answer, operation)
        return ask(operation, arguments)

    monkeypatch.setattr(client, "_make_api_call", contended)
    rider = city.rider()
    store.begin()
    assert store.load(RiderItem.key_of(rider)) is not None
    conflicts["left"] = 99
    with pytest.raises(Contention):
        city.rider()


def test_a_single_write_waits_for_the_transaction_that_has_its_item(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    key = RiderItem.key_of(city.rider())
    claim = ExternalUserItem.of(ExternalUser(client_id=1, user_key="1#x", rider_id=1))
    client: Any = items.connection().client
    ask, left = client._make_api_call, {"UpdateItem": 2, "PutItem": 2}

    def contended(operation: str, arguments: dict[str, Any]) -> Any:
        if left.get(operation):
            left[operation] -= 1
            error = {"Error": {"Code": "TransactionConflictException", "Message": ""}}
            raise client.exceptions.TransactionConflictException(error, operation)
        return ask(operation, arguments)

    monkeypatch.setattr(client, "_make_api_call", contended)
    assert store.change(key, [RiderItem.first_name.set("Agatha")])
    assert store.create(claim)
    left["UpdateItem"] = 99
    with pytest.raises(Contention):
        store.change(key, [RiderItem.first_name.set("Agatha")])


def test_all_attempts_at_a_transaction_carry_one_token(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    client: Any = items.connection().client
    ask, tokens = client._make_api_call, []

    def losing_the_first_answer(operation: str, arguments: dict[str, Any]) -> Any:
        answer = ask(operation, arguments)
        if operation == "TransactWriteItems":
            tokens.append(arguments["ClientRequestToken"])
            if len(tokens) == 1:
                error = {"Error": {"Code": "TransactionInProgressException", "Message": ""}}
                raise client.exceptions.TransactionInProgressException(error, operation)
        return answer

    monkeypatch.setattr(client, "_make_api_call", losing_the_first_answer)
    with store.Transaction() as tx:
        tx.update(RiderItem.key(1), [RiderItem.first_name.set("A")])
    assert len(tokens) == 2
    assert len(set(tokens)) == 1
    city.rider()
    assert len(set(tokens)) == 2


def test_unprocessed_keys_are_asked_for_again(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [RiderItem.key_of(city.rider()) for _ in range(2)]
    client: Any = items.connection().client
    ask = client._make_api_call
    first = {"now": True}

    def throttled(operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "BatchGetItem" and first.pop("now", False):
            return {"Responses": {}, "UnprocessedKeys": arguments["RequestItems"]}
        return ask(operation, arguments)

    monkeypatch.setattr(client, "_make_api_call", throttled)
    store.begin()
    assert all(store.load_all(keys))


def test_what_an_item_becomes_is_not_read_again(city: City) -> None:
    rider = city.rider()
    key = RiderItem.key_of(rider)
    store.begin()
    becomes = RiderItem.of(rider.model_copy(update={"first_name": "Anna"}))
    with store.Transaction() as tx:
        tx.update(key, [RiderItem.first_name.set("Anna")], becomes=becomes)
    with measured() as usage:
        assert store.load(key) is becomes
    assert usage.calls == []
    store.begin()
    read = store.load(key)
    assert read is not None
    assert read.entity == becomes.entity


def test_what_an_item_would_have_become_is_forgotten_with_the_transaction(city: City) -> None:
    rider = city.rider()
    key = RiderItem.key_of(rider)
    store.begin()
    with pytest.raises(RiderNotFound), store.Transaction() as tx:
        tx.update(
            key,
            [RiderItem.first_name.set("Anna")],
            condition=RiderItem.left_unlocked == 9,
            otherwise=RiderNotFound,
            becomes=RiderItem.of(rider.model_copy(update={"first_name": "Anna"})),
        )
    read = store.load(key)
    assert read is not None
    assert read.first_name is None


def test_an_attempt_is_taken_anew_on_fresh_state_until_others_are_slower(city: City) -> None:
    key = RiderItem.key_of(city.rider())
    seen: list[object] = []

    def attempt() -> int:
        seen.append(store.load(key))
        if len(seen) < 3:
            raise Contention
        return len(seen)

    assert store.again(attempt) == 3
    assert len({id(each) for each in seen}) == 3


def test_others_may_be_faster_every_time_and_other_refusals_are_final() -> None:
    def attempt(error: type[Exception], taken: list[int]) -> None:
        taken.append(1)
        raise error

    for error, times in ((Contention, 2), (RiderNotFound, 1)):
        taken: list[int] = []
        with pytest.raises(error):
            store.again(partial(attempt, error, taken), attempts=2)
        assert len(taken) == times


@pytest.mark.usefixtures("aws")
def test_a_write_without_an_answer_fails_and_may_have_worked() -> None:
    rider = City().rider()
    key, mark = RiderItem.key_of(rider), [RiderItem.left_unlocked.set(7)]
    with Calls(1, Kind.UNANSWERED), pytest.raises(TransactWriteError), store.Transaction() as tx:
        tx.update(key, mark)
    with Calls(1, Kind.UNANSWERED), pytest.raises(UpdateError):
        store.change(key, mark)
    store.begin()
    found = store.load(key)
    assert found is not None
    assert found.left_unlocked == 7
