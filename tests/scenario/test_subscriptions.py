"""A pass: bought, ridden with, renewed by itself, cancelled."""

import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from kickstand.clients.model import ApiClient
from kickstand.clients.store import ClientItem
from kickstand.kernel import ids, store
from kickstand.payments import intents
from kickstand.pricing import service as pricing
from kickstand.pricing.model import PricingPlan
from kickstand.sales import offers
from kickstand.sales.model import Offer, OfferKind, Validity, ValidityUnit
from tests.support.http import Answer
from tests.support.maas import MaasClient
from tests.support.provider import DECLINED_ON_CHARGE, OK, PROVED_ALWAYS, Browser
from tests.support.town import Town, until

PASS, RIDES = 5001, 5002
PRICE = 29_900
LOCALE = {"locale": "nb"}
_users = count(1)


class Pass:
    """A user of a client that sells a pass of 30 days, by which alone its rides can be charged."""

    def __init__(self, town: Town, client: MaasClient) -> None:
        self.town, self.client, self.user = town, client, f"rider-{next(_users)}"
        self.mail = f"{self.user}@kickstand.dev"
        self.browser = Browser(os.environ["PAYMENT_PROVIDER_URL"])
        assert client.http.call("PUT", f"/users/{self.user}").status == 200
        told = client.http.call("PUT", f"/users/{self.user}/onboarding/email", {"email": self.mail})
        assert told.status == 200

    def order(self) -> str:
        body = {"userId": self.user, "productId": str(PASS)}
        return str(self.client.http.call("POST", "/payments/orders/subscription", body, headers=LOCALE).document["id"])

    def pay(self, order: str, method: str = "card") -> Any:
        params = {"selectedPaymentMethod": method, "enableAutoRenew": True}
        body = {"documentType": "order", "documentId": order, "userId": self.user, "params": params}
        return self.client.http.call("POST", "/payments/pay", body, headers=LOCALE).document

    def buy(self, card: str = OK) -> dict[str, Any]:
        """Buy the pass with a card that is kept for its renewals."""
        paying = self.pay(self.order())
        if self.browser.confirm(paying["clientSecret"], card)["status"] == "requires_action":
            self.browser.authenticate(paying["clientSecret"])
        return until(self.find, what="the pass is there")

    def find(self) -> dict[str, Any]:
        """The pass, if there is a valid one."""
        self.town.settle()
        answer = self.client.http.get(f"/users/{self.user}/subscription")
        if answer.status == 404:
            assert answer.refusal == (404, "subscription_not_found")
            return {}
        return dict(answer.document)

    def cancel(self) -> Answer:
        return self.client.http.call("DELETE", f"/users/{self.user}/subscription")

    def ride(self) -> Answer:
        return self.client.start(self.user, self.town.vehicle().number, productId=RIDES)

    def until_ends(self, before: timedelta = timedelta()) -> None:
        """Let time pass until so long before the end of the pass, and the agenda be kept."""
        left = ends(self.find()) - self.town.now - before
        self.passes(left)

    def passes(self, span: timedelta) -> None:
        self.town.passes(seconds=span.total_seconds())
        self.town.passes(minutes=5)  # the next round of the agenda
        self.town.passes(minutes=5)  # and what it has to look at again

    def renewals(self) -> list[str]:
        """The states of the orders that nobody but the agenda has placed."""
        query = {"userId": self.user, "limit": "50"}
        found = self.client.http.get("/payments/orders", query=query).document
        return [each["status"] for each in found["rows"]][:-1]


def ends(subscription: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(subscription["validTo"])


@pytest.fixture(scope="module")
def client(town: Town) -> MaasClient:
    client = town.client("Passes")
    store.begin()
    item = store.load(ClientItem.key(ids.id_of(UUID(client.client_id))))
    assert item is not None
    known: ApiClient = item.entity
    plan = {"id": RIDES, "client_id": known.id, "name": "Rides of pass holders", "currency": "NOK", "vat_percent": 25}
    pricing.put_plan(PricingPlan.model_validate({**plan, "included_minutes": 30, "subscribers_only": True}))
    offer = Offer(
        id=PASS,
        client_id=known.id,
        network_id=1,
        kind=OfferKind.SUBSCRIPTION,
        name="Pass of 30 days",
        currency="NOK",
        vat_percent=25,
        price=PRICE,
        validity=Validity(count=30, unit=ValidityUnit.DAY),
        plan_id=RIDES,
        renewable=True,
        cancellable=True,
    )
    store.begin()
    offers.put(known, offer)
    return client


@pytest.fixture
def kari(town: Town, client: MaasClient) -> Pass:
    return Pass(town, client)


def test_a_pass_from_buying_to_its_end(kari: Pass) -> None:
    assert kari.find() == {}
    assert kari.ride().refusal == (400, "invalid_product")
    bought = kari.buy()
    assert (bought["enabled"], bought["autoRenew"], bought["isCancellable"]) == (True, True, True)
    assert bought["product"]["ridesProductId"] == RIDES
    trip = kari.ride().document
    kari.town.settle()
    kari.client.update(trip["id"], "end")
    kari.town.settle()

    kari.until_ends(before=timedelta(hours=20))
    renewed = kari.find()
    assert ends(renewed) - ends(bought) > timedelta(days=29)
    assert renewed["validFrom"] == bought["validFrom"]
    assert kari.renewals() == ["completed"]

    assert kari.cancel().document["autoRenew"] is False
    assert kari.cancel().status == 200
    kari.until_ends(before=timedelta(hours=1))
    assert kari.find()["enabled"] is True
    kari.passes(timedelta(hours=2))
    assert kari.find() == {}
    assert kari.cancel().refusal == (404, "subscription_not_found")
    assert kari.ride().refusal == (400, "invalid_product")
    assert kari.renewals() == ["completed"]


def test_weeks_without_the_agenda_are_one_renewal(kari: Pass) -> None:
    kari.buy()
    kari.passes(timedelta(days=40))
    found = kari.find()
    assert ends(found) - kari.town.now > timedelta(days=29)
    assert kari.renewals() == ["completed"]


def test_a_card_that_is_declined_is_told_and_tried_again(kari: Pass) -> None:
    bought = kari.buy()
    replace_card(kari, DECLINED_ON_CHARGE)
    kari.until_ends(before=timedelta(hours=20))
    assert ends(kari.find()) == ends(bought)
    assert kari.town.subjects(kari.mail)[-1] == "Pass of 30 days could not be renewed"
    assert kari.renewals() == ["pending"]
    replace_card(kari, OK)
    kari.passes(timedelta(days=1))
    assert ends(kari.find()) > ends(bought)
    assert kari.renewals() == ["completed"]


def test_whoever_never_pays_loses_the_pass(kari: Pass) -> None:
    kari.buy()
    replace_card(kari, DECLINED_ON_CHARGE)
    kari.until_ends(before=timedelta(hours=20))
    for days in (1, 3, 5):
        kari.passes(timedelta(days=days))
    assert kari.find() == {}
    assert kari.town.subjects(kari.mail).count("Pass of 30 days could not be renewed") == 4
    assert kari.renewals() == ["cancelled"]
    replace_card(kari, OK)
    assert kari.pay(kari.order())["state"] == "SUCCEEDED"
    assert kari.find()["enabled"] is True


def test_the_bank_asks_the_rider_by_mail(kari: Pass) -> None:
    bought = kari.buy()
    replace_card(kari, PROVED_ALWAYS)
    kari.until_ends(before=timedelta(hours=20))
    mail = kari.town.mails(kari.mail)[-1]
    assert mail["subject"] == "Please confirm the renewal of Pass of 30 days"
    (token,) = re.findall(r"/checkout/payments/([\w-]{43})\b", mail["text"])
    store.begin()
    secret = intents.by_token(token).secret
    assert secret is not None
    kari.browser.authenticate(secret)
    until(lambda: ends(kari.find()) > ends(bought), what="the pass is renewed")
    assert kari.renewals() == ["completed"]


def replace_card(kari: Pass, number: str) -> None:
    """Save another card in place of the one before."""
    returns = {"successPath": "https://app.example/saved", "cancelPath": "https://app.example/cancelled"}
    body = {"userId": kari.user, "paths": returns}
    call: Callable[..., Answer] = kari.client.http.call
    setup = call("PUT", "/payments/payment-methods", body, headers=LOCALE).document
    if kari.browser.confirm(setup["clientSecret"], number)["status"] == "requires_action":
        kari.browser.authenticate(setup["clientSecret"])
    saved = call("GET", "/payments/payment-methods", query={"userId": kari.user}).document
    assert saved["methods"]
