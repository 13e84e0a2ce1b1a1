"""Use cases about charges and receipts."""

from datetime import datetime

from kickstand.billing import gateway, rules
from kickstand.billing.model import Charge, Subject
from kickstand.billing.store import ChargeItem
from kickstand.fleet.model import Network
from kickstand.kernel import clock, store
from kickstand.pricing.model import Fare
from kickstand.rental.model import Rental


class NotSettled(RuntimeError):
    """A charge was wanted before the rental's end, or a receipt before the charge: a bug of the caller."""


def record_charge(rental: Rental) -> Charge:
    """Record what an ended rental costs: once, however often this is called.

    Raises:
        NotSettled: the rental has not ended.
    """
    return record(rules.charge(rental, fare_of(rental), clock.now()))


def record(charge: Charge) -> Charge:
    """Keep a charge, if it is the first one for what it is for; answers the one that is kept."""
    if store.create(ChargeItem.of(charge)):
        return charge
    store.forget()
    return charge_of(charge.id, charge.subject) or charge


def charge_of(charge_id: int, subject: Subject = Subject.RENTAL) -> Charge | None:
    """The charge of a rental or a reservation; ``None`` before it has been recorded."""
    item = store.load(ChargeItem.key(charge_id, subject))
    return item.entity if item else None


def fare_of(rental: Rental) -> Fare:
    """What an ended rental costs.

    Raises:
        NotSettled: it has not ended.
    """
    return _settled(rental)[0]


def issue_receipt(rental: Rental, network: Network) -> str:
    """Write the receipt of a charged rental and answer where it is kept; the same place and content every time.

    Raises:
        NotSettled: the rental has not been charged.
    """
    # Only the function that writes receipts carries the PDF library.
    from kickstand.billing import documents

    _, ended_at = _settled(rental)
    charge = charge_of(rental.id)
    if charge is None:
        raise NotSettled("no charge has been recorded")
    receipt = rules.receipt(charge, rental, ended_at, network)
    key = rules.document_key(charge)
    gateway.put(key, documents.render(receipt), f"receipt-{receipt.number}.pdf")
    return key


def receipt_link(key: str) -> str:
    """An address from which the receipt kept under ``key`` can be read for an hour."""
    return gateway.link(key)


def _settled(rental: Rental) -> tuple[Fare, datetime]:
    if rental.fare is None or rental.ended_at is None:
        raise NotSettled("the rental has not ended")
    return rental.fare, rental.ended_at
