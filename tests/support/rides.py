"""Riders who pay the operator: a client that charges them, rides that have ended, and what has become of the money."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from kickstand.billing import following, invoices, rides
from kickstand.billing.model import Debts, Invoice
from kickstand.billing.store import DebtsItem, InvoiceItem
from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.identity import service as identity
from kickstand.identity.model import ExternalUser
from kickstand.kernel import clock, ids, store
from kickstand.kernel.events import Event
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, AccountKind, Movement, Reason
from kickstand.payments.model import PaymentIntent
from kickstand.payments.store import PaymentItem
from kickstand.pricing.model import Fare, FareLine, LineKind
from kickstand.rental.model import Rental, Reservation, ReservationState
from tests.support import samples
from tests.support.bank import Bank, Plastic, connected
from tests.support.city import City

TOTAL = 4_375
"""What :meth:`Payers.rental` costs: 10 NOK and ten minutes at 2.50, and a quarter of VAT, in øre."""

_names = count(1)


@dataclass
class Payers:
    """A city in which a client lets its riders pay the operator. Every look at the clock takes a millisecond."""

    patch: pytest.MonkeyPatch
    city: City = field(default_factory=City)
    client: ApiClient = field(init=False)
    bank: Bank = field(init=False)

    def __post_init__(self) -> None:
        self.client, _ = self.city.partner("Direct", charges_riders=True)
        self.bank = connected(self.patch)
        self.now = clock.now()
        self.patch.setattr(clock, "now", self._look_at_the_clock)

    def _look_at_the_clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def user(self, plastic: Plastic | None = None, wallet: int = 0, currency: str = "NOK") -> ExternalUser:
        """A rider, with a card and with money where that is said."""
        store.begin()
        user = identity.ensure_external(self.client, f"rider {next(_names)}")
        if plastic is not None:
            self.bank.give_card(user.rider_id, plastic)
        if wallet:
            self.deposit(user, wallet, currency)
        store.begin()
        return user

    def deposit(self, user: ExternalUser, amount: int, currency: str = "NOK") -> None:
        """Put money into a rider's wallet."""
        house = Account(kind=AccountKind.PROVIDER, holder_id=self.city.network_id, currency=currency)
        movement = Movement(
            id=f"deposit-{ids.new_id()}",
            source=house,
            target=wallet(user, currency),
            amount=amount,
            reason=Reason.DEPOSIT,
            document=1,
            at=clock.now(),
        )
        with store.Transaction() as tx:
            ledger.post(tx, [movement])

    def rental(self, user: ExternalUser, minutes: float = 10, **changes: Any) -> Rental:
        """A ride that has ended."""
        terms = samples.tariff(
            network_id=self.city.network_id, currency="NOK", start_price=1_000, price_per_minute=250, vat_percent=25
        )
        about: dict[str, Any] = {
            "id": ids.new_id(),
            "rider_id": user.rider_id,
            "client_id": self.client.id,
            "external_rider_id": self.name_of(user),
            "network_id": self.city.network_id,
            "rider_pays": True,
        }
        return samples.ended_rental(minutes, terms=terms, **(about | changes))

    def reservation(self, user: ExternalUser, **changes: Any) -> Reservation:
        """A reservation that has expired, at 3.75 NOK a minute for four minutes."""
        line = FareLine(kind=LineKind.RESERVATION, quantity=4, unit_net=300, vat_percent=25, vat=300)
        values = {
            "id": ids.new_id(),
            "client_id": self.client.id,
            "client_public_id": self.client.public_id,
            "holder_id": user.rider_id,
            "external_rider_id": self.name_of(user),
            "network_id": self.city.network_id,
            "vehicle_id": 9,
            "state": ReservationState.EXPIRED,
            "created_at": samples.START,
            "updated_at": samples.START,
            "expires_at": samples.START,
            "fare": Fare(currency="NOK", lines=(line,)),
            "rider_pays": True,
            "event": Event.new("ReservationExpired", samples.START),
        }
        return Reservation.model_validate(values | changes)

    def holding(self, amount: int) -> None:
        """Let the network hold an amount while riders ride."""
        store.begin()
        network = fleet.network(self.city.network_id).model_copy(update={"hold": amount})
        fleet.put_network(network)
        self.patch.setattr(fleet, "known_network", lambda _: network)
        store.begin()

    def name_of(self, user: ExternalUser) -> str:
        store.begin()
        return identity.find_by_id(user.rider_id).external_id or ""

    def charge(self, rental: Rental) -> Invoice | None:
        """What the rental's workflow does; answers the invoice."""
        store.begin()
        charge = rides.charge_rental(rental)
        return invoice(charge.invoice_id, rental.rider_id) if charge.invoice_id is not None else None

    def follow(self, user: ExternalUser) -> list[PaymentIntent]:
        """What the workflows of all payments of a rider do, until nothing is new; answers them, oldest first."""
        for _ in range(20):
            before = payments(user)
            for each in before:
                store.begin()
                following.look(each.id)
            after = payments(user)
            if after == before:
                return after
        raise AssertionError("payments change for ever")

    def advance(self, **span: float) -> None:
        """Move the clock."""
        self.now += timedelta(**span)


def invoice(invoice_id: int, rider_id: int) -> Invoice:
    """An invoice as it is now."""
    store.begin()
    return invoices.find(rider_id, invoice_id)


def invoices_of(user: ExternalUser) -> list[Invoice]:
    """All invoices of a rider, oldest first."""
    found = [item.entity for item in InvoiceItem.scan(InvoiceItem.kind == InvoiceItem.KIND)]
    return sorted((each for each in found if each.rider_id == user.rider_id), key=lambda each: each.id)


def payments(user: ExternalUser) -> list[PaymentIntent]:
    """All payments of a rider, oldest first."""
    found = [item.entity for item in PaymentItem.scan(PaymentItem.kind == PaymentItem.KIND)]
    return sorted((each for each in found if each.rider_id == user.rider_id), key=lambda each: each.id)


def debts(user: ExternalUser) -> Debts | None:
    """What a rider owes."""
    store.begin()
    item = store.load(DebtsItem.key(user.rider_id))
    return item.entity if item else None


def is_barred(payers: Payers, user: ExternalUser) -> bool:
    """Whether a rider counts as in debt, wherever that is kept."""
    store.begin()
    rider = identity.find_by_id(user.rider_id)
    known = identity.external(payers.client, rider.external_id or "")
    assert known.in_debt == rider.in_debt
    return known.in_debt


def wallet(user: ExternalUser, currency: str = "NOK") -> Account:
    return Account(kind=AccountKind.WALLET, holder_id=user.rider_id, currency=currency)


def debt(user: ExternalUser, currency: str = "NOK") -> Account:
    return Account(kind=AccountKind.DEBT, holder_id=user.rider_id, currency=currency)


def balances(user: ExternalUser, currency: str = "NOK") -> tuple[int, int]:
    """What is in a rider's wallet, and what is owed; their books agree."""
    found = []
    for account in (wallet(user, currency), debt(user, currency)):
        store.begin()
        assert ledger.verify(account) == []
        found.append(ledger.balance(account))
    return found[0], found[1]
