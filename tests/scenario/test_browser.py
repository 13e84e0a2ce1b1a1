"""The browser that the platform plays for those who have none: it does on a page what a rider would do."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.http import Answer
from tests.support.maas import MaasClient
from tests.support.provider import CANCEL, DECLINED, OK, PROVED_ALWAYS, PROVED_ONCE, SUCCESS
from tests.support.town import Town


@dataclass
class Rider:
    """Somebody with an app, and no browser of their own."""

    town: Town
    client: MaasClient

    def visit(self, page: str, **wanted: Any) -> Any:
        """What a page comes to."""
        return self.ask({"open": page, **wanted}).document

    def ask(self, wanted: object) -> Answer:
        """Ask for anything."""
        return self.town.http.call("POST", "/_local/browser", wanted)

    def call(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """Let the app ask for something."""
        return self.client.http.call(method, path, {**body, "userId": "kari"}, headers={"locale": "en"}).document

    def begin(self) -> str:
        """The page on which a card is entered that is saved."""
        paths = {"successPath": SUCCESS, "cancelPath": CANCEL}
        return str(self.call("PUT", "/payments/payment-methods", {"paths": paths})["webUrl"])

    def order(self) -> dict[str, Any]:
        """What to send to pay a deposit of 50 kroner."""
        order = self.call("POST", "/payments/orders/wallet-deposit", {"amount": 5000})
        return {"documentId": order["id"], "documentType": "order", "params": {"selectedPaymentMethod": "card"}}

    def pay(self, order: dict[str, Any]) -> tuple[str, str]:
        """How a payment stands, and its page if it has one."""
        answer = self.call("POST", "/payments/pay", order)
        return answer["state"], answer.get("webUrl", "")


@pytest.fixture
def rider(town: Town, request: pytest.FixtureRequest) -> Rider:
    client = town.client(request.node.name[:40])
    client.http.call("PUT", "/users/kari")
    return Rider(town, client)


def test_a_card_is_entered_and_the_browser_goes_back_to_the_app(rider: Rider) -> None:
    page = rider.begin()
    assert rider.visit(page, card=DECLINED)["problem"] == "card_declined"
    assert rider.visit(page, card=PROVED_ONCE) == {"title": "Add a card", "status": 200}
    assert rider.visit(page, card=PROVED_ONCE, prove=False)["problem"] == "setup_intent_authentication_failure"
    assert rider.visit(page, card=PROVED_ONCE, prove=True) == {"leads_to": SUCCESS}
    assert rider.pay(rider.order()) == ("SUCCEEDED", "")


def test_a_payment_is_proved_later_by_whoever_leaves(rider: Rider) -> None:
    order = rider.order()
    state, page = rider.pay(order)
    assert (state, rider.visit(page)["title"]) == ("CREATED", "Pay NOK 50.00")
    assert rider.visit(page, card=PROVED_ALWAYS)["title"] == "Confirm NOK 50.00"
    assert rider.pay(order)[0] == "REQUIRES_ACTION"
    assert rider.visit(page, prove=True) == {"title": "Paid", "status": 200}
    assert rider.pay(order)[0] == "SUCCEEDED"


def test_whoever_fails_the_proof_has_not_paid(rider: Rider) -> None:
    assert rider.visit(rider.begin(), card=PROVED_ALWAYS, prove=True) == {"leads_to": SUCCESS}
    _, page = rider.pay(rider.order())
    failed = rider.visit(page, prove=False)
    assert (failed["title"], failed["problem"]) == ("Not paid", "payment_intent_authentication_failure")


def test_it_says_what_a_page_wants(rider: Rider) -> None:
    entering = rider.begin()
    over = rider.pay(rider.order())[1]
    rider.visit(over, card=OK)
    base = rider.town.platform.url
    for wanted, said in (
        ({"open": "https://example.com/", "card": OK}, f"open is the address of a page below {base}/checkout"),
        ({"open": entering, "card": 42}, "card is a number in quotation marks, prove is true or false"),
        ({"open": entering, "prove": True}, "this page asks for a card: send its number as card"),
        ({"open": over, "prove": True}, "this page asks for nothing"),
    ):
        answer = rider.ask(wanted)
        assert (answer.status, answer.json["message"]) == (400, said)
    assert rider.visit(entering, card=PROVED_ALWAYS, prove=True) == {"leads_to": SUCCESS}
    _, proving = rider.pay(rider.order())
    assert rider.ask({"open": proving, "card": OK}).json["message"] == "this page asks for no card: send prove"
