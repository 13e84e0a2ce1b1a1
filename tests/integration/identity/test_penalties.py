from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from kickstand.clients import service as clients
from kickstand.clients.model import ApiClient
from kickstand.identity import penalties
from kickstand.identity import service as identity
from kickstand.identity.errors import PenaltyNotFound, PenaltyResolved, RiderNotFound
from kickstand.identity.model import Penalty, PenaltyState, PenaltyType
from kickstand.kernel import ids, store
from kickstand.kernel.errors import Contention
from local.server import Tables
from tests.support.capacity import measured

KARI = "kari@client"
NOON = datetime(2025, 6, 14, 12, tzinfo=UTC)


@pytest.fixture
def client(engine: Tables) -> ApiClient:
    store.begin()
    client = clients.register_client("Travelizer", "t@partner.example", [1])
    identity.ensure_external(client, KARI)
    store.begin()
    return client


def points(client: ApiClient, external_id: str = KARI) -> int:
    store.begin()
    return identity.external(client, external_id).penalty_points


def for_a_ride(client: ApiClient, penalty_id: int, external_id: str = KARI) -> Penalty:
    return Penalty(
        id=penalty_id,
        client_id=client.id,
        external_id=external_id,
        type=PenaltyType.TRIP_DURATION,
        points=2,
        rental_id=7,
        created_at=NOON,
    )


def test_points_add_up_until_they_are_resolved(client: ApiClient) -> None:
    first = penalties.add(client, KARI, 3)
    second = penalties.add(client, KARI, 4, PenaltyType.TRIP_DURATION, rental_id=7, comment="Out of town")
    assert points(client) == 7
    resolved = penalties.resolve(client, KARI, first.id)
    assert (resolved.state, resolved.points) == (PenaltyState.RESOLVED, 3)
    assert resolved.resolved_at is not None
    assert points(client) == 4
    assert penalties.list_penalties(client, KARI) == [second, resolved]
    assert penalties.list_penalties(client, KARI, PenaltyState.ACTIVE) == [second]
    assert penalties.list_penalties(client, KARI, PenaltyState.RESOLVED) == [resolved]


def test_a_penalty_is_resolved_once(client: ApiClient) -> None:
    penalty = penalties.add(client, KARI, 3)
    penalties.resolve(client, KARI, penalty.id)
    store.begin()
    with pytest.raises(PenaltyResolved):
        penalties.resolve(client, KARI, penalty.id)
    assert points(client) == 0


def test_of_many_who_resolve_a_penalty_one_does(client: ApiClient) -> None:
    penalty = penalties.add(client, KARI, 3)
    penalties.add(client, KARI, 1)

    def resolve(_: int) -> bool:
        store.begin()
        while True:
            try:
                penalties.resolve(client, KARI, penalty.id)
            except Contention:
                store.forget()
            except PenaltyResolved:
                return False
            else:
                return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(resolve, range(8))) == 1
    assert points(client) == 1


def test_no_penalty_is_lost_among_many(client: ApiClient) -> None:
    def add(_: int) -> None:
        store.begin()
        while True:
            try:
                penalties.add(client, KARI, 5)
            except Contention:
                store.forget()
            else:
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(16)))
    assert points(client) == 80
    assert len(penalties.list_penalties(client, KARI)) == 16


def test_whom_the_partner_does_not_know_has_no_penalties(client: ApiClient) -> None:
    other = clients.register_client("Other", "o@partner.example", [1])
    for stranger, name in ((client, "nobody"), (other, KARI)):
        with pytest.raises(RiderNotFound):
            penalties.list_penalties(stranger, name)
        with pytest.raises(RiderNotFound):
            penalties.add(stranger, name, 1)
        with pytest.raises(RiderNotFound):
            penalties.resolve(stranger, name, 1)


def test_users_of_two_partners_are_two_although_they_are_called_the_same(client: ApiClient) -> None:
    other = clients.register_client("Other", "o@partner.example", [1])
    identity.ensure_external(other, KARI)
    penalty = penalties.add(client, KARI, 3)
    assert points(other) == 0
    assert penalties.list_penalties(other, KARI) == []
    with pytest.raises(PenaltyNotFound):
        penalties.resolve(other, KARI, penalty.id)


def test_the_penalty_of_another_user_is_not_found(client: ApiClient) -> None:
    identity.ensure_external(client, "ola")
    penalty = penalties.add(client, "ola", 3)
    with pytest.raises(PenaltyNotFound):
        penalties.resolve(client, KARI, penalty.id)
    assert points(client, "ola") == 3


def test_a_penalty_joins_a_transaction_under_the_id_that_it_is_given(client: ApiClient) -> None:
    penalty_id = ids.new_id()
    with store.Transaction() as tx:
        penalties.add_penalty(tx, for_a_ride(client, penalty_id))
    with pytest.raises(Contention), store.Transaction() as tx:
        penalties.add_penalty(tx, for_a_ride(client, penalty_id))
    assert points(client) == 2
    assert penalties.list_penalties(client, KARI) == [for_a_ride(client, penalty_id)]


def test_nobody_is_penalised_who_is_not_there(client: ApiClient) -> None:
    penalty = for_a_ride(client, ids.new_id(), "nobody")
    with pytest.raises(RiderNotFound), store.Transaction() as tx:
        penalties.add_penalty(tx, penalty)
    identity.ensure_external(client, "nobody")
    assert penalties.list_penalties(client, "nobody") == []


def test_the_latest_are_listed_first(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [penalties.add(client, KARI, 1) for _ in range(5)]
    penalties.resolve(client, KARI, given[3].id)
    listed = [each.id for each in penalties.list_penalties(client, KARI)]
    assert listed == sorted((each.id for each in given), reverse=True)
    monkeypatch.setattr(penalties, "_MOST_LISTED", 2)
    assert [each.id for each in penalties.list_penalties(client, KARI)] == listed[:2]
    active = [each for each in listed if each != given[3].id]
    assert [each.id for each in penalties.list_penalties(client, KARI, PenaltyState.ACTIVE)] == active[:2]


def test_what_penalties_cost(client: ApiClient) -> None:
    store.begin()
    identity.expect_external(client.id, KARI)
    with measured() as usage:
        penalty = penalties.add(client, KARI, 1)
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]
    assert usage.write_units <= 4
    store.begin()
    with measured() as usage:
        penalties.list_penalties(client, KARI)
    assert usage.calls == ["BatchGetItem", "Query"]
    store.begin()
    with measured() as usage:
        penalties.resolve(client, KARI, penalty.id)
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    assert usage.write_units <= 4
