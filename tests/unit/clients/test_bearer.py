"""Access tokens of clients."""

import base64
import json
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt.warnings import InsecureKeyLengthWarning

from kickstand.clients import bearer, tokens
from kickstand.clients.model import ApiClient, Credential

NOW = datetime(2026, 5, 4, tzinfo=UTC)
SECRET, CREDENTIAL = tokens.mint_credential(70, NOW)
_, ROTATED = tokens.mint_credential(71, NOW)


def client(*credentials: Credential, id: int = 7) -> ApiClient:
    return ApiClient(
        id=id,
        public_id=UUID(int=id),
        name="A",
        email="a@b.example",
        network_ids=frozenset({1}),
        credentials=credentials,
    )


OURS = client(CREDENTIAL)
TOKEN = bearer.sign(OURS, CREDENTIAL, NOW)


def admitted(token: str, to: ApiClient = OURS, at: datetime = NOW) -> bool:
    name = bearer.key_name(token)
    return name is not None and bearer.admits(to, name, token, at)


def forged(key: bytes | str | None = None, algorithm: str = "HS256", kid: object = "7.70", **claims: Any) -> str:
    """A token like ours in all that is not said."""
    said = {"iss": "kickstand", "sub": str(OURS.public_id), "iat": NOW, "exp": NOW + bearer.LIFETIME} | claims
    kept = {name: value for name, value in said.items() if value is not None}
    own_key = bytes.fromhex(CREDENTIAL.signing_key)
    with warnings.catch_warnings(action="ignore", category=InsecureKeyLengthWarning):
        return jwt.encode(kept, own_key if key is None else key, algorithm, headers={"kid": kid})


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_a_token_names_its_client_and_its_key() -> None:
    assert bearer.key_name(TOKEN) == bearer.KeyName(client_id=7, credential_id=70)


def test_a_token_lasts_an_hour() -> None:
    assert admitted(TOKEN)
    assert admitted(TOKEN, at=NOW + timedelta(minutes=59, seconds=59))
    assert not admitted(TOKEN, at=NOW + timedelta(hours=1))


def test_a_token_says_no_more_than_it_must() -> None:
    assert jwt.decode(TOKEN, options={"verify_signature": False}) == {
        "iss": "kickstand",
        "sub": str(OURS.public_id),
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 3600,
    }
    assert jwt.get_unverified_header(TOKEN) == {"alg": "HS256", "typ": "JWT", "kid": "7.70"}


def test_what_is_kept_tells_nothing_of_the_secret() -> None:
    assert SECRET not in CREDENTIAL.model_dump_json()
    assert CREDENTIAL.signing_key not in repr(OURS)
    assert CREDENTIAL.signing_key != ROTATED.signing_key


def test_credentials_are_rotated_by_having_two() -> None:
    new = bearer.sign(OURS, ROTATED, NOW)
    assert admitted(TOKEN, client(CREDENTIAL, ROTATED))
    assert admitted(new, client(CREDENTIAL, ROTATED))
    assert not admitted(TOKEN, client(ROTATED))
    assert admitted(new, client(ROTATED))


def test_a_forged_token_like_ours_would_be_admitted() -> None:
    assert admitted(forged())


HEAD, CLAIMS, SIGNATURE = TOKEN.split(".")
NOT_OURS = {
    "the key of another credential": forged(key=bytes.fromhex(ROTATED.signing_key)),
    "somebody's own key": forged(key="a secret of somebody's own, of 32 bytes"),
    "the secret's digest as key": forged(key=CREDENTIAL.digest),
    "HS512": forged(algorithm="HS512"),
    "HS384": forged(algorithm="HS384"),
    "another client's key": forged(kid="8.70"),
    "an unknown key": forged(kid="7.71"),
    "a key with a nought before it": forged(kid="07.70"),
    "a key with a third part": forged(kid="7.70.1"),
    "a key in other digits": forged(kid="\N{ARABIC-INDIC DIGIT SEVEN}.70"),
    "a key that is too long": forged(kid=f"{10**17}.70"),
    "a key that is a path": forged(kid="../../dev/null"),
    "no key": forged(kid=""),
    "another client": forged(sub=str(UUID(int=8))),
    "no client": forged(sub=None),
    "another issuer": forged(iss="somebody else"),
    "no issuer": forged(iss=None),
    "no end": forged(exp=None),
    "no beginning": forged(iat=None),
    "over": forged(exp=NOW),
    "unsigned": f"{encoded({'alg': 'none', 'kid': '7.70'})}.{CLAIMS}.",
    "unsigned, with a signature": f"{encoded({'alg': 'none', 'kid': '7.70'})}.{CLAIMS}.{SIGNATURE}",
    "a number as key": f"{encoded({'alg': 'HS256', 'kid': 70})}.{CLAIMS}.{SIGNATURE}",
    "something critical": f"{encoded({'alg': 'HS256', 'kid': '7.70', 'crit': ['exp']})}.{CLAIMS}.{SIGNATURE}",
    "claims in the clear": f"{encoded({'alg': 'HS256', 'kid': '7.70', 'b64': False})}.{CLAIMS}.{SIGNATURE}",
    "a list as head": f"{encoded(['HS256'])}.{CLAIMS}.{SIGNATURE}",
    "other claims": f"{HEAD}.{encoded({'sub': 'x'})}.{SIGNATURE}",
    "a list as claims": f"{HEAD}.{encoded([])}.{SIGNATURE}",
    "cut": TOKEN[:-1],
    "another signature": f"{HEAD}.{CLAIMS}.{SIGNATURE[::-1]}",
    "no signature": f"{HEAD}.{CLAIMS}",
    "an empty signature": f"{HEAD}.{CLAIMS}.",
    "a fourth part": f"{TOKEN}.x",
    "too long": TOKEN + "x" * 500,
    "nothing": "",
    "three nothings": "..",
    "a token of another surface": "kst_1_demo",
    "letters beyond ASCII": "\u00fc" * 20,
    "brackets": "[" * 300,
}


@pytest.mark.parametrize("kind", NOT_OURS)
def test_what_is_not_our_token_is_not_admitted(kind: str) -> None:
    assert not admitted(NOT_OURS[kind])


def test_a_token_of_another_client_is_not_admitted() -> None:
    theirs = client(CREDENTIAL, id=8)  # even one that had the same credential
    token = bearer.sign(theirs, CREDENTIAL, NOW)
    assert admitted(token, theirs)
    assert not admitted(token)


@given(st.text(max_size=600))
def test_noise_is_no_token(noise: str) -> None:
    assert bearer.key_name(noise) is None


@given(st.tuples(st.binary(max_size=120), st.binary(max_size=120), st.binary(max_size=40)))
def test_noise_in_the_form_of_a_token_is_none(parts: tuple[bytes, ...]) -> None:
    assert not admitted(".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts))
