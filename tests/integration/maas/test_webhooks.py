"""Webhooks as clients of the MaaS surface arrange them."""

import io
import re
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta
from typing import Any, Final

import pytest

from kickstand.http import surface as http_surface
from kickstand.kernel import store
from kickstand.webhooks import gateway
from kickstand.webhooks import service as engine
from kickstand.webhooks.errors import TargetRefused
from kickstand.webhooks.rules import MOST_ENDPOINTS, Target
from local.server import Tables
from maas import events
from maas.webhooks import Event
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.post_office import PostOffice, failing

URL: Final = "https://partner.example/hooks"
SECRET: Final = "a secret of the partner's own choice".replace(" ", "-")


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


@pytest.fixture
def office(city: City, monkeypatch: pytest.MonkeyPatch) -> PostOffice:
    monkeypatch.setenv("WEBHOOK_TARGETS", "public")
    return PostOffice(monkeypatch)


@pytest.fixture
def owner(city: City, office: PostOffice) -> int:
    store.begin()
    return city.partner("Wheels")[0].id


@pytest.fixture
def api(owner: int) -> Client:
    return maas(access_token(owner))


def create(api: Client, url: str = URL, **body: Any) -> Reply:
    return api.call("create_webhook", body={"url": url} | body)


def act(api: Client, operation: str, webhook_id: object, body: object = None) -> Reply:
    return api.call(f"{operation}", path={"webhookId": str(webhook_id)}, body=body)


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["code"]


def publish(client_id: int, *event_ids: str, path: str = events.TRIPS, subject: str = "trip-1") -> None:
    for each in event_ids:
        store.begin()
        engine.publish(client_id, path, subject, each, {"id": each})


def deliveries(api: Client, webhook_id: object, **query: str) -> list[dict[str, Any]]:
    reply = api.call("list_webhook_deliveries", path={"webhookId": str(webhook_id)}, query=query)
    assert reply.status == 200, reply.json
    return list(reply.json["data"])


# ── Arrangements ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_webhook_as_it_is_made_and_shown(api: Client) -> None:
    made = create(api).json
    assert len(made["secret"]) >= 32
    assert {name: made[name] for name in made.keys() - {"id", "createdAt", "secret"}} == {
        "url": URL,
        "events": ["*"],
        "state": "active",
    }
    shown = act(api, "get_webhook", made["id"]).json
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert api.call("list_webhooks").json == {"data": [shown]}


def test_however_many_are_made_at_once_everybody_gets_an_answer(api: Client) -> None:
    def make(number: int) -> Reply:
        return copy_context().run(create, api, f"https://hooks.example/{number}")

    with ThreadPoolExecutor(MOST_ENDPOINTS + 6) as pool:
        replies = list(pool.map(make, range(MOST_ENDPOINTS + 6)))
    assert sorted(reply.status for reply in replies) == [200] * MOST_ENDPOINTS + [409] * 6
    assert {reply.json["id"] for reply in replies if reply.status == 200} == {
        each["id"] for each in api.call("list_webhooks").json["data"]
    }


def test_changes_at_once_keep_each_other(api: Client) -> None:
    made = [create(api, f"https://hooks.example/{number}").json["id"] for number in range(8)]

    def alter(webhook_id: int) -> int:
        even = made.index(webhook_id) % 2 == 0
        arguments = ("update_webhook", webhook_id, {"enabled": False}) if even else ("delete_webhook", webhook_id)
        return copy_context().run(act, api, *arguments).status

    with ThreadPoolExecutor(len(made)) as pool:
        assert set(pool.map(alter, made)) == {200}
    left = api.call("list_webhooks").json["data"]
    assert [(each["id"], each["state"]) for each in left] == [(each, "disabled") for each in made[::2]]


def test_a_secret_of_ones_own_is_never_shown(api: Client) -> None:
    reply = create(api, secret=SECRET)
    assert reply.status == 200
    assert SECRET not in reply.body.decode()
    assert SECRET not in api.call("list_webhooks").body.decode()


def test_events_are_the_documented_paths() -> None:
    ours = {events.TRIPS, events.RESERVATIONS, events.INVOICES, events.PENALTIES, events.MESSAGES, events.LOST_VEHICLES}
    assert {each.path for each in Event if each is not Event.ALL} == ours


def test_a_webhook_gets_the_events_that_it_wants(api: Client, owner: int, office: PostOffice) -> None:
    webhook = create(api, events=["reservations", "users/invoices"]).json
    assert webhook["events"] == ["reservations", "users/invoices"]
    publish(owner, "1", path=events.TRIPS)
    publish(owner, "2", path=events.RESERVATIONS)
    office.settle()
    assert [each.url for each in office.parcels] == [f"{URL}/reservations"]
    assert act(api, "update_webhook", webhook["id"], {"events": ["trips/events"]}).json["events"] == ["trips/events"]
    publish(owner, "3", path=events.TRIPS)
    office.settle()
    assert [each.url for each in office.parcels][1:] == [f"{URL}/trips/events"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": ""},
        {"url": 7},
        {"url": "http://partner.example"},
        {"url": "https://user:word@partner.example"},
        {"url": "https://partner.example/?a=b"},
        {"url": "https://" + "a" * 1000},
        {"url": URL, "events": []},
        {"url": URL, "events": ["trips"]},
        {"url": URL, "events": "trips/events"},
        {"url": URL, "secret": "short"},
        {"url": URL, "secret": "blanks are not visible characters of a secret"},
    ],
)
def test_what_cannot_be_a_webhook(api: Client, body: dict[str, Any]) -> None:
    assert error(api.call("create_webhook", body=body)) == (400, "invalid_request")
    assert api.call("list_webhooks").json == {"data": []}


def test_where_no_events_are_sent_is_said(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Target) -> None:
        raise TargetRefused("The URL's host has an address that is not public")

    monkeypatch.setattr(gateway, "check", refuse)
    reply = create(api)
    assert error(reply) == (400, "invalid_request")
    assert "not public" in reply.json["message"]


def test_one_url_has_one_webhook_and_a_client_has_twenty(api: Client) -> None:
    first = create(api, f"{URL}/0").json
    assert error(create(api, f"{URL}/0/")) == (409, "invalid_state")
    for number in range(1, 20):
        assert create(api, f"{URL}/{number}").status == 200
    reply = create(api, f"{URL}/20")
    assert error(reply) == (409, "invalid_state")
    assert "20" in reply.json["message"]
    assert act(api, "delete_webhook", first["id"]).json == {"webhookId": first["id"]}
    assert create(api, f"{URL}/20").status == 200
    second = api.call("list_webhooks").json["data"][0]
    assert error(act(api, "update_webhook", second["id"], {"url": f"{URL}/20"})) == (409, "invalid_state")


def test_a_webhook_can_move(api: Client, owner: int, office: PostOffice) -> None:
    webhook = create(api).json
    moved = act(api, "update_webhook", webhook["id"], {"url": "https://other.example/"}).json
    assert moved["url"] == "https://other.example"
    assert moved["events"] == ["*"]
    publish(owner, "1")
    office.settle()
    assert office.parcels[0].url == "https://other.example/trips/events"
    assert error(act(api, "update_webhook", webhook["id"], {"url": "ftp://other.example"})) == (400, "invalid_request")


def test_a_webhook_can_be_disabled_and_enabled(api: Client, owner: int, office: PostOffice) -> None:
    webhook = create(api).json
    paused = act(api, "update_webhook", webhook["id"], {"enabled": False}).json
    assert (paused["state"], paused["disabledReason"]) == ("disabled", "paused")
    publish(owner, "1")
    office.settle()
    assert error(act(api, "replay_webhook", webhook["id"])) == (409, "invalid_state")
    enabled = act(api, "update_webhook", webhook["id"], {"enabled": True}).json
    assert enabled["state"] == "active"
    assert "disabledReason" not in enabled
    publish(owner, "2")
    office.settle()
    assert office.taken == ["2"]


def test_a_webhook_that_answered_410_says_so(api: Client, owner: int, office: PostOffice) -> None:
    webhook = create(api).json
    office.conduct = failing(410)
    publish(owner, "1")
    office.settle()
    shown = act(api, "get_webhook", webhook["id"]).json
    assert (shown["state"], shown["disabledReason"]) == ("disabled", "gone")


def test_a_secret_is_changed(api: Client, owner: int, office: PostOffice) -> None:
    webhook = create(api).json
    rotated = act(api, "rotate_webhook_secret", webhook["id"]).json
    assert rotated["secret"] != webhook["secret"]
    assert rotated["formerSecretsUntil"] > rotated["createdAt"]
    own = act(api, "rotate_webhook_secret", webhook["id"], {"secret": SECRET, "overlapHours": 0}).json
    assert "secret" not in own
    assert "formerSecretsUntil" not in own
    again = act(api, "rotate_webhook_secret", webhook["id"], {"secret": SECRET}).json
    assert again == own
    publish(owner, "1")
    office.settle()  # the office checks the signature with the secret that is valid now
    assert office.taken == ["1"]
    for body in ({"secret": "short"}, {"overlapHours": -1}, {"overlapHours": 73}, {"overlapHours": "1"}):
        assert error(act(api, "rotate_webhook_secret", webhook["id"], body)) == (400, "invalid_request")


# ── Deliveries ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_delivery_as_it_is_shown(api: Client, owner: int, office: PostOffice) -> None:
    webhook = create(api).json
    office.conduct = failing(503)
    publish(owner, "1")
    office.settle()
    (waiting,) = deliveries(api, webhook["id"])
    assert {name: waiting[name] for name in waiting.keys() - {"createdAt", "nextAttemptAt"}} == {
        "uowid": f"{webhook['id']}.trip-1.1",
        "event": "trips/events",
        "state": "retrying",
        "attempts": 1,
        "failure": "status",
        "statusCode": 503,
        "payload": {"id": "1"},
    }
    assert waiting["nextAttemptAt"] > waiting["createdAt"]
    office.passes(timedelta(seconds=1))
    assert act(api, "replay_webhook", webhook["id"]).json == {"webhookId": webhook["id"], "state": "accepted"}
    office.settle()
    (delivered,) = deliveries(api, webhook["id"])
    assert delivered["state"] == "delivered"
    assert "deliveredAt" in delivered
    assert "failure" not in delivered


def test_deliveries_are_shown_by_pages_and_by_state(api: Client, owner: int, office: PostOffice) -> None:
    webhook = create(api).json
    publish(owner, *"12345")
    office.settle()
    found: list[str] = []
    query = {"limit": "2"}
    while True:
        page = api.call("list_webhook_deliveries", path={"webhookId": str(webhook["id"])}, query=query).json
        found += [each["payload"]["id"] for each in page["data"]]
        if "after" not in page:
            break
        assert re.fullmatch(r"[\w-]+", page["after"])
        query["after"] = page["after"]
    assert sorted(found) == list("12345")
    assert deliveries(api, webhook["id"], state="parked") == []
    assert len(deliveries(api, webhook["id"], state="delivered")) == 5


@pytest.mark.parametrize(
    "query", [{"state": "lost"}, {"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"after": "%"}, {"after": "a" * 401}]
)
def test_what_cannot_be_asked_for(api: Client, query: dict[str, str]) -> None:
    webhook = create(api).json
    reply = api.call("list_webhook_deliveries", path={"webhookId": str(webhook["id"])}, query=query)
    assert error(reply) == (400, "invalid_request")


def test_a_page_follows_only_the_one_before(api: Client, owner: int) -> None:
    webhook, other = create(api).json, create(api, url="https://hooks.example/other").json
    publish(owner, "1", "2", "3")

    def ask(of: dict[str, Any], **query: str) -> Reply:
        return api.call("list_webhook_deliveries", path={"webhookId": str(of["id"])}, query={"limit": "1", **query})

    after = ask(webhook).json["after"]
    assert ask(webhook, after=after).status == 200
    assert error(ask(other, after=after)) == (400, "invalid_request")
    assert error(ask(webhook, after=after, state="pending")) == (400, "invalid_request")
    assert error(ask(webhook, after="MQ")) == (400, "invalid_request")


def test_events_are_sent_again(api: Client, owner: int, office: PostOffice) -> None:
    webhook = create(api).json
    publish(owner, "1", "2")
    office.settle()
    uowid = deliveries(api, webhook["id"])[0]["uowid"]
    assert act(api, "replay_webhook", webhook["id"], {"uowid": uowid}).status == 200
    office.settle()
    assert len(office.taken) == 3
    since = deliveries(api, webhook["id"])[0]["createdAt"]
    office.passes(timedelta(seconds=1))
    assert act(api, "replay_webhook", webhook["id"], {"since": since}).status == 200
    office.settle()
    assert len(office.taken) == 5
    assert act(api, "replay_webhook", webhook["id"], {"since": since, "uowid": uowid}).status == 400
    assert act(api, "replay_webhook", webhook["id"], {"since": "yesterday"}).status == 400
    assert act(api, "replay_webhook", webhook["id"], {"since": 0}).status == 400
    assert act(api, "replay_webhook", webhook["id"], {"since": "0"}).status == 400
    assert error(act(api, "replay_webhook", webhook["id"], {"uowid": "unheard-of"})) == (404, "webhook_not_found")


# ── Others ───────────────────────────────────────────────────────────────────────────────────────────────────────────

OPERATIONS: Final[dict[str, object]] = {
    "get_webhook": None,
    "update_webhook": {},
    "delete_webhook": None,
    "rotate_webhook_secret": None,
    "replay_webhook": None,
    "list_webhook_deliveries": None,
}


@pytest.mark.parametrize(("operation", "body"), OPERATIONS.items(), ids=OPERATIONS)
def test_another_clients_webhook_does_not_exist(
    city: City, api: Client, office: PostOffice, operation: str, body: object
) -> None:
    webhook = create(api).json
    store.begin()
    other = maas(access_token(city.partner("Other")[0].id))
    assert error(act(other, operation, webhook["id"], body)) == (404, "webhook_not_found")
    assert other.call("list_webhooks").json == {"data": []}
    assert act(api, "get_webhook", webhook["id"]).json["state"] == "active"


@pytest.mark.parametrize("webhook_id", ["0", "-1", "x", "9007199254740992"])
def test_what_is_no_id(api: Client, webhook_id: str) -> None:
    assert error(act(api, "get_webhook", webhook_id)) == (400, "invalid_request")


def test_nobody_arranges_anything_without_a_token(office: PostOffice) -> None:
    assert error(create(maas(None))) == (401, "unauthorized")


def test_secrets_and_addresses_are_in_no_log(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = io.StringIO()
    for handler in http_surface.logger.handlers:
        monkeypatch.setattr(handler, "stream", logged)
    made = create(api, secret=SECRET).json
    act(api, "rotate_webhook_secret", made["id"], {"secret": SECRET + "-2"})
    assert "create_webhook" in logged.getvalue()
    assert SECRET not in logged.getvalue()
    assert URL not in logged.getvalue()


def test_a_webhook_is_one_read_and_one_write(api: Client) -> None:
    with measured() as spent:
        assert create(api).status == 200
    assert spent.calls == ["BatchGetItem", "PutItem"]
