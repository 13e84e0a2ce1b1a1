"""Identifiers: ordered by time, small enough for every client, and inside the UUIDs made of them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kickstand.kernel import clock, ids

ANY_ID = st.integers(0, 2**53 - 1)


@given(ANY_ID)
def test_a_uuid_gives_its_id_back(identifier: int) -> None:
    uuid = ids.new_uuid(identifier)
    assert (uuid.version, uuid.variant) == (4, "specified in RFC 4122")
    assert ids.id_of(uuid) == identifier


@given(ANY_ID)
def test_one_id_has_many_uuids(identifier: int) -> None:
    assert ids.new_uuid(identifier) != ids.new_uuid(identifier)


@given(st.uuids(version=4))
def test_a_foreign_uuid_names_nothing_larger_than_an_id(uuid: UUID) -> None:
    assert 0 <= ids.id_of(uuid) < 2**53


def test_neighbours_do_not_resemble_each_other() -> None:
    first, second = (ids.uuid_of(number, nonce=5) for number in (1, 2))
    assert first.int >> 60 == second.int >> 60  # the same nonce
    assert ids.id_of(uuid4()) != ids.id_of(uuid4())


def test_ids_grow_with_time_until_2059(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for day in range(0, 34 * 365, 100):
        at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=day, milliseconds=day)
        monkeypatch.setattr(clock, "now", lambda at=at: at)
        drawn.append(ids.new_id())
        assert abs(ids.created_at(drawn[-1]) - at) < timedelta(milliseconds=1)
    assert drawn == sorted(drawn)
    assert drawn[-1] < 2**53


def test_ids_of_one_moment_differ() -> None:
    assert len({ids.new_id() for _ in range(50)}) > 40


def test_the_first_id_of_a_moment_is_before_all_others_of_it() -> None:
    identifier = ids.new_id()
    at = ids.created_at(identifier)
    assert ids.first_id(at) <= identifier < ids.first_id(at + timedelta(milliseconds=1))
    assert ids.first_id(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert ids.first_id(datetime(9999, 1, 1, tzinfo=UTC)) == ids.HIGHEST


@given(ANY_ID)
def test_a_token_gives_its_id_back_and_is_never_the_same(identifier: int) -> None:
    token = ids.new_token(identifier)
    assert ids.id_in(token) == identifier
    assert token != ids.new_token(identifier)


@given(st.text(max_size=60))
def test_what_is_no_token_names_nothing(text: str) -> None:
    assert ids.id_in(text) is None or len(text) == 43


@pytest.mark.parametrize("token", ["", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "é", "A" * 42 + "\n"])
def test_a_token_has_its_length_and_its_letters(token: str) -> None:
    assert ids.id_in(token) is None


def test_a_process_never_draws_an_id_twice_and_they_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    drawn = [ids.new_id() for _ in range(20_000)]
    assert drawn == sorted(set(drawn))
    assert ids.created_at(drawn[-1]) - now < timedelta(seconds=1)


def test_ids_follow_a_clock_that_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    ids.new_id()
    monkeypatch.setattr(clock, "now", lambda: now - timedelta(days=1))
    assert now - ids.created_at(ids.new_id()) >= timedelta(days=1)
