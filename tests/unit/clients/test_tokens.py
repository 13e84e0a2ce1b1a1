"""Tokens of partners."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kickstand.clients import tokens
from kickstand.clients.model import ApiClient, Token

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def client(*kept: Token) -> ApiClient:
    return ApiClient(
        id=7, public_id=UUID(int=7), name="A", email="a@b.example", network_ids=frozenset({1}), tokens=kept
    )


@given(st.integers(0, 2**53 - 1))
def test_a_token_names_its_partner(client_id: int) -> None:
    secret, token = tokens.mint(client_id, NOW)
    assert tokens.client_id(secret) == client_id
    assert secret not in token.model_dump_json()


def test_a_token_lasts_three_years() -> None:
    secret, token = tokens.mint(7, NOW)
    assert tokens.admits(client(token), secret, NOW + timedelta(days=1094))
    assert not tokens.admits(client(token), secret, NOW + timedelta(days=1095))


def test_tokens_are_rotated_by_having_two() -> None:
    old, new = tokens.mint(7, NOW), tokens.mint(7, NOW)
    assert tokens.admits(client(old[1], new[1]), old[0], NOW)
    assert tokens.admits(client(new[1]), new[0], NOW)
    assert not tokens.admits(client(new[1]), old[0], NOW)


@pytest.mark.parametrize(
    "secret", ["", "kst", "kst_", "kst_7", "kst__x", "abc_7_x", "kst_7!_x", "kst_٣_x", "kst_7_" + "x" * 200]
)
def test_what_is_no_token_names_nobody(secret: str) -> None:
    assert tokens.client_id(secret) is None


@given(st.text(max_size=140))
def test_noise_is_no_token(secret: str) -> None:
    assert tokens.client_id(secret) is None or secret.startswith("kst_")
