"""Riders who pay the operator for riding: from their wallets, by card, by what is held, and after they could not."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import pytest

from kickstand.billing import service as billing
from kickstand.billing.model import Invoice, InvoiceState
from kickstand.billing.store import InvoiceItem
from kickstand.clients import service as clients
from kickstand.fleet import service as fleet
from kickstand.identity import service as identity
from kickstand.kernel import ids, store
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, AccountKind
from kickstand.payments.model import PaymentState
from kickstand.payments.store import PaymentItem
from tests.support.html import Document
from tests.support.http import Answer, Http
from tests.support.maas import MaasClient
from tests.support.provider import DECLINED_ON_CHARGE, OK, PROVED_ALWAYS, Browser
from tests.support.town import OSLO, Town

PATHS: Final = {"successPath": "https://app.example/saved", "cancelPath": "https://app.example/cancelled"}
LOCALE: Final = {"locale": "nb"}


@dataclass
class Payer:
    """A user of a client whose users pay the operator, with an app and a browser."""

    town: Town
    client: MaasClient
    name: str

    @property
    def mail(self) -> str:
        return f"{self.name}@kickstand.dev"

    @property
    def browser(self) -> Browser:
        return Browser(os.environ["PAYMENT_PROVIDER_URL"])

    # ── What the app does ────────────────────────────────────────────────────────────────────────────────────────────

    def save(self, number: str) -> None:
        """Save a card, in the place of another if there is one."""
        body = {"paths": PATHS, "userId": self.name}
        begun = self.client.http.call("PUT", "/payments/payment-methods", body, headers=LOCALE).document
        if self.browser.confirm(begun["clientSecret"], number)["status"] == "requires_action":
            self.browser.authenticate(begun["clientSecret"])
        self.client.http.get("/payments/payment-methods", query={"userId": self.name}, **LOCALE)
        self.town.settle()

    def deposit(self, amount: int) -> None:
        """Put money into the wallet, with a card that is not kept."""
        asked = {"amount": amount, "userId": self.name}
        order = self.client.http.call("POST", "/payments/orders/wallet-deposit", asked, headers=LOCALE).document
        paying = self.pay("order", order["id"], "card")
        if paying["state"] != "SUCCEEDED":
            self.browser.confirm(paying["clientSecret"], OK)
        self.town.settle()
        self.town.passes(seconds=15)

    def pay(self, kind: str, document: object, method: str = "card") -> Any:
        body = {
            "documentType": kind,
            "documentId": str(document),
            "userId": self.name,
            "params": {"selectedPaymentMethod": method},
        }
        return self.client.http.call("POST", "/payments/pay", body, headers=LOCALE).document

    def start(self, **more: object) -> Answer:
        return self.client.start(self.name, self.town.vehicle().number, userEmail=self.mail, **more)

    def ride(self) -> int:
        """A ride of ten minutes that the user ends."""
        vehicle = self.town.vehicle()
        trip = int(self.client.start(self.name, vehicle.number, userEmail=self.mail).document["id"])
        self.town.settle()
        self.town.passes(minutes=9, seconds=30)
        self.town.moves(vehicle, self.town.vehicle().place)
        assert self.client.update(trip, "end").status == 200
        self.town.settle()
        return trip

    # ── What can be seen ─────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def rider_id(self) -> int:
        store.begin()
        return identity.external(clients.find(ids.id_of(UUID(self.client.client_id))), self.name).rider_id

    @property
    def balances(self) -> tuple[int, int]:
        """What is in the wallet, and what is owed."""
        rider_id = self.rider_id
        kinds = (AccountKind.WALLET, AccountKind.DEBT)
        wallet, debt = (ledger.balance(Account(kind=kind, holder_id=rider_id, currency="NOK")) for kind in kinds)
        return wallet, debt

    @property
    def payments(self) -> list[tuple[PaymentState, int]]:
        """What has become of the payments without the user, oldest first, and what was captured."""
        rider_id = self.rider_id
        found = [item.entity for item in PaymentItem.scan(PaymentItem.kind == PaymentItem.KIND)]
        ours = sorted((each for each in found if each.rider_id == rider_id and each.off_session), key=lambda e: e.id)
        return [(each.state, each.captured) for each in ours]

    def invoice_of(self, trip: int) -> Invoice:
        store.begin()
        charge = billing.charge_of(trip)
        assert charge is not None
        assert charge.invoice_id is not None
        item = store.load(InvoiceItem.key(charge.invoice_id))
        assert item is not None
        invoice: Invoice = item.entity
        return invoice

    def price_of(self, trip: int) -> int:
        return int(self.client.trip(trip)["pricing"]["totalAmountIncludingVat"])


@pytest.fixture(scope="module")
def client(town: Town) -> MaasClient:
    """A client whose users pay the operator."""
    store.begin()
    direct = clients.register_client("Direct", "direct@kickstand.dev", [int(OSLO)], charges_riders=True)
    return MaasClient(town.platform.url + "/maas", *clients.issue_credential(direct.id))


@contextmanager
def holding(town: Town, amount: int) -> Iterator[None]:
    """What is held on the cards of those who ride in Oslo."""
    store.begin()
    network = fleet.network(int(OSLO))
    fleet.put_network(network.model_copy(update={"hold": amount}))
    town.passes(seconds=61)  # whoever knows the network knows it for a minute
    try:
        yield
    finally:
        fleet.put_network(network)
        town.passes(seconds=61)


@pytest.fixture(autouse=True)
def _nothing_is_held(town: Town) -> Iterator[None]:
    with holding(town, 0):
        yield


def test_a_ride_is_paid_from_the_wallet(town: Town, client: MaasClient) -> None:
    payer = Payer(town, client, "wanda")
    client.http.call("PUT", "/users/wanda")
    payer.deposit(10_000)
    trip = payer.ride()
    price = payer.price_of(trip)
    assert price > 0
    assert payer.invoice_of(trip).state is InvoiceState.PAID
    assert payer.balances == (10_000 - price, 0)
    assert payer.payments == []


def test_a_ride_is_paid_from_the_wallet_and_by_card(town: Town, client: MaasClient) -> None:
    payer = Payer(town, client, "carl")
    client.http.call("PUT", "/users/carl")
    payer.deposit(1_000)
    payer.save(OK)
    trip = payer.ride()
    assert payer.invoice_of(trip).state is InvoiceState.PAID
    assert payer.balances == (0, 0)
    assert payer.payments == [(PaymentState.SUCCEEDED, payer.price_of(trip) - 1_000)]
    assert payer.start().status == 200


def test_a_bank_that_wants_the_rider_is_answered_later(town: Town, client: MaasClient) -> None:
    payer = Payer(town, client, "berit")
    client.http.call("PUT", "/users/berit")
    payer.save(PROVED_ALWAYS)
    trip = payer.ride()
    assert client.trip(trip)["state"] == "completed"  # the ride is over, whatever the bank says
    price = payer.price_of(trip)
    assert payer.payments == [(PaymentState.REQUIRES_ACTION, 0)]
    assert payer.balances == (0, -price)
    assert payer.start().refusal == (402, "payment_required")
    (mail,) = town.mails(payer.mail)
    assert mail["subject"].replace("\u00a0", " ").startswith("Please confirm your payment of NOK ")
    link = next(line for line in mail["text"].splitlines() if line.startswith("http"))
    page = Http("").get(link)
    asked = json.loads(Document(page.body.decode()).one("main").attributes["data-settings"])
    payer.browser.authenticate(asked["secret"])
    town.settle()
    assert payer.payments == [(PaymentState.SUCCEEDED, price)]
    assert payer.invoice_of(trip).state is InvoiceState.PAID
    assert payer.balances == (0, 0)
    assert payer.start().status == 200


def test_a_declined_card_bars_until_a_new_card_has_paid(town: Town, client: MaasClient) -> None:
    payer = Payer(town, client, "dag")
    client.http.call("PUT", "/users/dag")
    payer.save(DECLINED_ON_CHARGE)
    trip = payer.ride()
    price = payer.price_of(trip)
    assert payer.payments == [(PaymentState.FAILED, 0)]
    assert payer.invoice_of(trip).due == price
    assert payer.start().refusal == (402, "payment_required")
    reserve = client.reserve("dag", town.vehicle().number)
    assert reserve.refusal == (402, "payment_required")
    assert [each.replace("\u00a0", " ") for each in town.subjects(payer.mail)] == [
        f"Your payment of NOK {price / 100:.2f} has failed"
    ]
    payer.save(OK)
    assert payer.payments == [(PaymentState.FAILED, 0), (PaymentState.SUCCEEDED, price)]
    assert payer.invoice_of(trip).state is InvoiceState.PAID
    assert payer.start().status == 200


def test_a_debt_without_a_card_is_paid_by_the_rider(town: Town, client: MaasClient) -> None:
    payer = Payer(town, client, "nils")
    trip = payer.ride()
    assert payer.start().refusal == (402, "payment_required")
    paying = payer.pay("invoice", payer.invoice_of(trip).id)
    payer.browser.confirm(paying["clientSecret"], OK)
    town.settle()
    town.passes(seconds=15)
    assert payer.invoice_of(trip).state is InvoiceState.PAID
    assert payer.balances == (0, 0)
    assert payer.start().status == 200


def test_a_deposit_pays_a_debt(town: Town, client: MaasClient) -> None:
    payer = Payer(town, client, "doris")
    trip = payer.ride()
    price = payer.price_of(trip)
    payer.deposit(10_000)
    assert payer.balances == (10_000 - price, 0)
    assert payer.start().status == 200


def test_a_part_of_what_is_held_is_taken(town: Town, client: MaasClient) -> None:
    payer = Payer(town, client, "hilde")
    client.http.call("PUT", "/users/hilde")
    payer.save(OK)
    with holding(town, 20_000):
        trip = payer.ride()
    price = payer.price_of(trip)
    assert payer.payments == [(PaymentState.SUCCEEDED, price)]
    assert payer.invoice_of(trip).state is InvoiceState.PAID
    assert payer.balances == (0, 0)


def test_what_is_held_does_not_suffice(town: Town, client: MaasClient) -> None:
    payer = Payer(town, client, "ulla")
    client.http.call("PUT", "/users/ulla")
    payer.save(OK)
    with holding(town, 1_000):
        trip = payer.ride()
    price = payer.price_of(trip)
    assert payer.payments == [(PaymentState.SUCCEEDED, 1_000), (PaymentState.SUCCEEDED, price - 1_000)]
    assert payer.invoice_of(trip).state is InvoiceState.PAID
