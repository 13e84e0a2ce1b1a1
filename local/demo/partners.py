"""The demo's partners: their credentials, apps and plans, and the people who ride with them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kickstand.clients import bearer, tokens
from kickstand.clients.model import ApiClient, Credential, OnboardingPolicy, OnboardingStep, Product
from kickstand.clients.store import ClientItem, ProductItem
from kickstand.identity.model import ExternalUser, Penalty, PenaltyType, Rider, user_key
from kickstand.identity.store import ExternalUserItem, PenaltyItem, RiderItem
from kickstand.kernel import clock, store
from kickstand.onboarding.model import Acceptance, Address, Onboarding
from kickstand.onboarding.store import AcceptanceItem, OnboardingItem
from kickstand.pricing import service as pricing
from kickstand.pricing.model import PricingPlan
from kickstand.webhooks.model import EVERYTHING, Endpoint, Endpoints, SignatureScheme
from kickstand.webhooks.store import EndpointsItem
from local.demo.names import (
    DIRECT_SECRET,
    DIRECT_TOKEN,
    FIRST,
    FRIEND,
    OSLO,
    PARIS,
    PARIS_SECRET,
    PARIS_TOKEN,
    PAYER,
    SECRET,
    TOKEN,
    USER,
    WEBHOOK_SECRET,
    uuid,
)

SUBSCRIBERS: Final = 4
"""The plan that the monthly pass opens."""

PAID_RIDES: Final = 5
"""The plan of the partner whose riders pay the operator."""

PENALTY: Final = 1
"""The number of the penalty that the first partner has given its user."""

WEBHOOK: Final = 1
"""The number of the first partner's webhook."""

POLICY_VERSION: Final = "2026-03-01"
"""What users of the demo's partners have to accept."""

_MADE_AT: Final = datetime.fromisoformat("2026-01-01T00:00:00Z")
_USER_NUMBER, _FRIEND_NUMBER, _PAYER_NUMBER = 2, 3, 4


@dataclass(frozen=True)
class Partner:
    """A partner and what it proves itself with."""

    number: int
    name: str
    email: str
    network_ids: tuple[int, ...]
    token: str
    secret: str
    onboarding: OnboardingPolicy
    charges_riders: bool = False

    @property
    def credential(self) -> Credential:
        """What we keep of the secret; on this machine, the key beside it need not be one."""
        return tokens.kept_credential(self.number, self.secret, tokens.digest(self.secret), _MADE_AT)

    @property
    def client(self) -> ApiClient:
        """What we keep of the partner."""
        return ApiClient(
            id=self.number,
            public_id=uuid(self.number, "client"),
            name=self.name,
            email=self.email,
            network_ids=frozenset(self.network_ids),
            tokens=(tokens.kept(self.token, clock.now() + tokens.LIFETIME),),
            credentials=(self.credential,),
            charges_riders=self.charges_riders,
            onboarding=self.onboarding,
        )

    @property
    def bearer(self) -> str:
        """An access token that is valid from now on."""
        return bearer.sign(self.client, self.credential, clock.now())


_ALL_STEPS: Final = OnboardingPolicy(privacy_policy_version=POLICY_VERSION, terms_version=POLICY_VERSION, country="NO")
_FEW_STEPS: Final = OnboardingPolicy(
    required=(OnboardingStep.EMAIL, OnboardingStep.TERMS_AND_CONDITIONS),
    optional=(OnboardingStep.TUTORIAL,),
    verified=(OnboardingStep.EMAIL,),
    country="FR",
)

IN_BOTH: Final = Partner(1, "Demo Mobility", "demo@partner.example", (OSLO, PARIS), TOKEN, SECRET, _ALL_STEPS)
IN_PARIS: Final = Partner(2, "Paris Mobility", "paris@partner.example", (PARIS,), PARIS_TOKEN, PARIS_SECRET, _FEW_STEPS)
DIRECT: Final = Partner(
    3, "Oslo Direct", "direct@partner.example", (OSLO,), DIRECT_TOKEN, DIRECT_SECRET, _ALL_STEPS, charges_riders=True
)

PLANS: Final = (
    PricingPlan(
        id=1,
        client_id=IN_BOTH.number,
        name="Day pass (demo)",
        currency="NOK",
        vat_percent=25,
        included_minutes=30,
        price_per_minute=120,
        free_floating_fee=6_000,
        penalty_after_s=2 * 3600,
        penalty_repeat_s=3600,
        max_penalty_points=3,
    ),
    PricingPlan(
        id=2,
        client_id=IN_BOTH.number,
        name="Single ride (demo)",
        currency="NOK",
        vat_percent=25,
        trip_price=2_400,
        included_minutes=15,
        price_per_minute=120,
        free_minutes_per_day=10,
        registration_fee=800,
        reservation_price_per_minute=100,
    ),
    PricingPlan(
        id=3,
        client_id=IN_PARIS.number,
        name="Ticket (demo)",
        currency="EUR",
        vat_percent=20,
        trip_price=250,
        included_minutes=30,
        price_per_minute=20,
    ),
    PricingPlan(
        id=SUBSCRIBERS,
        client_id=IN_BOTH.number,
        name="Rides of subscribers (demo)",
        currency="NOK",
        vat_percent=25,
        included_minutes=45,
        price_per_minute=80,
        free_floating_fee=6_000,
        subscribers_only=True,
    ),
    PricingPlan(
        id=PAID_RIDES,
        client_id=DIRECT.number,
        name="Single ride (demo)",
        currency="NOK",
        vat_percent=25,
        trip_price=2_400,
        included_minutes=15,
        price_per_minute=120,
        reservation_price_per_minute=100,
    ),
)


def rider() -> Rider:
    """Somebody who rides with the first partner's app."""
    return Rider(
        id=FIRST,
        public_id=uuid(FIRST),
        client_id=IN_BOTH.number,
        product_id=1,
        email="kari@rider.example",
        first_name="Kari",
        last_name="Nordmann",
    )


def user() -> Rider:
    """Somebody whom the first partner knows by an id of its own, and who has begun to tell more."""
    return Rider(
        id=_USER_NUMBER,
        public_id=uuid(_USER_NUMBER),
        client_id=IN_BOTH.number,
        external_id=USER,
        email="user@rider.example",
        first_name="Ingrid",
        last_name="Nordmann",
    )


def onboarding() -> Onboarding:
    """What the user has told and accepted; the phone number and the terms are still to come."""
    return Onboarding(
        rider_id=_USER_NUMBER,
        address=Address(street_address="Storgata 1", postal_code="0155", city="Oslo", country="NO"),
        privacy_policy=Acceptance(
            id=1,
            rider_id=_USER_NUMBER,
            document=OnboardingStep.PRIVACY_POLICY,
            version=POLICY_VERSION,
            consents={"newsletter": False},
            at=_MADE_AT,
        ),
        tutorial_at=_MADE_AT,
        version=1,
    )


def friend() -> Rider:
    """Somebody of whom the first partner tells an id only."""
    return Rider(id=_FRIEND_NUMBER, public_id=uuid(_FRIEND_NUMBER), client_id=IN_BOTH.number, external_id=FRIEND)


def payer() -> Rider:
    """Somebody who pays the operator, and has neither a card nor money in the wallet yet."""
    return Rider(
        id=_PAYER_NUMBER,
        public_id=uuid(_PAYER_NUMBER),
        client_id=DIRECT.number,
        external_id=PAYER,
        email="payer@rider.example",
        first_name="Solveig",
    )


def penalty() -> Penalty:
    """What the user has got from the first partner."""
    return Penalty(
        id=PENALTY,
        client_id=IN_BOTH.number,
        external_id=USER,
        type=PenaltyType.MANUAL,
        points=1,
        comment="Left across the pavement (demo)",
        created_at=clock.now() - timedelta(days=1),
    )


def user_key_of(rider: Rider) -> str:
    """What names somebody in keys whom a partner knows by an id of its own."""
    return user_key(rider.client_id, rider.external_id or "")


def take_in() -> None:
    """Keep the apps, the plans and the people."""
    for plan in PLANS:
        pricing.put_plan(plan)
    with store.Transaction() as tx:
        for product in _products():
            tx.put(ProductItem.of(product))
        for each in (rider(), user(), friend(), payer()):
            tx.put(RiderItem.of(each))
        for each, points in ((user(), penalty().points), (friend(), 0), (payer(), 0)):
            tx.put(ExternalUserItem.of(_external(each, points)))
        tx.put(PenaltyItem.of(penalty()))
        told = onboarding()
        tx.put(OnboardingItem.of(told))
        if told.privacy_policy:
            tx.put(AcceptanceItem.of(told.privacy_policy))


def arrange_webhook() -> None:
    """Let the first partner's server be told of everything; it is nobody's, so that the outbox shows what it gets."""
    endpoint = Endpoint(
        id=WEBHOOK,
        client_id=IN_BOTH.number,
        url="https://demo.partner.example/maas",
        events=frozenset({EVERYTHING}),
        scheme=SignatureScheme(signature_header="Urbansharing-Signature", id_header="uowid"),
        secret=WEBHOOK_SECRET,
        created_at=_MADE_AT,
    )
    with store.Transaction() as tx:
        tx.put(EndpointsItem.of(Endpoints(client_id=IN_BOTH.number, version=1, endpoints=(endpoint,))))


def admit() -> None:
    """Keep the partners themselves."""
    with store.Transaction() as tx:
        for partner in (IN_BOTH, IN_PARIS, DIRECT):
            tx.put(ClientItem.of(partner.client))


def _products() -> Iterator[Product]:
    for number, name in ((1, "Demo app"), (2, "Paris app"), (3, "Direct app")):
        yield Product(id=number, public_id=uuid(number, "product"), client_id=number, name=name)


def _external(rider: Rider, penalty_points: int) -> ExternalUser:
    return ExternalUser(
        client_id=rider.client_id, user_key=user_key_of(rider), rider_id=rider.id, penalty_points=penalty_points
    )
