"""A client of the MaaS API gets access tokens, loses them to time and to revocation, and gets others."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import urllib3

from kickstand.clients import service as clients
from kickstand.kernel import store
from tests.support.http import Answer, Http
from tests.support.town import Town


@dataclass(frozen=True)
class Backend:
    """A client's backend: it knows its id and its secret."""

    town: Town
    client_id: str
    secret: str

    def token(self, **differently: str) -> Answer:
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.secret}
        return Http(self.town.platform.url).call("POST", "/maas/auth/token", form=form | differently)

    def asks(self, token: str) -> int:
        """The status of a harmless request."""
        api = Http(self.town.platform.url + "/maas", {"Authorization": f"Bearer {token}"})
        return api.call("PUT", "/users/kari").status


@pytest.fixture
def owner(town: Town) -> Iterator[int]:
    store.begin()
    yield clients.register_client("Wanderer", "w@partner.example", [1]).id
    store.begin()


@pytest.fixture
def backend(town: Town, owner: int) -> Backend:
    return Backend(town, *clients.issue_credential(owner))


def test_a_token_opens_the_api_for_an_hour(town: Town, backend: Backend) -> None:
    issued = backend.token()
    assert issued.status == 200
    assert issued.headers["cache-control"] == "no-store"
    token = issued.json["access_token"]
    assert backend.asks(token) == 200
    town.passes(seconds=issued.json["expires_in"] - 60)
    assert backend.asks(token) == 200
    town.passes(seconds=60)
    assert backend.asks(token) == 401
    assert backend.asks(backend.token().json["access_token"]) == 200


def test_the_id_and_the_secret_may_come_as_http_has_it(town: Town, backend: Backend) -> None:
    basic = urllib3.make_headers(basic_auth=f"{backend.client_id}:{backend.secret}")
    form = {"grant_type": "client_credentials"}
    issued = Http(town.platform.url).call("POST", "/maas/auth/token", form=form, headers=basic)
    assert backend.asks(issued.json["access_token"]) == 200


def test_a_revoked_secret_takes_its_tokens_with_it(town: Town, backend: Backend, owner: int) -> None:
    store.begin()
    successor = Backend(town, *clients.issue_credential(owner))
    old, new = (each.token().json["access_token"] for each in (backend, successor))
    assert (backend.asks(old), backend.asks(new)) == (200, 200)
    store.begin()
    clients.revoke_credential(owner, backend.secret)
    assert (backend.asks(old), backend.asks(new)) == (401, 200)
    assert backend.token().json["error"] == "invalid_client"
    assert successor.token().status == 200


def test_who_is_refused_learns_how_to_ask(town: Town, backend: Backend) -> None:
    refused = backend.token(client_secret="wrong")
    assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Basic realm="kickstand"')
    assert refused.json["code"] == "unauthorized"
    unknown = Http(town.platform.url + "/maas").call("PUT", "/users/kari")
    assert (unknown.status, unknown.headers["www-authenticate"]) == (401, 'Bearer realm="kickstand"')
    assert unknown.json.keys() == {"code", "message"}


def test_the_demos_client_is_let_in(town: Town) -> None:
    described = town.http.get("/_local/demo").json["surfaces"]["maas"]
    api = Http(town.platform.url + described["base"], described["headers"])
    assert api.call("PUT", f"/users/{described['ids']['userId']}").json == {"id": described["ids"]["userId"]}
    demo = Backend(town, described["client"]["id"], described["client"]["secret"])
    assert demo.asks(demo.token().json["access_token"]) == 200


def test_the_reference_shows_both_surfaces(town: Town) -> None:
    for surface, operation in (("maas", "issue_token"), ("voi", "start_rental")):
        assert f'href="/docs/{surface}"' in town.http.get("/docs").content.decode()
        assert operation in town.http.get(f"/docs/{surface}/openapi.json").content.decode()
