"""Riders who pay us, the bank that they pay by, and the books: all about money, driven step by step by a test."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

import pytest

from kickstand.billing import following, settlement
from kickstand.billing.settlement import Means, Outcome, Wish
from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.identity import service as identity
from kickstand.kernel import clock, ids, items, store
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, AccountKind, Entry, Movement, Reason
from kickstand.ledger.store import BalanceItem, EntryItem
from kickstand.payments import intents
from kickstand.payments.errors import PaymentNotFound
from kickstand.payments.intents import PaymentUnknown
from kickstand.payments.model import PaymentIntent, PaymentState, Purpose, PurposeKind
from kickstand.pricing.rules import fare
from kickstand.rental.model import Rental
from kickstand.sales import orders
from kickstand.sales.model import Order
from tests.support import bank, samples
from tests.support.bank import Plastic
from tests.support.city import City
from tests.support.shop import Shop

_numbers: Final = count(1)
NETWORK: Final = 1


@dataclass
class Cashier:
    """What a test talks about. Time all but stands still, and nobody looks at a payment by themselves."""

    patch: pytest.MonkeyPatch
    city: City = field(default_factory=City)

    def __post_init__(self) -> None:
        self.now = clock.now()
        self.patch.setattr(clock, "now", self._tick)
        self.bank = bank.connected(self.patch)
        self.city.client = self.client
        self.shop = Shop(self.city)
        self.begun: list[int] = []
        create = intents.create

        def noted(tx: store.Transaction, intent: PaymentIntent) -> None:
            self.begun.append(intent.id)
            create(tx, intent)

        self.patch.setattr(intents, "create", noted)

    def _tick(self) -> datetime:
        self.now += timedelta(milliseconds=1)  # identifiers are drawn by the millisecond
        return self.now

    @property
    def client(self) -> ApiClient:
        """The client, whose riders pay us."""
        return self.city.client.model_copy(update={"charges_riders": True})

    def hold(self, amount: int) -> None:
        """Hold an amount on the card of everybody who rides."""
        store.begin()
        fleet.put_network(fleet.network(NETWORK).model_copy(update={"hold": amount}))
        store.begin()

    def advance(self, **time: float) -> None:
        """Let time pass; nobody looks at anything."""
        self.now += timedelta(**time)

    def customer(self, plastic: Plastic | None = Plastic.GOOD, funds: int = 0) -> "Customer":
        """A new user, with a saved card or without one, and with money in the wallet."""
        name = f"user-{next(_numbers)}-{ids.new_id()}"
        store.begin()
        rider_id = identity.ensure_external(self.client, name).rider_id
        store.begin()
        if plastic is not None:
            self.bank.give_card(rider_id, plastic)
        customer = Customer(self, name, rider_id)
        if funds:
            customer.fill(funds)
        return customer

    # ── What workflows do ────────────────────────────────────────────────────────────────────────────────────────────

    def payments(self, payment_ids: Iterable[int]) -> list[PaymentIntent]:
        """Payments as they are kept; those that were never committed are left out."""
        found = []
        store.begin()
        payment_ids = list(payment_ids)
        for payment_id in payment_ids:
            intents.expect(payment_id)
        for payment_id in payment_ids:
            try:
                found.append(intents.find(payment_id))
            except PaymentNotFound:
                continue
        return found

    def look(self, *, since: int = 0) -> None:
        """Look at every payment that has been begun since, as their workflows do, those that come of it included."""
        at = since
        while at < len(self.begun):
            store.begin()
            with suppress(PaymentNotFound, PaymentUnknown):  # it is parked
                following.look(self.begun[at])
            at += 1

    def settle(self, *, since: int = 0) -> None:
        """Let workflows do what they can without riders."""
        self.look(since=since)
        if not all(is_over(each) for each in self.payments(self.begun[since:])):
            self.look(since=since)

    def keep_agenda(self) -> None:
        """Let some time pass, and the agenda find what nobody looks after."""
        self.advance(seconds=11)
        store.begin()
        following.keep_agenda()

    # ── The books ────────────────────────────────────────────────────────────────────────────────────────────────────

    def gap(self) -> int:
        """Check all books against each other; answers how much more the bank has than they say, in minor units."""
        sums, kept = _books()
        assert sum(sums.values()) == 0
        for account, amount in kept.items():
            assert sums.get(account, 0) == amount, account
            assert amount >= 0 if account.kind is AccountKind.WALLET else amount <= 0, account
        at_provider = -sum(amount for account, amount in sums.items() if account.kind is AccountKind.PROVIDER)
        return self.bank.money("NOK") - at_provider


@dataclass(frozen=True)
class Customer:
    """A user of the client."""

    cashier: Cashier
    name: str
    rider_id: int

    def account(self, kind: AccountKind = AccountKind.WALLET) -> Account:
        """An account of the user."""
        return Account(kind=kind, holder_id=self.rider_id, currency="NOK")

    def balance(self, kind: AccountKind = AccountKind.WALLET) -> int:
        """What it holds."""
        store.begin()
        return ledger.balance(self.account(kind))

    def fill(self, amount: int) -> None:
        """Give the user money."""
        house = Account(kind=AccountKind.PROMOTION, holder_id=NETWORK, currency="NOK")
        moved = Movement(
            id=f"present-{ids.new_id()}",
            source=house,
            target=self.account(),
            amount=amount,
            reason=Reason.CORRECTION,
            document=1,
            at=clock.now(),
        )
        with store.Transaction() as tx:
            ledger.post(tx, [moved])

    def deposit(self, amount: int = 5000) -> Order:
        """Money for the wallet is ordered."""
        store.begin()
        return orders.order_deposit(self.cashier.client, self.name, amount, "nb")

    def subscription(self, offer_id: int) -> Order:
        """A subscription is ordered."""
        store.begin()
        return orders.order_subscription(self.cashier.client, self.name, offer_id, "nb")

    def gifts(self, offer_id: int, quantity: int = 2) -> Order:
        """Gift codes are ordered."""
        store.begin()
        to = "gifts@mail.example"
        return orders.order_vouchers(self.cashier.client, self.name, [(offer_id, quantity)], to, None, "nb")

    def pay(self, document: Purpose | Order, wish: Wish | None = None) -> Outcome:
        """Pay an order, or an invoice."""
        store.begin()
        if isinstance(document, Order):
            document = Purpose(kind=PurposeKind.ORDER, id=document.id)
        return settlement.pay(self.cashier.client, self.name, document, wish or Wish(Means.CARD))

    def order(self, order: Order) -> Order:
        """An order as it is now."""
        store.begin()
        return orders.find(self.rider_id, order.id)

    def ride(self, minutes: float = 10) -> Rental:
        """A ride that has ended and is to be charged: 10 NOK and 2.50 a minute, VAT of 25 % on top."""
        terms = self.cashier.city.tariff()
        plain = samples.ended_rental(minutes, terms=terms, distance_m=1000)
        assert plain.ended_at is not None
        mine = {
            "id": ids.new_id(),
            "rider_id": self.rider_id,
            "client_id": self.cashier.client.id,
            "network_id": NETWORK,
            "external_rider_id": self.name,
            "rider_pays": True,
            "fare": fare(terms, plain.started_at, plain.ended_at, 1000),
        }
        return plain.model_copy(update=mine)

    def owed(self, rental: Rental) -> int:
        """What a ride costs, in minor units."""
        assert rental.fare is not None
        return rental.fare.total


def is_over(intent: PaymentIntent) -> bool:
    """Whether nothing more becomes of a payment by itself."""
    return not intent.is_open and intent.state is not PaymentState.HELD


def _books() -> tuple[dict[Account, int], dict[Account, int]]:
    """What the entries of every account add up to, and the balances that are kept."""
    sums: dict[Account, int] = defaultdict(int)
    kept: dict[Account, int] = {}
    for row in _scan(EntryItem.Meta.table_name):
        kind = row["kind"]["S"]
        if kind == EntryItem.KIND:
            entry: Entry = EntryItem.from_raw_data(row).entity
            sums[entry.account] += entry.amount
        elif kind == BalanceItem.KIND:
            item = BalanceItem.from_raw_data(row)
            kept[item.account] = item.amount
    return sums, kept


def _scan(table: str) -> Iterable[dict[str, Any]]:
    client: Any = items.connection().client
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]
