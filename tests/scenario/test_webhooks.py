"""A client's server and everything that can happen to it, told over HTTP and in the platform's own time."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID

import pytest

from kickstand.kernel import ids, store
from kickstand.webhooks import gateway
from kickstand.webhooks import service as engine
from tests.support.maas import MaasClient
from tests.support.receivers import Received, Receiver, is_genuine, running_receiver
from tests.support.town import Town, until

TRIPS: Final = "/trips/events"
HOUR: Final = timedelta(hours=1)
_names = count()


class Hook:
    """A webhook of a client of its own, and the server behind it."""

    def __init__(self, town: Town, server: Receiver) -> None:
        self.town = town
        self.server = server
        self.client: MaasClient = town.client(f"Wheels {next(_names)}")
        made = self.client.http.post("/webhooks", {"url": f"{server.url}/hooks"})
        assert made.status == 200, made.body
        self.id, self.secret = made.json["id"], made.json["secret"]

    def happens(self, *events: str, trip: str = "1") -> None:
        """Things happen to a trip, one after the other."""
        for each in events:
            store.begin()
            payload = {"id": int(trip), "event": each, "totalDistance": 1250.0, "comment": "Bodø 🚲"}
            engine.publish(ids.id_of(UUID(self.client.client_id)), TRIPS, f"trip-{trip}", each, payload)

    def got(self, trip: str = "1") -> list[str]:
        """What the server has heard of a trip, taken or not, in its order; everything was genuine."""
        now_ms = int(self.town.now.timestamp() * 1000)
        for each in self.server.got:
            signature = each.headers["urbansharing-signature"]
            assert is_genuine(self.secret, signature, each.body, now_ms=now_ms, max_age_ms=0)
            assert each.path == f"/hooks{TRIPS}"
        return [each["event"] for each in self.server.documents() if each["id"] == int(trip)]

    def hears(self, many: int, trip: str = "1") -> list[str]:
        """What the server has heard once it is so much."""
        until(lambda: len(self.got(trip)) >= many, what=f"{many} events of the trip {trip}")
        return self.got(trip)

    def deliveries(self, **query: str) -> list[dict[str, Any]]:
        """What has become of events."""
        return list(self.client.http.get(f"/webhooks/{self.id}/deliveries", query=query).json["data"])

    def states(self) -> Counter[str]:
        """How many deliveries are in which state."""
        return Counter(each["state"] for each in self.deliveries())

    def passes(self, span: timedelta) -> None:
        """Time passes."""
        self.town.passes(seconds=span.total_seconds())


@pytest.fixture
def server() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def hook(town: Town, server: Receiver) -> Hook:
    return Hook(town, server)


class Taking:
    """A server that takes nothing while it is told so."""

    def __init__(self, status: int) -> None:
        self.status = status

    def __call__(self, _received: Received, _connection: socket.socket) -> int:
        return self.status


def test_events_arrive_in_order_and_are_in_the_outbox(hook: Hook) -> None:
    hook.happens("1", "2", "3")
    hook.happens("4", trip="2")
    assert hook.hears(3) == ["1", "2", "3"]
    assert hook.hears(1, trip="2") == ["4"]
    assert (
        hook.server.got[0].body == b'{"id":1,"event":"1","totalDistance":1250,"comment":"Bod\xc3\xb8 \xf0\x9f\x9a\xb2"}'
    )
    hook.town.settle()
    assert hook.states() == {"delivered": 4}
    sent = [each for each in hook.town.http.get("/_local/outbox").json["webhooks"] if str(hook.id) in json.dumps(each)]
    assert [each["body"]["event"] for each in sent if each["body"]["id"] == 1] == ["1", "2", "3"]
    assert {each["status"] for each in sent} == {200}


def test_a_server_that_fails_five_times(hook: Hook) -> None:
    failures = iter([500, 302, 404, 503, 500])
    hook.server.conduct = lambda _received, _connection: next(failures, 200)
    hook.happens("1", "2")
    for many in range(1, 6):
        assert hook.hears(many) == ["1"] * many
        hook.town.settle()
        hook.passes(HOUR)
    assert hook.hears(7) == ["1"] * 6 + ["2"]
    names = [each.headers["uowid"] for each in hook.server.got]
    assert len(set(names[:6])) == 1
    assert len({each.headers["urbansharing-signature"] for each in hook.server.got}) == 7
    hook.town.settle()
    assert hook.states() == {"delivered": 2}


def test_a_server_that_answers_slowly(hook: Hook, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "DEADLINE_S", 0.5)
    with running_receiver() as other_server:
        other = Hook(town, other_server)
        slow, over = iter([True]), threading.Event()

        def conduct(_received: Received, _connection: socket.socket) -> int:
            if next(slow, False):
                over.wait(30)
            return 200

        hook.server.conduct = conduct
        hook.happens("1", "2")
        assert hook.hears(1) == ["1"]
        other.happens("1")
        assert other.hears(1) == ["1"]  # nobody else waits
        town.settle()
        over.set()
        hook.passes(timedelta(seconds=10))
        assert hook.hears(3) == ["1", "1", "2"]
        town.settle()
        assert hook.states() == {"delivered": 2}


def test_a_server_that_dies_while_it_answers(hook: Hook) -> None:
    dying = iter([True])

    def conduct(_received: Received, connection: socket.socket) -> int | None:
        if next(dying, False):
            connection.shutdown(socket.SHUT_RDWR)
            return None
        return 200

    hook.server.conduct = conduct
    hook.happens("1", "2")
    assert hook.hears(1) == ["1"]
    hook.town.settle()
    hook.passes(timedelta(seconds=10))
    assert hook.hears(3) == ["1", "1", "2"]
    assert hook.server.got[0].headers["uowid"] == hook.server.got[1].headers["uowid"]


def test_a_server_that_is_away_for_days(hook: Hook) -> None:
    hook.server.conduct = taking = Taking(503)
    hook.happens("1", "2")
    hook.happens("3", trip="2")
    hook.town.settle()
    for _ in range(20):
        hook.passes(4 * HOUR)
    assert hook.states() == {"parked": 3}
    oldest, second, third = sorted(hook.deliveries(state="parked"), key=lambda each: each["attempts"], reverse=True)
    assert oldest["attempts"] >= second["attempts"] > 10
    assert (oldest["statusCode"], third["attempts"]) == (503, 0)
    assert set(hook.got()) == {"1"}  # what comes behind waits
    executions = hook.town.http.get("/_local/workflows").json["executions"]
    ours = [each for each in executions if json.loads(each["input"]).get("endpoint_id") == hook.id]
    assert [each["status"] for each in ours] == ["FAILED", "FAILED"]

    hook.server.got.clear()
    taking.status = 200
    hook.passes(24 * HOUR)
    assert hook.server.got == []
    assert hook.client.http.post(f"/webhooks/{hook.id}/replay").status == 200
    assert hook.hears(2) == ["1", "2"]
    assert hook.hears(1, trip="2") == ["3"]
    hook.town.settle()
    assert hook.states() == {"delivered": 3}
    hook.passes(24 * HOUR)
    assert len(hook.server.got) == 3


def test_a_server_that_wants_nothing_more(hook: Hook) -> None:
    hook.server.conduct = taking = Taking(410)
    hook.happens("1", "2")
    hook.town.settle()
    hook.happens("3")
    hook.passes(24 * HOUR)
    assert hook.got() == ["1"]
    webhook = f"/webhooks/{hook.id}"
    assert hook.client.http.get(webhook).json["disabledReason"] == "gone"
    taking.status = 200
    assert hook.client.http.call("PATCH", webhook, {"enabled": True}).json["state"] == "active"
    assert hook.hears(3) == ["1", "1", "2"]


def test_a_secret_is_changed_while_events_arrive(hook: Hook) -> None:
    hook.happens("1")
    assert hook.hears(1) == ["1"]
    former = hook.secret
    hook.secret = hook.client.http.post(f"/webhooks/{hook.id}/secret").json["secret"]
    hook.server.got.clear()
    hook.happens("2")
    until(lambda: hook.server.got, what="an event")
    (got,) = hook.server.got
    signature = got.headers["urbansharing-signature"]
    assert is_genuine(former, signature, got.body)  # who has not heard of it yet
    assert is_genuine(hook.secret, signature.rpartition(",")[0], got.body)  # who looks at all of them
    hook.town.settle()
    hook.passes(25 * HOUR)
    hook.server.got.clear()
    hook.happens("3")
    assert hook.hears(1) == ["3"]


def test_everything_is_sent_again_to_a_server_that_has_lost_it(hook: Hook) -> None:
    hook.happens("1")
    hook.hears(1)
    hook.town.settle()
    hook.passes(HOUR)
    since = hook.town.now.isoformat()
    hook.happens("2", "3")
    hook.hears(3)
    hook.town.settle()
    hook.server.got.clear()
    assert hook.client.http.post(f"/webhooks/{hook.id}/replay", {"since": since}).status == 200
    assert hook.hears(2) == ["2", "3"]
    uowid = hook.server.got[0].headers["uowid"]
    hook.town.settle()
    hook.server.got.clear()
    assert hook.client.http.post(f"/webhooks/{hook.id}/replay", {"uowid": uowid}).status == 200
    assert hook.hears(1) == ["2"]
