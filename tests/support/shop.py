"""A shop for tests: what a city's partner sells, and a rider who buys it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from kickstand.identity import service as identity
from kickstand.kernel import clock, store
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, AccountKind, Movement, Reason
from kickstand.sales import discounts, offers, orders
from kickstand.sales.model import (
    DiscountCode,
    Offer,
    OfferKind,
    Order,
    Validity,
    ValidityUnit,
)
from tests.support.city import City

MONTHLY, FREE, GIFT, BIG_GIFT = 11, 12, 13, 14
"""Products: a month for 299.00, a free day, a gift of 100.00 for as much, one of 500.00 for 450.00."""


@dataclass
class Shop:
    """What a test talks about; made through the use cases, in whatever store is there."""

    city: City
    user: str = "kari"
    rider_id: int = field(init=False)

    def __post_init__(self) -> None:
        store.begin()
        for each in (
            self.subscription(MONTHLY),
            self.subscription(FREE, price=0, validity=Validity(count=1, unit=ValidityUnit.DAY)),
            self.gift(GIFT, price=10_000, value=10_000),
            self.gift(BIG_GIFT, price=45_000, value=50_000),
        ):
            offers.put(self.city.client, each)
        self.rider_id = self.enlist(self.user)

    def enlist(self, user: str) -> int:
        """Another user of the partner."""
        rider_id = identity.ensure_external(self.city.client, user).rider_id
        store.begin()
        return rider_id

    # ── What is sold ─────────────────────────────────────────────────────────────────────────────────────────────────

    def subscription(self, offer_id: int, **changes: Any) -> Offer:
        """A month for 299.00, VAT of 25 % included."""
        values = {
            "kind": OfferKind.SUBSCRIPTION,
            "name": "Monthly pass",
            "vat_percent": 25,
            "price": 29_900,
            "validity": Validity(count=1, unit=ValidityUnit.MONTH),
            "plan_id": 24,
            "renewable": True,
        }
        return self._offer(offer_id, values | changes)

    def gift(self, offer_id: int, **changes: Any) -> Offer:
        """A gift code that can be redeemed for three years."""
        values = {
            "kind": OfferKind.GIFT_CODE,
            "name": "Gift",
            "vat_percent": 0,
            "price": 10_000,
            "value": 10_000,
            "validity": Validity(count=3, unit=ValidityUnit.YEAR),
        }
        return self._offer(offer_id, values | changes)

    def _offer(self, offer_id: int, values: dict[str, Any]) -> Offer:
        place = {"client_id": self.city.client.id, "network_id": self.city.network_id, "currency": "NOK"}
        return Offer.model_validate({"id": offer_id, **place, **values})

    def code(self, code: str = "WELCOME10", **changes: Any) -> DiscountCode:
        """A discount of 10 %, once for every rider."""
        now = clock.now()
        values = {
            "client_id": self.city.client.id,
            "code": code,
            "valid_from": now - timedelta(days=1),
            "valid_until": now + timedelta(days=30),
        }
        if "amount" not in changes:
            values["percent"] = 10
        return discounts.put(DiscountCode.model_validate(values | changes))

    # ── What is bought ───────────────────────────────────────────────────────────────────────────────────────────────

    def order(self, offer_id: int = MONTHLY, user: str | None = None) -> Order:
        """A subscription that is ordered."""
        store.begin()
        return orders.order_subscription(self.city.client, user or self.user, offer_id, "nb")

    def deposit(self, amount: int = 10_000) -> Order:
        """Money for the wallet that is ordered."""
        store.begin()
        return orders.order_deposit(self.city.client, self.user, amount, "nb")

    def gifts(self, *lines: tuple[int, int]) -> Order:
        """Gift codes that are ordered; two of 100.00 if nothing else is said."""
        store.begin()
        wanted = lines or ((GIFT, 2),)
        return orders.order_vouchers(self.city.client, self.user, wanted, "gifts@mail.example", None, "nb")

    def apply(self, order: Order, code: str = "WELCOME10", user: str | None = None) -> Order:
        """The order with a discount code."""
        store.begin()
        return orders.apply_discount(self.city.client, user or self.user, order.id, code)

    def removed(self, order: Order) -> Order:
        """The order without its discount code."""
        store.begin()
        return orders.remove_discount(self.city.client, self.user, order.id)

    def now(self, order: Order) -> Order:
        """The order as it is now."""
        store.begin()
        return orders.find(order.rider_id, order.id)

    def completed(self, order: Order) -> tuple[Order, list[Movement]]:
        """The order after the provider was paid, with what has been booked."""
        store.begin()
        source = self.house(AccountKind.PROVIDER)
        with store.Transaction() as tx:
            done, moved = orders.complete(tx, self.now(order), source=source, invoice_id=None, at=clock.now())
            ledger.post(tx, moved)
        return done, moved

    def claimed(self, order: Order, payment_id: int = 77) -> Order:
        """The order with a payment under way."""
        store.begin()
        with store.Transaction() as tx:
            return orders.claim(tx, self.now(order), payment_id)

    # ── Money ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def wallet(self, rider_id: int | None = None) -> Account:
        """A rider's wallet."""
        return Account(kind=AccountKind.WALLET, holder_id=rider_id or self.rider_id, currency="NOK")

    def house(self, kind: AccountKind) -> Account:
        """An account of the seller."""
        return Account(kind=kind, holder_id=self.city.network_id, currency="NOK")

    def balance(self, rider_id: int | None = None) -> int:
        """What is in a rider's wallet."""
        store.begin()
        return ledger.balance(self.wallet(rider_id))

    def fill(self, amount: int) -> None:
        """Put money into the rider's wallet."""
        movement = Movement(
            id=f"present-{self.rider_id}",
            source=self.house(AccountKind.PROMOTION),
            target=self.wallet(),
            amount=amount,
            reason=Reason.CORRECTION,
            document=1,
            at=clock.now(),
        )
        with store.Transaction() as tx:
            ledger.post(tx, [movement])
