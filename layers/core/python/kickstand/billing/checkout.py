"""Use cases of whoever holds a link, and of the payment provider: both have reason to look how something stands."""

from dataclasses import dataclass, field

from kickstand.billing import reversals, settlement
from kickstand.fleet import service as fleet
from kickstand.payments import intents, methods
from kickstand.payments import service as payments
from kickstand.payments.errors import MethodNotFound, PaymentNotFound
from kickstand.payments.model import PaymentIntent, PendingSetup
from kickstand.payments.provider import ProviderEvent, SetupStatus


@dataclass(frozen=True)
class HostedPayment:
    """A payment as its rider may see it in a browser.

    Attributes:
        seller: the company that gets the money.
        key: by which the provider knows us.
    """

    intent: PaymentIntent = field(repr=False)
    seller: str
    key: str


def payment(token: str) -> HostedPayment:
    """The payment behind a link, as it stands at the provider.

    Raises:
        PaymentNotFound: the link leads to none.
        ProviderUnreachable: the provider did not say how it stands.
    """
    intent = intents.by_token(token)
    fleet.expect_network(intent.network_id)
    if intent.is_open:
        payments.expect_profile(intent.rider_id)
        intent = settlement.advance(intent.id)
    seller = fleet.network(intent.network_id).issuer.name
    return HostedPayment(intent, seller, payments.provider().publishable_key() if intent.is_open else "")


@dataclass(frozen=True)
class HostedSetup:
    """A card that is being saved, as its rider may go on with it in a browser.

    Attributes:
        pending: what an app has begun.
        key: by which the provider knows us.
        secret: by which it knows the card; ``None`` where the card is saved.
    """

    pending: PendingSetup
    key: str = ""
    secret: str | None = field(default=None, repr=False)


def setup(token: str) -> HostedSetup:
    """The card that is being saved behind a link. One that the rider has entered is kept from then on.

    Raises:
        MethodNotFound: the link leads to none, or took too long.
        ProviderUnavailable: the provider did not say how it stands.
    """
    done = methods.saved_under(token)
    if done is not None:
        return HostedSetup(done)
    profile, found = methods.setup_of(token)
    if profile.setup is None or found.status is SetupStatus.CANCELLED:
        raise MethodNotFound
    if found.status is SetupStatus.SUCCEEDED:
        methods.cards(profile.rider_id)
        return HostedSetup(profile.setup)
    return HostedSetup(profile.setup, payments.provider().publishable_key(), found.secret)


def hear(body: bytes, signature: str | None) -> None:
    """Take in what the provider tells: look at what it is about, once.

    It is noted as dealt with when it is, not before: whatever goes wrong, the provider tells it again.

    Raises:
        EventRefused: it is not the provider's.
        ProviderUnreachable: the provider did not say how things stand.
    """
    event = payments.told(body, signature)
    if event is None:
        return
    if event.payment_id is not None:
        intents.expect(event.payment_id)
    if payments.is_dealt_with(event):
        return
    _follow(event)
    payments.dealt_with(event)


def _follow(event: ProviderEvent) -> None:
    if event.payment_id is not None:
        try:
            intents.find(event.payment_id)
        except PaymentNotFound:
            return  # of another stage, or made by hand
        settlement.advance(event.payment_id)
        reversals.look(event.payment_id)
    elif event.setup_id is not None:
        methods.adopt(event.setup_id)
