"""Riders who enter cards and answer their banks in a browser, and a provider that tells what has come of it."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from kickstand.kernel import ids, store
from kickstand.payments import service as payments
from local.payments import Gate
from tests.support.html import Document
from tests.support.http import Answer, Http
from tests.support.maas import MaasClient
from tests.support.provider import OK, PROVED_ALWAYS, Browser, BrowserRefused
from tests.support.town import Town

PATHS = {"successPath": "https://app.example/saved?a=1&b=2", "cancelPath": "my-app://cards"}


@dataclass
class Payer:
    """A client's user with a browser, and the payment provider."""

    town: Town
    client: MaasClient
    user: str
    card: Browser

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """Let the user's app ask for something."""
        headers = {"locale": "nb"}
        return self.client.http.call(method, path, body, query=query, headers=headers).document

    def begin(self) -> Any:
        """Let the app begin to save a card."""
        return self.call("POST", "/payments/payment-methods", {"paths": PATHS, "userId": self.user})

    def cards(self) -> list[str]:
        """What the app shows of the user's cards."""
        listed = self.call("GET", "/payments/payment-methods", userId=self.user)["methods"]
        return [f"{each['brand']} {each['last4']}" for each in listed]

    def save(self, number: str) -> None:
        """Save a card in the browser."""
        asked = settings(self.open(self.begin()["webUrl"]))
        if self.card.confirm(asked["secret"], number)["status"] == "requires_action":
            self.card.authenticate(asked["secret"])
        self.town.platform.settle()

    def pay(self, amount: int) -> tuple[Any, Any]:
        """Let the app order money for the wallet, and pay it by card; answers the order and how its payment stands."""
        order = self.call("POST", "/payments/orders/wallet-deposit", {"amount": amount, "userId": self.user})
        wish = {"selectedPaymentMethod": "card"}
        body = {"documentId": order["id"], "documentType": "order", "params": wish, "userId": self.user}
        return order, self.call("POST", "/payments/pay", body)

    def status(self, order: Any) -> str:
        """How the app sees an order now."""
        return str(self.call("GET", f"/payments/orders/{order['token']}", userId=self.user)["status"])

    def open(self, url: str, language: str = "en") -> Answer:
        """Open a link in the browser."""
        return Http("").get(url, accept_language=language)


def settings(page: Answer) -> dict[str, Any]:
    assert page.status == 200, page.body.decode()
    found: dict[str, Any] = json.loads(Document(page.body.decode()).one("main").attributes["data-settings"])
    return found


def heading(page: Answer) -> str:
    return Document(page.body.decode()).one("h1").text


@pytest.fixture
def gate(town: Town) -> Iterator[Gate]:
    gate = town.platform.payments
    yield gate
    gate.webhooks.times = 1


@pytest.fixture
def payer(town: Town, gate: Gate, request: pytest.FixtureRequest) -> Payer:
    client = town.client(request.node.name[:40])
    client.http.call("PUT", "/users/kari")
    return Payer(town, client, "kari", Browser(os.environ["PAYMENT_PROVIDER_URL"]))


def test_a_card_is_entered_in_a_browser_and_there_by_itself(payer: Payer) -> None:
    begun = payer.begin()
    assert begun["webUrl"].startswith(f"{payer.town.platform.url}/checkout/cards/")
    page = payer.open(begun["webUrl"], "pl")
    assert heading(page) == "Dodaj kartę"
    asked = settings(page)
    assert asked["secret"] == begun["clientSecret"]
    payer.card.confirm(asked["secret"], OK)
    payer.town.platform.settle()

    store.begin()
    rider_id = ids.id_in(begun["setupToken"])
    assert rider_id is not None
    assert [card.last4 for card in payments.profile(rider_id).cards] == ["4242"], "the provider's event has brought it"
    sent_on = payer.open(begun["webUrl"])
    assert (sent_on.status, sent_on.headers["location"]) == (303, PATHS["successPath"])
    assert payer.cards() == ["visa 4242"]


def test_the_script_of_the_page_is_the_providers(payer: Payer) -> None:
    page = payer.open(payer.begin()["webUrl"])
    script = next(each for each in Document(page.body.decode()).all("script") if "src" in each.attributes)
    answer = Http("").get(script.attributes["src"])
    assert (answer.status, answer.headers["content-type"]) == (200, "application/javascript")
    assert b"confirmCardSetup" in answer.body
    assert script.attributes["src"].startswith(policy(page)["connect-src"])


def policy(page: Answer) -> dict[str, str]:
    return dict(each.split(" ", 1) for each in page.headers["content-security-policy"].split("; "))


def test_a_payment_is_proved_in_a_browser_and_what_was_paid_for_is_there(payer: Payer) -> None:
    payer.save(PROVED_ALWAYS)
    order, payment = payer.pay(5000)
    assert (payment["state"], payer.status(order)) == ("REQUIRES_ACTION", "pending")
    page = payer.open(payment["webUrl"], "nb-NO")
    assert heading(page) == "Bekreft NOK\u00a050.00"
    payer.card.authenticate(settings(page)["secret"])
    payer.town.platform.settle()
    assert payer.status(order) == "completed"
    assert heading(payer.open(payment["webUrl"], "nb-NO")) == "Betalt"


def test_a_card_is_entered_for_a_payment(payer: Payer) -> None:
    order, payment = payer.pay(7500)
    assert payment["state"] == "CREATED"
    asked = settings(payer.open(payment["webUrl"]))
    assert (asked["secret"], asked["entry"]) == (payment["clientSecret"], True)
    payer.card.confirm(asked["secret"], OK)
    payer.town.platform.settle()
    assert payer.status(order) == "completed"
    assert payer.cards() == []


def test_whoever_fails_the_proof_has_paid_nothing(payer: Payer) -> None:
    payer.save(PROVED_ALWAYS)
    order, payment = payer.pay(5000)
    with suppress(BrowserRefused):
        payer.card.authenticate(payment["clientSecret"], ok=False)
    payer.town.platform.settle()
    assert heading(payer.open(payment["webUrl"])) == "Not paid"
    assert payer.status(order) == "pending"


def test_events_come_late_and_twice_and_change_nothing(payer: Payer, gate: Gate) -> None:
    gate.webhooks.times = 0
    order, payment = payer.pay(5000)
    payer.card.confirm(payment["clientSecret"], OK)
    assert heading(payer.open(payment["webUrl"])) == "Paid"
    assert payer.status(order) == "completed"
    event = next(each for each in reversed(gate.events) if each["type"] == "payment_intent.succeeded")
    for _ in range(3):
        assert gate.deliver(event) == 200
    payer.town.platform.settle()
    assert payer.status(order) == "completed"


def test_whoever_is_not_the_provider_is_turned_away(payer: Payer) -> None:
    forged = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}}
    url = f"{payer.town.platform.url}/checkout/stripe/events"
    for headers, code in (({}, "invalid_request"), ({"stripe-signature": "t=1,v1=00"}, "invalid_signature")):
        assert Http("").call("POST", url, forged, headers=headers).refusal == (400, code)


def test_the_references_of_this_machine_show_the_surface(town: Town) -> None:
    assert "/docs/checkout" in town.http.get("/docs").body.decode()
    assert "/payments/{token}" in town.http.get("/docs/checkout/openapi.json").json["paths"]
