"""The gate before localstripe: what clients may do, what is told of it, and what outlives a restart."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe
import urllib3

from kickstand.payments import stripe_gateway
from kickstand.payments.provider import Charge, IntentStatus
from kickstand.payments.stripe_gateway import Keys, Stripe
from local.payments import KEYS, Gate, Localstripe
from local.server import ROOT, free_port
from local.state import State
from local.wsgi import Request, Response, Server, application
from tests.support.provider import LocalProvider


class Ear:
    """Somebody who is told; answers with what is set."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, Any], str]] = []
        self.statuses: list[int] = []
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/events"
        self._server = Server(application(self._answer), port, 2)

    def _answer(self, request: Request) -> Response:
        self.heard.append((json.loads(request.body), request.headers["stripe-signature"]))
        assert stripe.WebhookSignature.verify_header(
            request.body, request.headers["stripe-signature"], KEYS["webhook_secret"], 300
        )
        return Response(self.statuses.pop(0) if self.statuses else 200)

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.stop()


def pay(provider: LocalProvider, payment_id: int = 1) -> str:
    adapter = Stripe()
    customer = adapter.create_customer(payment_id, key=f"customer-{payment_id}")
    charge = Charge(payment_id=payment_id, amount=500, currency="NOK", customer=customer)
    intent = adapter.create_intent(charge, key=f"payment-{payment_id}")
    provider.confirm(intent.secret or "")
    return intent.ref or ""


def wait(provider: LocalProvider) -> None:
    while not provider.gate.idle():
        time.sleep(0.01)


@pytest.mark.parametrize("times", [0, 1, 2])
def test_events_are_sent_as_often_as_is_set(provider: LocalProvider, ear: Ear, times: int) -> None:
    provider.gate.webhooks.url = ear.url
    provider.gate.webhooks.times = times
    ref = pay(provider)
    wait(provider)
    assert [(event["type"], event["data"]["object"]["id"]) for event, _ in ear.heard] == [
        ("payment_intent.succeeded", ref)
    ] * times
    assert len({event["id"] for event, _ in ear.heard}) == min(times, 1)


def test_events_are_sent_again_until_they_are_taken(provider: LocalProvider, ear: Ear) -> None:
    provider.gate.webhooks.url = ear.url
    ear.statuses = [500, 503]
    pay(provider)
    wait(provider)
    assert len(ear.heard) == 3


def test_events_can_be_sent_in_any_order(provider: LocalProvider, ear: Ear) -> None:
    provider.gate.webhooks.url = ear.url
    provider.gate.webhooks.times = 0
    first, second = pay(provider, 1), pay(provider, 2)
    for event in reversed(provider.gate.events):
        assert provider.gate.deliver(event) == 200
    assert [event["data"]["object"]["id"] for event, _ in ear.heard] == [second, first]


def test_browsers_reach_only_what_they_hold_the_secret_of(provider: LocalProvider) -> None:
    adapter = Stripe()
    customer = adapter.create_customer(1, key="customer-1")
    first, second = (
        adapter.create_intent(
            Charge(payment_id=each, amount=5, currency="NOK", customer=customer), key=f"payment-{each}"
        )
        for each in (1, 2)
    )
    http, url = urllib3.PoolManager(), provider._url
    known = {"key": KEYS["publishable_key"], "client_secret": second.secret}
    for method, path, body in (
        ("POST", f"/v1/payment_intents/{first.ref}/confirm", known),
        ("POST", f"/v1/payment_intents/{second.ref}/cancel", known),
        ("POST", f"/v1/payment_intents/{second.ref}/capture", known),
        ("POST", "/v1/refunds", known),
        ("POST", "/v1/customers", known),
        ("POST", f"/v1/payment_intents/{second.ref}/confirm", {**known, "key": "pk_live_other"}),
        ("POST", f"/v1/payment_intents/{second.ref}/confirm", {"key": KEYS["publishable_key"]}),
        ("POST", f"/v1/payment_intents/{second.ref}/confirm", {}),
    ):
        assert http.request(method, url + path, json=body).status == 401, (path, body)
    query = f"?key={KEYS['publishable_key']}&client_secret={second.secret}"
    assert http.request("GET", f"{url}/v1/payment_intents/{second.ref}{query}").status == 200
    assert http.request("GET", f"{url}/v1/payment_intents/{first.ref}{query}").status == 401
    assert http.request("GET", f"{url}/v1/customers{query}").status == 401


def test_browsers_of_any_page_may_ask(provider: LocalProvider) -> None:
    answer = urllib3.PoolManager().request("OPTIONS", f"{provider._url}/v1/payment_intents/pi_1/confirm")
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")
    script = urllib3.PoolManager().request("GET", f"{provider._url}/js.stripe.com/v3/")
    assert script.data.endswith((ROOT / "local" / "payments.js").read_bytes())
    assert b"openModal(" in script.data.removesuffix((ROOT / "local" / "payments.js").read_bytes())


def test_localstripe_is_for_this_machine_only(provider: LocalProvider) -> None:
    port = provider.gate._localstripe._port
    with socket.create_connection(("127.0.0.1", port)):
        pass
    with pytest.raises(OSError, match=r".*"), socket.create_connection(("::1", port)):  # it would be there for all, too
        pass


def test_what_is_paid_outlives_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr(stripe_gateway, "read_keys", lambda: Keys(**KEYS))
    stripe_gateway.forget_keys()
    monkeypatch.setenv("PAYMENT_PROVIDER_URL", f"http://127.0.0.1:{port}")
    adapter, refs = Stripe(), set()
    for _ in range(2):
        localstripe, state = Localstripe(tmp_path, free_port()), State(tmp_path / "platform.db")
        gate = Gate(localstripe, state)
        server = Server(application(gate.answer), port, 2)
        try:
            customer = adapter.create_customer(1, key="customer-1")
            charge = Charge(payment_id=1, amount=5, currency="NOK", customer=customer)
            intent = adapter.create_intent(charge, key="payment-1")
            refs.add(intent.ref)
            assert adapter.intent(intent.ref or "").status is IntentStatus.WAITING_FOR_METHOD
        finally:
            server.stop()
            gate.stop()
            localstripe.stop()
            state.close()
    stripe_gateway.forget_keys()
    assert len(refs) == 1
    assert "Fatal" not in (tmp_path / "payments.log").read_text()  # it ends as a process should
