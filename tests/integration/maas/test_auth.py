"""Getting an access token, and what it opens."""

import json
from base64 import b64encode
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from botocore.session import Session

from kickstand.clients import access
from kickstand.clients import service as clients
from kickstand.clients.model import ApiClient
from kickstand.http import surface as http_surface
from kickstand.kernel import clock, store
from kickstand.kernel.store import Contention
from tests.support.api import Client, Reply, access_token, maas
from tests.support.city import NOBODY, City

GRANT = {"grant_type": "client_credentials"}
ANYONE = maas(None)


@pytest.fixture
def client(aws: Session) -> ApiClient:
    return City().client


@pytest.fixture
def credential(client: ApiClient) -> dict[str, str]:
    client_id, secret = clients.issue_credential(client.id)
    return {"client_id": client_id, "client_secret": secret}


def token(form: dict[str, str] | None = None, basic: str | None = None) -> Reply:
    headers = {"authorization": f"Basic {b64encode(basic.encode()).decode()}"} if basic is not None else {}
    return ANYONE.call("issue_token", form=GRANT if form is None else form, headers=headers)


def opens(presented: str) -> int:
    """The status that a harmless request gets."""
    return maas(presented).call("create_user", path={"userId": "kari"}).status


def refusal(reply: Reply) -> tuple[int, str, str]:
    assert reply.json.keys() == {"code", "message", "error", "error_description"}
    assert reply.json["message"] == reply.json["error_description"]
    return reply.status, reply.json["code"], reply.json["error"]


def test_a_client_gets_a_token_for_its_id_and_secret(client: ApiClient, credential: dict[str, str]) -> None:
    reply = token(GRANT | credential)
    assert reply.status == 200
    assert reply.headers["cache-control"] == "no-store"
    assert reply.json.keys() == {"access_token", "token_type", "expires_in"}
    assert (reply.json["token_type"], reply.json["expires_in"]) == ("Bearer", 3600)
    assert access.authenticate(reply.json["access_token"]).id == client.id
    assert opens(reply.json["access_token"]) == 200


def test_it_may_show_them_as_http_does(credential: dict[str, str]) -> None:
    pair = f"{credential['client_id']}:{credential['client_secret']}"
    assert token(basic=pair).status == 200
    assert token(basic=quote(credential["client_id"], safe="") + ":" + quote(credential["client_secret"])).status == 200
    assert token(GRANT | {"client_id": credential["client_id"]}, basic=pair).status == 200


def test_a_scope_is_passed_over(credential: dict[str, str]) -> None:
    reply = token(GRANT | credential | {"scope": "trips"})
    assert reply.status == 200
    assert "scope" not in reply.json


def test_the_clients_id_is_a_name_and_its_case_does_not_matter(credential: dict[str, str]) -> None:
    assert token(GRANT | credential | {"client_id": credential["client_id"].upper()}).status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"client_secret": "wrong"},
        {"client_secret": ""},
        {"client_id": str(NOBODY)},
        {"client_id": ""},
        {"client_id": "1"},
        {"client_id": "{9b39971c-8e51-4b32-aa07-dd2fee64c2b0}"},
        {"client_id": "ü" * 300},
    ],
)
def test_a_wrong_id_or_secret_is_refused_without_saying_which(
    credential: dict[str, str], change: dict[str, str]
) -> None:
    reply = token(GRANT | credential | change)
    assert refusal(reply) == (401, "unauthorized", "invalid_client")
    assert reply.headers["www-authenticate"] == 'Basic realm="kickstand"'
    assert reply.body == token(GRANT | credential | {"client_secret": "also wrong"}).body


@pytest.mark.parametrize("basic", ["", ":", "no colon", f"{NOBODY}:x", "ü:ü"])
def test_nothing_that_http_shows_wrongly_is_taken(aws: Session, basic: str) -> None:
    assert refusal(token(basic=basic)) == (401, "unauthorized", "invalid_client")


@pytest.mark.parametrize("header", ["Basic %%%", "Basic", "Basic /w==", "Bearer x", "Digest x"])
def test_a_header_that_shows_nothing_is_no_credential(aws: Session, header: str) -> None:
    reply = ANYONE.call("issue_token", form=GRANT, headers={"authorization": header})
    assert refusal(reply) == (401, "unauthorized", "invalid_client")


def test_no_credential_is_a_wrong_one(aws: Session) -> None:
    assert refusal(token()) == (401, "unauthorized", "invalid_client")
    assert refusal(token(GRANT | {"client_id": str(NOBODY)})) == (401, "unauthorized", "invalid_client")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "CLIENT_CREDENTIALS"}, "unsupported_grant_type"),
        ({"grantType": "client_credentials"}, "invalid_request"),
    ],
)
def test_other_grants_are_refused_in_the_words_of_oauth(
    credential: dict[str, str], form: dict[str, str], error: str
) -> None:
    assert refusal(token(form | credential)) == (400, "invalid_request", error)


def test_a_secret_is_shown_in_one_way_only(credential: dict[str, str]) -> None:
    reply = token(GRANT | credential, basic=f"{credential['client_id']}:{credential['client_secret']}")
    assert refusal(reply) == (400, "invalid_request", "invalid_request")


@pytest.mark.parametrize(
    "raw", ["grant_type=a&grant_type=a", "%ff=%ff", '{"grant_type": "client_credentials"}', "x" * 20_000]
)
def test_a_form_that_is_none_is_refused(aws: Session, raw: str) -> None:
    assert refusal(ANYONE.call("issue_token", raw=raw)) == (400, "invalid_request", "invalid_request")


def test_an_unreachable_database_is_an_internal_error(aws: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "load", lambda _: 1 / 0)
    reply = token(GRANT | {"client_id": str(NOBODY), "client_secret": "x"})
    assert (reply.status, reply.json.keys()) == (500, {"code", "message"})


def test_neither_secrets_nor_tokens_are_logged(credential: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    written = StringIO()
    monkeypatch.setattr(http_surface.logger.registered_handler, "stream", written)
    issued = token(GRANT | credential).json["access_token"]
    token(GRANT | credential | {"client_id": str(NOBODY)})
    client = maas(issued).with_headers(on_behalf_of="kari.nordmann@mail.example.com")
    client.call("create_user", path={"userId": "kari.nordmann@mail.example.com"})
    line = json.loads(written.getvalue().splitlines()[-1])
    assert line["client_id"]
    assert line["on_behalf_of"].startswith(f"{line['client_id']}#")
    for hidden in (credential["client_secret"], issued, issued.rpartition(".")[2], "nordmann"):
        assert hidden not in written.getvalue()


# ── What a token opens ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_is_valid_for_an_hour(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    issued = access_token(client.id)
    issued_at = clock.now()
    for minutes, status in ((59, 200), (60, 401)):
        later = issued_at + timedelta(minutes=minutes)
        monkeypatch.setattr(clock, "now", lambda later=later: later)
        assert opens(issued) == status


def test_a_revoked_credential_ends_its_tokens_at_once_and_no_others(
    client: ApiClient, credential: dict[str, str]
) -> None:
    old = token(GRANT | credential).json["access_token"]
    new = access_token(client.id)
    assert (opens(old), opens(new)) == (200, 200)
    store.begin()
    clients.revoke_credential(client.id, credential["client_secret"])
    assert (opens(old), opens(new)) == (401, 200)
    assert refusal(token(GRANT | credential)) == (401, "unauthorized", "invalid_client")


def test_two_who_issue_at_once_lose_neither_credential(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    store.begin()
    held = store.load  # both have read before either writes
    first = clients.issue_credential(client.id)

    def stale(key: store.Key[Any]) -> Any:
        item: Any = held(key)
        item.credentials = ()
        return item

    monkeypatch.setattr(store, "load", stale)
    with pytest.raises(Contention):
        clients.issue_credential(client.id)
    monkeypatch.undo()
    assert token(GRANT | {"client_id": first[0], "client_secret": first[1]}).status == 200


def test_a_token_of_one_client_is_of_no_use_with_another_ones_key(client: ApiClient) -> None:
    other = clients.register_client("Wanderer", "w@partner.example", [1])
    mine, theirs = access_token(client.id), access_token(other.id)
    head, claims, _ = mine.split(".")
    assert opens(f"{head}.{theirs.split('.')[1]}.{theirs.split('.')[2]}") == 401
    assert opens(f"{theirs.split('.')[0]}.{claims}.{mine.split('.')[2]}") == 401
    assert jwt.get_unverified_header(mine)["kid"] != jwt.get_unverified_header(theirs)["kid"]


def test_a_token_of_the_other_surface_opens_nothing(client: ApiClient) -> None:
    assert opens(clients.issue_token(client.id)) == 401
    assert Client("voi", {"x-auth-token": access_token(client.id)}).call("list_products").status == 401
