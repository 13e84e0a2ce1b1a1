"""A day on the platform: no function asks for what its role does not allow, and no role allows what nobody asks for."""

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import UUID

import pytest
from shapely.geometry import shape

from kickstand.billing import reversals
from kickstand.billing.store import DebtsItem
from kickstand.clients import service as clients
from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Category
from kickstand.geo import service as geo
from kickstand.geo.model import AreaType, ZoneRule
from kickstand.identity import service as identity
from kickstand.kernel import clock, ids, store
from kickstand.payments import intents
from kickstand.payments.provider import ProviderUnreachable
from kickstand.pricing.service import current, publish_tariff
from kickstand.rental import reservations
from kickstand.rental import service as rentals
from kickstand.sales import discounts, offers
from kickstand.sales.model import DiscountCode, Offer, OfferKind, ValidityUnit
from local.demo import partners
from local.server import Platform
from local.testing import running_platform
from tests.support.html import Document
from tests.support.http import Http
from tests.support.provider import DECLINED_ON_CHARGE, OK, PROVED_ALWAYS, Browser
from tests.support.receivers import Conduct, running_receiver
from tests.support.rights import Asked, recorded, roles

UNSEEN = {
    # What a repetition after a crash looks at before it does something again.
    "FollowSalesRole": {("dynamodb:BatchGetItem", "MessagingTable")},
    "FollowRentalsRole": {("dynamodb:BatchGetItem", "FleetTable")},
    "TellOfRentalsRole": {("dynamodb:BatchGetItem", "MessagingTable")},
    "FollowMaintenancesRole": {("dynamodb:BatchGetItem", "MessagingTable")},
    "FollowInvoicesRole": {("dynamodb:BatchGetItem", "MessagingTable")},
    "TellOfPaymentsRole": {("dynamodb:BatchGetItem", "MessagingTable")},
    "TellOfDebtsRole": {("dynamodb:BatchGetItem", "MessagingTable")},
    # What follows where a ride cost more than was held, or what was paid for has become impossible.
    "PaymentRequestsRole": {("dynamodb:DeleteItem", "SalesTable"), ("dynamodb:UpdateItem", "SalesTable")},
    "CheckoutRequestsRole": {
        ("dynamodb:BatchGetItem", "LedgerTable"),
        ("dynamodb:DeleteItem", "SalesTable"),
        ("dynamodb:UpdateItem", "SalesTable"),
    },
    "PaymentAdvancingRole": {
        ("dynamodb:BatchGetItem", "LedgerTable"),
        ("dynamodb:DeleteItem", "SalesTable"),
        ("dynamodb:UpdateItem", "SalesTable"),
    },
    # What a payment's workflow does, where that was lost.
    "KeepPaymentsAgendaRole": {
        ("dynamodb:UpdateItem", "PaymentsTable"),
        ("dynamodb:UpdateItem", "IdentityTable"),
        ("dynamodb:BatchGetItem", "FleetTable"),
        *(
            (f"dynamodb:{action}", f"{table}Table")
            for table in ("Billing", "Ledger", "Sales")
            for action in ("BatchGetItem", "DeleteItem", "PutItem", "UpdateItem")
        ),
    },
    # The role signs the link, the client follows it.
    "RentalRequestsRole": {("s3:GetObject", "DocumentsBucket/receipts/*")},
    "InvoicePageRequestsRole": {("s3:GetObject", "DocumentsBucket/invoices/*")},
}
"""Rights that this day does not use."""

PATHS = {"successPath": "https://app.example/saved", "cancelPath": "https://app.example/cancelled"}


class Day:
    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.demo = self.call("GET", "/_local/demo")["surfaces"]["voi"]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._send(method, path, data, {**self._credentials(path), "content-type": "application/json", **named})

    def post_form(self, path: str, **members: str) -> Any:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return self._send("POST", path, urlencode(members).encode(), kind)

    def _credentials(self, path: str) -> dict[str, str]:
        surface = path.split("/")[1]
        if surface.startswith("_"):
            return {}
        found: dict[str, str] = self.call("GET", "/_local/demo")["surfaces"][surface]["headers"]
        return found  # asked for anew: some last an hour only, and the day is long

    def _send(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Any:
        request = Request(self.platform.url + path, data, headers, method=method)
        try:
            with urlopen(request) as answer:
                content = answer.read()
        except HTTPError as error:
            pytest.fail(f"{method} {path}: {error.code} {error.read().decode()}")
        return json.loads(content) if content else None

    def look(self, url: str) -> int:
        """Open a link in a browser that follows nothing; answers the status."""
        return Http("").get(url).status

    def advance(self, seconds: int) -> None:
        self.call("POST", "/_local/clock", {"advance_seconds": seconds})
        self.platform.settle()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with pytest.MonkeyPatch.context() as patch, recorded(patch) as asked:
        with running_platform(tmp_path_factory.mktemp("state")) as platform:
            live(Day(platform))
        yield asked


def live(day: Day) -> None:
    product = day.call("POST", "/voi/v1/product/register", {"productName": "Rides"})["data"][0]["id"]
    day.call("PUT", "/voi/v1/product", {"productId": product, "productName": "Rides and more"})
    day.call("GET", "/voi/v1/product")
    new = {"email": "kari@kickstand.dev", "productId": product, "externalId": "K-7"}
    rider = day.call("POST", "/voi/v1/user/register", new)["data"]["id"]
    day.call("DELETE", f"/voi/v1/product/{product}")
    day.call("PATCH", f"/voi/v1/user/{rider}", {"firstName": "Kari"})
    day.call("GET", f"/voi/v1/user/id/{rider}")

    client = day.call("GET", "/_local/demo")["surfaces"]["maas"]["client"]
    grant = {"grant_type": "client_credentials", "client_id": client["id"], "client_secret": client["secret"]}
    day.post_form("/maas/auth/token", **grant)
    day.call("PUT", "/maas/users/kari")
    look_after_a_user(day)
    come_aboard(day)
    pay_in_a_browser(day)
    ask_around(day)
    break_and_repair(day)
    slow_down(day)

    zone = day.call("GET", "/voi/v1/zone/info")["data"]["attributes"]["zones"][0]["zoneId"]
    areas = day.call("GET", f"/voi/v1/zone/id/{zone}")["data"]["attributes"]["areas"]
    vehicles = day.call("GET", f"/voi/v1/vehicles/?zoneID={zone}")["data"]
    day.call("GET", f"/voi/v1/vehicles/code/{vehicles[0]['attributes']['code']}")
    day.call("GET", f"/voi/v1/vehicles/id/{vehicles[0]['id']}")
    day.call("GET", f"/voi/v1/pricing/vehicle/{vehicles[0]['id']}")

    go_shopping(day)
    pay_for_riding(day)
    ride_for_a_client(day)

    first = start(day, rider, vehicles[0]["id"])
    slow = next(area for area in areas if area["area_type"] == "slow-zone")
    number = ids.id_of(UUID(vehicles[0]["id"]))
    day.call("POST", f"/_local/vehicles/{number}", {"move_to": inside(slow["geometry"]), "speed_kmh": 12.0})
    day.advance(600)
    day.call("GET", f"/voi/v1/rental/user/{rider}/active")
    day.call("POST", f"/voi/v1/rental/{first}/end", {})
    day.advance(60)
    day.call("GET", f"/voi/v1/rental/{first}")
    day.call("GET", f"/voi/v1/rental/user/{rider}")

    end_elsewhere(day)
    group = int(day.call("GET", "/_local/demo")["surfaces"]["maas"]["ids"]["dockGroupId"])
    start_at(day, group, userId="hal", productId=1)  # forgotten, at plans: penalties come, and use is kept
    day.call("POST", f"/maas/vehicles/{scooter(day)}/trips", {"userId": "lea", "productId": 2})
    start(day, rider, vehicles[1]["id"])  # forgotten: every timer of a rental comes
    for _ in range(60):
        day.advance(3600)
    for vehicle, answer in zip(vehicles[2:4], ("reject", "silent"), strict=True):
        day.call("POST", "/_local/vehicles/all", {"unlock": answer, "lock": answer})
        start(day, rider, vehicle["id"])
        day.advance(3600)

    offered = current(1, 1)
    assert offered is not None
    publish_tariff(1, 1, offered.model_copy(update={"start_price": offered.start_price + 100}))
    day.platform.settle()


def look_after_a_user(day: Day) -> None:
    described = day.call("GET", "/_local/demo")["surfaces"]["maas"]["ids"]
    user = f"/maas/users/{described['userId']}"
    day.call("GET", f"{user}/statistics?from=2026-01-01T12:00:00Z")
    new = day.call("POST", f"{user}/penalties", {"penaltyPoints": 1, "tripId": int(described["tripId"])})
    day.call("GET", f"{user}/penalties")
    day.call("PATCH", f"{user}/penalties/{new['penaltyId']}", {})


def come_aboard(day: Day) -> None:
    """A user tells, accepts and proves everything."""
    onboarding = "/maas/users/kari/onboarding"
    day.call("GET", onboarding)
    day.call("PUT", f"{onboarding}/name", {"firstName": "Kari", "lastName": "Nordmann"})
    day.call("PUT", f"{onboarding}/personal-number", {"personalNumber": "01019000083"})
    day.call("POST", f"{onboarding}/personal-number/verify")
    day.call("POST", f"{onboarding}/terms-and-conditions", {"accepted": True})
    for step, kind, body in (
        ("phone-number", "sms", {"phoneNumber": "+4712345678"}),
        ("email", "mails", {"email": "kari@kickstand.dev"}),
    ):
        started = day.call("POST", f"{onboarding}/{step}/verify/start", body)
        code = day.call("GET", "/_local/outbox")[kind][-1]["text"][:6]
        day.call("POST", f"{onboarding}/{step}/verify", {"state": started["state"], "code": code})


def pay_in_a_browser(day: Day) -> None:
    """A card is saved on its page, money is paid on another, and the provider tells of both, now and then too late."""
    app = {"locale": "nb"}
    user = "nils"
    gate, browser = day.platform.payments, Browser(os.environ["PAYMENT_PROVIDER_URL"])
    day.call("PUT", f"/maas/users/{user}")
    for method, told in (("POST", 1), ("PUT", 0)):  # whoever is faster takes the card over: the event, or the page
        gate.webhooks.times = told
        begun = day.call(method, "/maas/payments/payment-methods", {"paths": PATHS, "userId": user}, **app)
        assert day.look(begun["webUrl"]) == 200
        browser.confirm(begun["clientSecret"], PROVED_ALWAYS)
        browser.authenticate(begun["clientSecret"])
        day.platform.settle()
        assert day.look(begun["webUrl"]) == 303
    for told in (1, 0):
        gate.webhooks.times = told
        order = day.call("POST", "/maas/payments/orders/wallet-deposit", {"amount": 5000, "userId": user}, **app)
        wish = {"selectedPaymentMethod": "card"}
        due = {"documentId": order["id"], "documentType": "order", "params": wish, "userId": user}
        payment = day.call("POST", "/maas/payments/pay", due, **app)
        assert day.look(payment["webUrl"]) == 200
        browser.authenticate(payment["clientSecret"])
        day.platform.settle()
        assert day.look(payment["webUrl"]) == 200
    hear_nothing(day, user)
    cards = f"/maas/payments/payment-methods?userId={user}"
    assert len(day.call("GET", cards)["methods"]) == 1
    assert day.call("DELETE", cards) == {}
    gate.webhooks.times = 1
    answer_the_bank(day)
    read_an_invoice(day)


def hear_nothing(day: Day, user: str) -> None:
    """Nobody tells what has come of a payment, and a refund gets no answer: the workflow and the agenda ask."""
    app, wish = {"locale": "nb"}, {"selectedPaymentMethod": "card"}
    gate, browser = day.platform.payments, Browser(os.environ["PAYMENT_PROVIDER_URL"])
    gate.webhooks.times = 0
    order = day.call("POST", "/maas/payments/orders/wallet-deposit", {"amount": 5000, "userId": user}, **app)
    due = {"documentId": order["id"], "documentType": "order", "params": wish, "userId": user}
    browser.authenticate(day.call("POST", "/maas/payments/pay", due, **app)["clientSecret"])
    day.advance(61)
    store.begin()
    payment = intents.find(int(gate.payment(gate.intents[-1])["metadata"]["payment_id"]))
    assert payment.captured == 5000

    def unanswered(_refund_id: int) -> None:
        raise ProviderUnreachable

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reversals, "advance", unanswered)
        reversals.give_back(ids.new_id(), payment.id, 1000, "a vehicle that did not brake")
    day.advance(301)
    store.begin()
    assert intents.find(payment.id).refunded == 1000


def save_card(day: Day, user: str, number: str, **app: str) -> None:
    """A card is saved in an app."""
    app = {"locale": "nb", **app}
    browser = Browser(os.environ["PAYMENT_PROVIDER_URL"])
    begun = day.call("PUT", "/maas/payments/payment-methods", {"paths": PATHS, "userId": user}, **app)
    if browser.confirm(begun["clientSecret"], number)["status"] == "requires_action":
        browser.authenticate(begun["clientSecret"])
    day.call("GET", f"/maas/payments/payment-methods?userId={user}", **app)
    day.platform.settle()


def pay_an_invoice(day: Day, user: str, **app: str) -> None:
    """Somebody who owes a ride pays it in an app, which asks how the payment stands before the provider tells."""
    gate, browser = day.platform.payments, Browser(os.environ["PAYMENT_PROVIDER_URL"])
    store.begin()
    rider = identity.external(partners.DIRECT.client, user)
    item = store.load(DebtsItem.key(rider.rider_id))
    assert item is not None
    (debt,) = item.entity.debts
    wish = {"selectedPaymentMethod": "card"}
    due = {"documentId": str(debt.invoice_id), "documentType": "invoice", "params": wish, "userId": user}
    gate.webhooks.times = 0
    browser.confirm(day.call("POST", "/maas/payments/pay", due, **app)["clientSecret"])
    assert day.call("POST", "/maas/payments/pay", due, **app)["state"] == "SUCCEEDED"
    gate.webhooks.times = 1
    day.platform.settle()


def answer_the_bank(day: Day) -> None:
    """A rider pays the operator for a ride; the bank wants the rider, who comes by the link in the mail."""
    store.begin()
    network = fleet.network(1)
    fleet.put_network(network.model_copy(update={"hold": 0}))  # what is held would pay the ride
    day.advance(61)
    direct = clients.register_client("Direct", "direct@kickstand.dev", [1], charges_riders=True)
    client_id, secret = clients.issue_credential(direct.id)
    grant = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    app = {"authorization": f"Bearer {day.post_form('/maas/auth/token', **grant)['access_token']}", "locale": "nb"}
    browser = Browser(os.environ["PAYMENT_PROVIDER_URL"])
    day.call("PUT", "/maas/users/berit", **app)
    save_card(day, "berit", PROVED_ALWAYS, **app)
    rider = {"userId": "berit", "userEmail": "berit@kickstand.dev"}
    number = scooter(day)
    trip = day.call("POST", f"/maas/vehicles/{number}/trips", rider, **app)
    day.advance(300)
    there = fleet.vehicle(scooter(day)).position  # a ride that leads nowhere is free
    day.call("POST", f"/_local/vehicles/{number}", {"move_to": [there.longitude, there.latitude]})
    day.platform.settle()
    day.call("PATCH", f"/maas/trips/{trip['id']}", {"update": "end"}, **app)
    day.platform.settle()
    mails = [each["text"] for each in day.call("GET", "/_local/outbox")["mails"] if rider["userEmail"] in each["to"]]
    (link,) = [line for text in mails for line in text.splitlines() if "/checkout/payments/" in line]
    page = Http("").get(link)
    asked = json.loads(Document(page.body.decode()).one("main").attributes["data-settings"])
    browser.authenticate(asked["secret"])
    fleet.put_network(network)
    day.advance(61)


def read_an_invoice(day: Day) -> None:
    """Somebody follows the link in a mail to what has been paid."""
    mails = [each["text"] for each in day.call("GET", "/_local/outbox")["mails"]]
    link = next(line for text in mails for line in text.splitlines() if "/checkout/invoices/" in line)
    assert day.look(link) == 303


def hold_passes(day: Day) -> None:
    """Passes of a day: one is renewed by the wallet, and then by a card; one is cancelled; one is not paid for."""
    day.call("PUT", "/maas/users/ola")
    store.begin()
    seller = partners.IN_BOTH.client
    plan = partners.SUBSCRIBERS
    day_pass = {
        "client_id": seller.id,
        "network_id": 1,
        "kind": OfferKind.SUBSCRIPTION,
        "name": "A day",
        "plan_id": plan,
    }
    terms = {
        "currency": "NOK",
        "vat_percent": 25,
        "validity": {"count": 1, "unit": ValidityUnit.DAY},
        "renewable": True,
    }
    for number, price in ((9_001, 6_000), (9_002, 0)):
        store.begin()
        offers.put(seller, Offer.model_validate({**day_pass, **terms, "id": number, "price": price}))
    now = clock.now()
    forever = {"valid_from": now, "valid_until": now + timedelta(days=9), "percent": 50}
    discounts.put(DiscountCode.model_validate({**forever, "client_id": seller.id, "code": "LEFT-OPEN"}))

    save_card(day, "nils", PROVED_ALWAYS)
    order_pass(day, "nils", 9_001, pay=True)
    trip = day.call("POST", f"/maas/vehicles/{scooter(day)}/trips", {"userId": "nils", "productId": plan})
    day.platform.settle()
    day.call("PATCH", f"/maas/trips/{trip['id']}", {"update": "end"})
    day.platform.settle()
    held = day.call("POST", f"/maas/vehicles/{scooter(day)}/reservations", {"userId": "nils", "productId": plan})
    day.call("DELETE", f"/maas/reservations/{held['id']}")
    order_pass(day, "ola", 9_002, pay=True)
    day.call("GET", "/maas/users/ola/subscription")
    day.call("DELETE", "/maas/users/ola/subscription")
    left = order_pass(day, "K-7", 9_001, pay=False)
    day.call("POST", f"/maas/payments/orders/{left}/discount-code", {"code": "LEFT-OPEN", "userId": "K-7"})
    day.platform.settle()


def go_shopping(day: Day) -> None:
    hold_passes(day)
    buy_gifts(day)


def buy_gifts(day: Day) -> None:
    """Gift codes that cost nothing are ordered, looked at, and mailed."""
    app = {"locale": "nb"}
    seller, now = partners.IN_BOTH.client, clock.now()
    present = {"valid_from": now, "valid_until": now + timedelta(days=9), "percent": 100}
    store.begin()
    discounts.put(DiscountCode.model_validate({**present, "client_id": seller.id, "code": "PRESENT"}))
    day.call("GET", "/maas/products", on_behalf_of="kari")
    lines = [{"productId": "13", "quantity": 2}]
    wanted = {"userId": "kari", "customerEmail": "kari@kickstand.dev", "orderLines": lines}
    order = day.call("POST", "/maas/payments/orders/voucher-code", wanted, **app)
    code = f"/maas/payments/orders/{order['id']}/discount-code"
    day.call("POST", code, {"code": "PRESENT", "userId": "kari"})
    day.call("DELETE", f"{code}?userId=kari")
    day.call("POST", code, {"code": "PRESENT", "userId": "kari"})
    day.call("GET", f"/maas/payments/orders/{order['token']}?userId=kari")
    wish = {"selectedPaymentMethod": "wallet"}
    due = {"documentId": order["id"], "documentType": "order", "params": wish, "userId": "kari"}
    assert day.call("POST", "/maas/payments/pay", due, **app)["state"] == "SUCCEEDED"
    day.call("GET", "/maas/payments/orders?userId=kari")
    day.platform.settle()


def order_pass(day: Day, user: str, product: int, *, pay: bool) -> str:
    wanted = {"userId": user, "productId": str(product)}
    order = str(day.call("POST", "/maas/payments/orders/subscription", wanted, locale="nb")["id"])
    if pay:
        wish = {"selectedPaymentMethod": "wallet", "enableAutoRenew": True}
        due = {"documentId": order, "documentType": "order", "params": wish, "userId": user}
        assert day.call("POST", "/maas/payments/pay", due, locale="nb")["state"] == "SUCCEEDED"
    return order


def pay_for_riding(day: Day) -> None:
    """Users pay the operator: one owes a ride, one a reservation, one has a declined card; and all pay in the end."""
    described = day.call("GET", "/_local/demo")["surfaces"]["maas"]["direct"]
    app = {"authorization": described["headers"]["Authorization"], "locale": "nb"}
    on_plan, browser = {"productId": int(described["ids"]["productId"])}, Browser(os.environ["PAYMENT_PROVIDER_URL"])

    def ride(user: str) -> None:
        rider = {"userId": user, "userEmail": f"{user}@kickstand.dev", **on_plan}
        trip = day.call("POST", f"/maas/vehicles/{scooter(day)}/trips", rider, **app)
        day.platform.settle()
        day.call("PATCH", f"/maas/trips/{trip['id']}", {"update": "end"}, **app)
        day.platform.settle()

    with running_receiver() as server:
        hook = day.call("POST", "/maas/webhooks", {"url": server.url}, **app)["id"]
        ride("knut")
        made = day.call("POST", f"/maas/vehicles/{scooter(day)}/reservations", {"userId": "rolf", **on_plan}, **app)
        day.advance(60)
        day.call("DELETE", f"/maas/reservations/{made['id']}", **app)
        day.platform.settle()
        for user in ("knut", "rolf"):
            order = day.call("POST", "/maas/payments/orders/wallet-deposit", {"amount": 9000, "userId": user}, **app)
            wish = {"selectedPaymentMethod": "card"}
            due = {"documentId": order["id"], "documentType": "order", "params": wish, "userId": user}
            browser.confirm(day.call("POST", "/maas/payments/pay", due, **app)["clientSecret"])
            day.platform.settle()
        day.call("PUT", "/maas/users/dag", **app)
        save_card(day, "dag", DECLINED_ON_CHARGE, **app)
        ride("dag")
        save_card(day, "dag", OK, **app)
        ride("dag")
        ride("tora")
        pay_an_invoice(day, "tora", **app)
        made = day.call("POST", f"/maas/vehicles/{scooter(day)}/reservations", {"userId": "dag", **on_plan}, **app)
        day.advance(60)
        day.call("DELETE", f"/maas/reservations/{made['id']}", **app)
        day.platform.settle()
        day.call("DELETE", f"/maas/webhooks/{hook}", **app)


def ask_around(day: Day) -> None:
    for question in ("areas", "system", "systems", "systems?position=59.9139,10.7522", "system/alerts"):
        day.call("GET", f"/maas/{question}", on_behalf_of="kari")
    day.call("GET", "/maas/crm/1/settings?userId=kari&platform=ios")


def slow_down(day: Day) -> None:
    """For a while, everybody in Oslo goes slowly; what is parked is told too."""
    store.begin()
    network, before = fleet.network(1), geo.areas(1)
    everywhere = [zone for zone in before.zones if zone.area_type is AreaType.OPERATIONS and not zone.schedule]
    slow = {"area_type": AreaType.SLOW_ZONE, "rule": ZoneRule.of(AreaType.SLOW_ZONE, 5)}
    more = [zone.model_copy(update={"id": zone.id + 10**9, **slow}) for zone in everywhere]
    for zones in ([*before.zones, *more], before.zones):
        store.begin()
        geo.put_zones(1, network.parking, zones, timezone=before.timezone)
        day.advance(180)


def break_and_repair(day: Day) -> None:
    """A vehicle breaks while somebody has it reserved; two riders report it, and one of them hears of its repair."""
    described = day.call("GET", "/_local/demo")["surfaces"]["maas"]["ids"]
    store.begin()
    vehicle = reservations.get(int(described["reservationId"])).vehicle_id
    day.call("GET", f"/maas/vehicles/{vehicle}/damagereports/types?locale=nb")
    report = {"userId": "K-7", "damageTypeIds": [12], "notifyOnRepair": True}
    day.call("POST", f"/maas/vehicles/{vehicle}/damagereports", report)
    for damage in (12, 1):  # one that joins, one that is worse
        report = {"userId": "somebody new", "damageTypeIds": [damage]}
        day.call("POST", f"/maas/vehicles/{vehicle}/damagereports", report)
    day.platform.settle()
    day.call("POST", f"/_local/vehicles/{vehicle}", {"repair": True})
    day.platform.settle()


def ride_for_a_client(day: Day) -> None:
    """A client's users ride, reserve and lose vehicles, and its server is told of everything."""
    described = day.call("GET", "/_local/demo")["surfaces"]["maas"]
    group = int(described["ids"]["dockGroupId"])
    with running_receiver() as server:
        hook = f"/maas/webhooks/{day.call('POST', '/maas/webhooks', {'url': server.url})['id']}"
        server.conduct = _answering(503)
        trip = start_at(day, group, productId=1)
        day.call("PATCH", f"/maas/trips/{trip['id']}", {"update": "cancel"})
        day.platform.settle()
        server.conduct = _answering(200)
        day.advance(3600)
        day.call("GET", "/maas/webhooks")
        day.call("GET", f"{hook}/deliveries")
        day.call("POST", f"{hook}/replay", {"since": "2026-01-01T12:00:00Z"})
        trip = start_at(day, group, productId=1, userName="Kari")
        day.call("GET", "/maas/users/kari/trips?from=2026-01-01T12:00:00Z&states[]=starting")
        for seen in ("vehicles", f"vehicles/{trip['vehicle']['id']}", "dockgroups", f"dockgroups/{group}/vehicles"):
            day.call("GET", f"/maas/{seen}", on_behalf_of="kari")
        day.advance(45 * 60)
        store.begin()
        free = clusters.cluster(group).free_docks[0]
        bike = trip["vehicle"]["id"]
        day.call("POST", f"/_local/vehicles/{bike}", {"dock": {"cluster_id": group, "number": free}})
        day.platform.settle()
        assert day.call("GET", f"/maas/trips/{trip['id']}")["state"] == "completed"
        for new_user in ("ola", "nora"):
            reserve(day, bike, new_user, cancel=True)
        reserve(day, bike, "kari", cancel=False)
        day.advance(16 * 60)
        number = scooter(day)
        trip = day.call("POST", f"/maas/vehicles/{number}/trips", {"userId": "per", "productId": 1})
        day.platform.settle()
        for update in ("pause", "resume", "end"):
            day.call("PATCH", f"/maas/trips/{trip['id']}", {"update": update})
        day.platform.settle()
        lose(day, number)
        for first in (503, 410):  # whoever tries again is told, and then whoever tries first
            server.conduct = _answering(first)
            reserve(day, bike, "kari", cancel=True)
            server.conduct = _answering(410)
            day.advance(3600)
            day.call("PATCH", hook, {"enabled": True})


def end_elsewhere(day: Day) -> None:
    """A trip at a plan ends on the other surface."""
    trip = day.call("POST", f"/maas/vehicles/{scooter(day)}/trips", {"userId": "K-7", "productId": 2})
    day.platform.settle()
    store.begin()
    day.call("POST", f"/voi/v1/rental/{rentals.get(trip['id']).public_id}/end", {})
    day.platform.settle()


def _answering(status: int) -> Conduct:
    return lambda _received, _connection: status


def scooter(day: Day) -> int:
    """A scooter that can be rented, and left where it stands."""
    store.begin()
    for shown in day.call("GET", "/voi/v1/vehicles/?zoneID=1")["data"][4:]:
        vehicle = fleet.vehicle(ids.id_of(UUID(shown["id"])))
        if fleet.model(vehicle.model_id).category is Category.SCOOTER and vehicle.verdict.ride_end_allowed:
            return vehicle.id
    raise AssertionError("there is none")


def start_at(day: Day, group: int, **terms: object) -> Any:
    rider = {"userId": "kari", "vehicleCategory": "bike", **terms}
    return day.call("POST", f"/maas/dockgroups/{group}/trips", rider)


def reserve(day: Day, vehicle: int, user: str, *, cancel: bool) -> None:
    made = day.call("POST", f"/maas/vehicles/{vehicle}/reservations", {"userId": user, "productId": 1})
    day.call("GET", f"/maas/reservations/{made['id']}")
    day.call("GET", f"/maas/users/{user}/reservations")
    if cancel:
        day.call("DELETE", f"/maas/reservations/{made['id']}")
    day.platform.settle()


def lose(day: Day, vehicle: int) -> None:
    """Nobody brings a vehicle back, and it does not say where it is."""
    store.begin()
    network = fleet.network(1)
    short = {"auto_pause_after_s": 0, "too_long_notice_s": 0, "max_rental_s": 0, "stolen_after_s": 3600}
    fleet.put_network(network.model_copy(update={"timings": network.timings.model_copy(update=short)}))
    day.call("POST", f"/maas/vehicles/{vehicle}/trips", {"userId": "kari"})
    day.platform.settle()
    day.call("POST", f"/_local/vehicles/{vehicle}", {"lock": "silent"})
    day.advance(3700)
    day.advance(60)
    fleet.put_network(network)


def inside(geometry: dict[str, Any]) -> list[float]:
    point = shape(geometry).representative_point()
    return [point.x, point.y]


def start(day: Day, rider: str, vehicle: str) -> str:
    rental = day.call("POST", "/voi/v1/rental/start", {"userId": rider, "vehicleId": vehicle})["data"][0]
    day.platform.settle()
    return str(rental["id"])


def test_nothing_is_asked_for_that_is_not_allowed(asked: Asked) -> None:
    assert asked.refused() == {}


def test_nothing_is_allowed_that_is_not_asked_for(asked: Asked) -> None:
    idle = {role: sorted(unused - UNSEEN.get(role, set())) for role, unused in asked.idle().items()}
    lines = [f"{role}: {action} {place}" for role in sorted(idle) for action, place in idle[role]]
    assert not lines, "\n".join(lines)


def test_every_role_is_used_on_this_day(asked: Asked) -> None:
    assert roles() - asked.needs.keys() == set()
