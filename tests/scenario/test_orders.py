"""What users buy without a card: passes and gifts that cost nothing, and what a gift's value buys."""

import re
from datetime import timedelta
from itertools import count
from typing import Any, Final

import pytest

from kickstand.identity import service as identity
from kickstand.kernel import clock, store
from kickstand.sales import discounts, vouchers
from kickstand.sales.model import DiscountCode
from local.demo.partners import IN_BOTH
from local.demo.sales import DISCOUNT, GIFT, MONTHLY, YEARLY
from tests.support.http import Answer
from tests.support.town import Town

SELLER: Final = IN_BOTH.client
PRESENT: Final = "PRESENT"
LOCALE: Final = {"locale": "nb"}
_users = count(1)


class Customer:
    """A user of the demo's first client."""

    def __init__(self, town: Town) -> None:
        self.town, self.user = town, f"customer-{next(_users)}"
        self.mail = f"{self.user}@kickstand.dev"
        assert town.maas.http.call("PUT", f"/users/{self.user}").status == 200

    def call(self, method: str, path: str, **body: Any) -> Answer:
        return self.town.maas.http.call(method, path, {"userId": self.user, **body}, headers=LOCALE)

    def order(self, product: int) -> dict[str, Any]:
        return dict(self.call("POST", "/payments/orders/subscription", productId=str(product)).document)

    def gifts(self, number: int) -> dict[str, Any]:
        lines = [{"productId": str(GIFT), "quantity": number}]
        path = "/payments/orders/voucher-code"
        return dict(self.call("POST", path, customerEmail=self.mail, orderLines=lines).document)

    def apply(self, order: dict[str, Any], code: str) -> Answer:
        return self.call("POST", f"/payments/orders/{order['id']}/discount-code", code=code)

    def pay(self, order: dict[str, Any]) -> Answer:
        params = {"selectedPaymentMethod": "wallet"}
        answer = self.call("POST", "/payments/pay", documentType="order", documentId=order["id"], params=params)
        self.town.settle()
        return answer

    def look(self, order: dict[str, Any]) -> dict[str, Any]:
        found = self.town.maas.http.get(f"/payments/orders/{order['token']}", query={"userId": self.user})
        return dict(found.document)

    def statuses(self) -> list[str]:
        found = self.town.maas.http.get("/payments/orders", query={"userId": self.user}).document
        return [each["status"] for each in found["rows"]]

    def redeem(self, code: str) -> None:
        """Put a gift into the wallet; no operation of this surface does it."""
        store.begin()
        vouchers.redeem(SELLER, identity.external(SELLER, self.user).rider_id, code)


@pytest.fixture
def kari(town: Town) -> Customer:
    return Customer(town)


@pytest.fixture(scope="module", autouse=True)
def present(town: Town) -> None:  # the platform runs before anything is put into it
    """A code that makes everything free, for everybody, as often as they like."""
    del town
    terms = {"code": PRESENT, "percent": 100, "once": False, "client_id": SELLER.id}
    now = clock.now()
    discounts.put(DiscountCode.model_validate({**terms, "valid_from": now, "valid_until": now + timedelta(days=99)}))


def test_what_is_sold(town: Town) -> None:
    products = {each["id"]: each for each in town.maas.http.get("/products").document["data"]}
    assert {products[each]["type"] for each in (MONTHLY, YEARLY)} == {"subscription"}
    assert products[GIFT]["type"] == "gift_code"
    rides = products[products[MONTHLY]["ridesProductId"]]
    assert (rides["type"], rides["subscribersOnly"]) == ("ride", True)
    other = town.client("Other")
    assert other.http.get("/products").document == {"data": []}


def test_a_pass_that_costs_nothing(kari: Customer) -> None:
    order = kari.order(MONTHLY)
    assert (order["amount"], order["vatAmount"], order["availablePaymentMethods"]) == (
        29_900,
        5_980,
        [{"type": "card"}],
    )
    assert kari.pay(order).refusal == (402, "insufficient_funds")
    cheaper = kari.apply(order, DISCOUNT.lower()).document
    assert (cheaper["amount"], cheaper["discount"]["percent"]) == (26_910, 10)
    free = kari.apply(order, PRESENT).document
    assert (free["amount"], free["availablePaymentMethods"]) == (0, [{"type": "wallet"}])
    assert kari.pay(order).document["state"] == "SUCCEEDED"
    done = kari.look(order)
    assert (done["status"], done["unpaid"], done["availablePaymentMethods"]) == ("completed", False, [])
    path = f"/users/{kari.user}/subscription"
    assert kari.town.maas.http.get(path).document["product"]["id"] == MONTHLY
    again = {"productId": str(YEARLY)}
    assert kari.call("POST", "/payments/orders/subscription", **again).refusal == (409, "subscription_exists")
    assert kari.apply(order, DISCOUNT).refusal == (409, "order_closed")
    assert kari.statuses() == ["completed"]


def test_a_gift_and_what_its_value_buys(kari: Customer) -> None:
    order = kari.gifts(2)
    assert kari.apply(order, PRESENT).document["amount"] == 0
    assert kari.pay(order).document["state"] == "SUCCEEDED"
    (mail,) = [each for each in kari.town.mails(kari.mail) if each["subject"] == "Your 2 gift codes"]
    codes = re.findall(r"^([0-9A-Z-]{19}): NOK 100\.00, until ", mail["text"], re.MULTILINE)
    assert len(codes) == 2
    ola = Customer(kari.town)
    for code in (*codes, codes[0]):
        ola.redeem(code)
    bought = ola.gifts(1)
    assert bought["availablePaymentMethods"] == [{"type": "card"}, {"type": "wallet"}]
    assert ola.pay(bought).document["state"] == "SUCCEEDED"
    assert ola.pay(ola.gifts(1)).document["state"] == "SUCCEEDED"
    assert ola.pay(ola.gifts(1)).refusal == (402, "insufficient_funds")
    assert ola.town.subjects(ola.mail).count("Your gift code") == 2
    assert ola.statuses() == ["pending", "completed", "completed"]


def test_an_order_that_nobody_pays(kari: Customer) -> None:
    order = kari.order(YEARLY)
    assert kari.apply(order, DISCOUNT).status == 200
    kari.town.passes(hours=24, minutes=1)
    kari.town.passes(minutes=5)  # the next round of the agenda
    left = kari.look(order)
    assert (left["status"], left["unpaid"]) == ("cancelled", False)
    assert kari.pay(order).refusal == (409, "order_closed")
    assert kari.apply(kari.order(YEARLY), DISCOUNT).status == 200, "the code can be used again"


def test_another_client_learns_nothing(kari: Customer) -> None:
    order = kari.order(MONTHLY)
    other = kari.town.client("Curious")
    path, query = f"/payments/orders/{order['token']}", {"userId": kari.user}
    assert other.http.get(path, query=query).refusal == (404, "user_not_found")
    assert other.http.call("PUT", f"/users/{kari.user}").status == 200
    assert other.http.get(path, query=query).refusal == (404, "order_not_found")
