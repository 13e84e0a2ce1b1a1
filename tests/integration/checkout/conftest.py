"""Riders who pay, and what the payment provider makes of it."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.session import Session

from kickstand.billing import settlement
from kickstand.billing.settlement import Means, Wish
from kickstand.clients.model import ApiClient
from kickstand.identity import service as identity
from kickstand.kernel import store
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, AccountKind
from kickstand.payments import intents, methods
from kickstand.payments import service as payments
from kickstand.payments.model import PaymentIntent, PaymentProfile, Purpose, PurposeKind
from kickstand.sales import orders
from tests.support.api import Client, Reply
from tests.support.city import City
from tests.support.provider import CANCEL, SUCCESS, LocalProvider, provider, provider_place

__all__ = ["provider", "provider_place"]


@dataclass
class Till:
    """A client's rider, and everything that is known of the rider's money."""

    provider: LocalProvider
    city: City = field(default_factory=City)
    browser: Client = field(default_factory=lambda: Client("checkout", {}))
    client: ApiClient = field(init=False)
    rider_id: int = field(init=False)

    def __post_init__(self) -> None:
        self.client, _ = self.city.partner("Payer", charges_riders=True)
        self.rider_id = identity.ensure_external(self.client, "kari").rider_id

    def pay(self, amount: int = 5000, means: Means = Means.CARD) -> PaymentIntent:
        """Order money for the wallet, and begin to pay for it."""
        store.begin()
        order = orders.order_deposit(self.client, "kari", amount, "en")
        store.begin()
        outcome = settlement.pay(self.client, "kari", Purpose(kind=PurposeKind.ORDER, id=order.id), Wish(means=means))
        assert outcome.payment is not None
        return outcome.payment

    def payment(self, payment_id: int) -> PaymentIntent:
        """A payment as it is kept now."""
        store.begin()
        return intents.find(payment_id)

    def profile(self) -> PaymentProfile:
        """What is kept of the rider's cards now."""
        store.begin()
        return payments.profile(self.rider_id)

    def begin_setup(self, success_url: str = SUCCESS, cancel_url: str = CANCEL) -> tuple[str, str]:
        """Begin to save a card; answers the page's token and the client secret."""
        store.begin()
        profile, setup = methods.begin(self.rider_id, success_url=success_url, cancel_url=cancel_url, replaces=False)
        assert profile.setup is not None
        assert setup.secret is not None
        return profile.setup.token, setup.secret

    def wallet(self) -> int:
        """What is in the rider's wallet."""
        store.begin()
        return ledger.balance(Account(kind=AccountKind.WALLET, holder_id=self.rider_id, currency="NOK"))

    def event(self, kind: str) -> dict[str, Any]:
        """The provider's last event of a kind."""
        return next(each for each in reversed(self.provider.gate.events) if each["type"] == kind)

    def send(self, event: dict[str, Any], signature: str | None = None) -> Reply:
        """Send an event as the provider does."""
        body, signed = self.provider.signed(event)
        headers = {"content-type": "application/json; charset=utf-8", "stripe-signature": signature or signed}
        return self.browser.call("take_stripe_event", raw=body.decode(), headers=headers)

    def show_payment(self, token: str, language: str = "en") -> Reply:
        """Load the page of a payment."""
        return self.browser.call("show_payment", path={"token": token}, headers={"accept-language": language})

    def show_card(self, token: str, language: str = "en") -> Reply:
        """Load the page on which a card is entered."""
        return self.browser.call("show_card_setup", path={"token": token}, headers={"accept-language": language})


@pytest.fixture
def till(aws: Session, provider: LocalProvider) -> Till:
    return Till(provider)
